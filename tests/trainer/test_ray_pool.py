# SPDX-License-Identifier: GPL-3.0-or-later
"""The pool on a real Ray cluster of several nodes, all of them on this computer.

The nodes are real: each has its own scheduler and object store, and one that is killed is missed by
Ray like a computer that went away. Its Blenders are real too.
"""

import contextlib
import csv
import signal
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest
from pool_helpers import SCENE, rows, settings, until

from gdr_core.errors import GdrError
from gdr_core.families import Distribution
from gdr_core.settings import RunSettings, SceneSettings, TargetSettings, TrainingSettings
from gdr_core.supershape.parameters import INDEX
from trainer import cli
from trainer.rendering import blender
from trainer.rendering.open import open_pool
from trainer.rendering.workers.dispatcher import Dispatcher
from trainer.rendering.workers.on_ray import cluster as ray_cluster
from trainer.rendering.workers.on_ray import transport as ray_transport
from trainer.rendering.workers.on_ray.calls import CallSize, travelling
from trainer.run.controls import Controls, Stopped
from trainer.run.run import Run

if sys.platform != "linux":
    pytest.skip("Ray has no clusters of several nodes here", allow_module_level=True)
ray = pytest.importorskip("ray", reason='Ray is not installed: pip install "gdr[ray]"')

from ray.cluster_utils import Cluster  # noqa: E402

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).with_name("scripts")
DIE = 70.0
"""As in ``scripts/troubled_worker.py``."""
NO_GDR = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("gdr_core", "trainer"):
            raise ModuleNotFoundError(f"No module named {name!r}")

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture(scope="module")
def cluster():
    """Have a cluster of one node with room for one worker, which all tests join."""
    # Short, since the names of sockets must be.
    with tempfile.TemporaryDirectory(prefix="gr", ignore_cleanup_errors=True) as folder:
        patch = pytest.MonkeyPatch()
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        patch.setenv("PYTHONPATH", str(ROOT))
        # Where it notes the address of the newest cluster, in a folder that it expects to exist.
        patch.setenv("RAY_TMPDIR", folder)
        Path(folder, "ray").mkdir()
        found = Cluster()
        try:
            # Ray misses a node that is gone within two seconds, not ten.
            found.add_node(
                num_cpus=1,
                include_dashboard=False,
                temp_dir=folder,
                _system_config={
                    "health_check_initial_delay_ms": 0,
                    "health_check_period_ms": 500,
                    "health_check_failure_threshold": 4,
                },
            )
            patch.setenv("RAY_ADDRESS", found.address)
            yield found
        finally:
            ray.shutdown()
            found.shutdown()
            patch.undo()


@pytest.fixture
def nodes(cluster, monkeypatch):
    """Return a function that adds a node; those that are left at the end are removed."""
    monkeypatch.setattr(ray_transport, "LOOK_EVERY_S", 0.5)
    before = set(cluster.list_all_nodes())

    def add(**options):
        return cluster.add_node(num_cpus=1, **options)

    yield add
    for node in set(cluster.list_all_nodes()) - before:
        cluster.remove_node(node)


@pytest.fixture(scope="module")
def expected():
    with open_pool(settings(workers=1), lambda: None) as pool:
        return pool.render(rows(64))


def on_cluster(**rendering):
    """Return settings that render on the cluster."""
    return settings(**({"pool": "ray"} | rendering))


def settings_here(run: RunSettings) -> RunSettings:
    """Return the same settings for this computer."""
    return msgspec.structs.replace(
        run, rendering=msgspec.structs.replace(run.rendering, pool="local")
    )


def actors() -> list[psutil.Process]:
    """Return the processes of the actors, each of which has a Blender."""
    return [p for p in psutil.process_iter() if "ray::RenderActor" in _title(p)]


def _title(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def working(pool) -> set[str]:
    """Return the nodes that have workers."""
    return {worker.node for worker in pool.workers if worker.ready}


def remove_when_busy(cluster, pool, node) -> None:
    """Have the pool's next call to the node be the node's last."""
    send = pool.transport.send

    def sending(worker, jobs, count):
        send(worker, jobs, count)
        if worker.node == node.node_id:
            pool.transport.send = send
            cluster.remove_node(node, allow_graceful=False)

    pool.transport.send = sending


def test_nodes_that_come_and_go_lose_no_request(cluster, nodes, expected):
    notices = []

    def render():
        np.testing.assert_array_equal(pool.render(rows(64)), expected)

    with open_pool(on_cluster(workers=0), lambda: None, notify=notices.append) as pool:
        render()
        assert len(pool.workers) == 1
        joined = nodes()
        until(lambda: len(working(pool)) == 2, render)
        remove_when_busy(cluster, pool, joined)
        until(lambda: joined.node_id not in working(pool), render)
        # Its worker has no place any more, once Ray knows that the node will not come back.
        until(lambda: len(pool.workers) == 1, render)
        assert len(notices) == 1
        assert "worker of the cluster was lost, and its images are rendered again" in notices[0]
    assert actors() == []


@pytest.mark.parametrize(("workers", "cpus"), [(2, 1.0), (4, 0.5)], ids=["one", "two at a time"])
def test_a_stream_has_the_same_images_though_workers_are_lost(
    cluster, nodes, expected, workers, cpus
):
    notices, found = [], 0
    settings = on_cluster(workers=workers, worker_cpus=cpus)
    with open_pool(settings, lambda: None, notify=notices.append) as pool:
        joined = nodes()
        until(lambda: sum(w.ready for w in pool.workers) == workers, lambda: pool.render(rows(8)))
        # Some seconds long, so that Ray misses the node before all is done.
        for images in pool.stream(np.tile(rows(64), (800, 1))):
            if not found:
                assert any(w.node == joined.node_id and w.calls for w in pool.workers)
                cluster.remove_node(joined, allow_graceful=False)
            np.testing.assert_array_equal(
                images, expected[np.arange(found, found + len(images)) % 64]
            )
            found += len(images)
        assert found == 800 * 64
        assert joined.node_id not in working(pool)
    assert len(notices) == 1


def test_a_run_during_which_a_node_is_killed_is_that_of_this_computer(
    cluster, nodes, tmp_path, monkeypatch
):
    killed = []

    def watched(*arguments):
        pool = Dispatcher(*arguments)
        render = pool.render

        def watched_render(batch):
            batches.append(len(batch))
            if len(batches) == 3:
                until(lambda: node.node_id in working(pool), lambda: render(rows(2)))
                remove_when_busy(cluster, pool, node)
                killed.append(node)
            return render(batch)

        if arguments[0].rendering.pool == "ray":
            pool.render = watched_render
        return pool

    def run(pool):
        chosen = RunSettings(
            targets=TargetSettings(hidden={"m1": Distribution(mean=2.25, std=0.1)}, count=32),
            scene=SCENE,
            training=TrainingSettings(size=32, steps=3),
            rendering=settings(pool=pool, workers=2).rendering,
        )
        Run(chosen, tmp_path / pool, lambda message: None, Controls()).execute()
        with (tmp_path / pool / "history.csv").open(encoding="utf-8") as table:
            steps = [
                {k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(table)
            ]
        return steps, np.load(tmp_path / pool / "targets.npy")

    batches = []
    node = nodes()
    monkeypatch.setattr("trainer.rendering.open.Dispatcher", watched)
    (here, targets_here), (there, targets_there) = run("local"), run("ray")
    assert killed == [node]
    assert node not in cluster.list_all_nodes()
    np.testing.assert_array_equal(targets_here, targets_there)
    assert len(here) == 4
    assert here == there


def test_nodes_that_cannot_render_are_named_and_the_others_go_on(nodes, expected, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NO_GDR, encoding="utf-8")
    nodes(env_vars={"GDR_BLENDER": "/does/not/exist"})
    nodes(env_vars={"PYTHONPATH": str(tmp_path)})
    notices = []
    with open_pool(on_cluster(workers=0), lambda: None, notify=notices.append) as pool:
        until(lambda: len(notices) == 2, lambda: pool.render(rows(8)))
        assert len(pool.transport.nodes.refusals) == 2
        until(lambda: len(pool.workers) == 1, lambda: pool.render(rows(8)))
        np.testing.assert_array_equal(pool.render(rows(64)), expected)
    said = "\n".join(sorted(notices, key=lambda text: "Blender" in text))
    assert "renders nothing: its Python cannot import the code that renders" in said
    assert 'pip install ".[ray,blender]" in its folder' in said
    assert "renders nothing: There is no Blender at /does/not/exist; set GDR_BLENDER" in said


def test_a_cluster_with_other_code_is_told_so(cluster, monkeypatch):
    monkeypatch.setattr(ray_transport, "code_id", lambda: "0.0.9 (12345678)")
    with (
        pytest.raises(
            GdrError,
            match=r"No render worker could be started on the cluster. The node .* it has gdr .* "
            r"and this computer 0.0.9 \(12345678\). Install the same version",
        ),
        open_pool(on_cluster(workers=1), lambda: None) as pool,
    ):
        pool.render(rows(8))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
def test_a_lost_actor_is_started_again(cluster, expected, monkeypatch, number):
    from trainer.rendering.workers.on_ray import worker as ray_worker

    monkeypatch.setattr(ray_worker, "PULSE_EVERY_S", 0.5)
    monkeypatch.setattr(ray_worker, "PULSE_S", 2.0)
    monkeypatch.setattr(ray_transport, "TEND_EVERY_S", 0.2)
    notices = []
    with open_pool(on_cluster(workers=1), lambda: None, notify=notices.append) as pool:
        pool.render(rows(8))
        (victim,) = actors()
        victim.send_signal(number)
        np.testing.assert_array_equal(pool.render(rows(64)), expected)
        assert not victim.is_running() or victim.status() == psutil.STATUS_ZOMBIE
    assert len(notices) == 1
    assert actors() == []


def test_an_image_that_no_worker_survives_ends_with_the_same_sentence(cluster, monkeypatch):
    monkeypatch.setattr(blender, "WORKER_SCRIPT", SCRIPTS / "troubled_worker.py")
    notices, bad = [], rows(40)
    bad[37, INDEX["n1_1"]] = DIE
    with open_pool(on_cluster(workers=1), lambda: None, notify=notices.append) as pool:
        with pytest.raises(GdrError, match=r"3 render workers .* image \(38 of 40\).*exit code 9"):
            pool.render(bad)
        # What is left of that batch is in nobody's way.
        assert len(np.unique(pool.render(rows(40)).reshape(40, -1), axis=0)) == 40
        with pytest.raises(GdrError, match=r"of shape \(N, 13\)"):
            pool.render(np.zeros((3, 5), np.float32))
    assert len(notices) == 1
    assert notices[0].startswith("On ")
    assert "its images are rendered again: it ended with exit code 9" in notices[0]


def test_a_cluster_without_room_is_told_so_and_left_at_once(cluster, monkeypatch):
    monkeypatch.setattr(ray_transport, "NOTICE_NOBODY_S", 0.5)
    notices = []

    def check():
        if notices:
            raise Stopped

    with (
        pytest.raises(Stopped),
        open_pool(on_cluster(worker_gpus=0.5), check, notify=notices.append) as pool,
    ):
        pool.render(rows(4))
    assert "takes 1 CPUs, 0.5 GPUs, 700 MB of memory; waiting for one to join" in notices[0]
    monkeypatch.setattr(ray_transport, "NOBODY_S", 1.0)
    with (
        pytest.raises(GdrError, match=r"within 0 minutes\. Each takes 1 CPUs"),
        open_pool(on_cluster(worker_gpus=0.5), lambda: None) as pool,
    ):
        pool.render(rows(4))


def test_the_command_line_renders_on_the_cluster(cluster, tmp_path):
    common = ["render", "--params", "m1=9.5,m2=9.5", "--count", "10", "--workers", "1"]
    for name in ("local", "ray"):
        options = ["--renderer-pool", name, "--out", str(tmp_path / name)]
        assert cli.main([*common, *options]) == 0
    here, there = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir() if path.suffix}
        for name in ("local", "ray")
    )
    assert len(here) == 12
    assert here == there


def test_a_cluster_that_is_joined_already_is_left_as_it_is(cluster):
    ray.init(log_to_driver=False)
    try:
        with open_pool(on_cluster(workers=1), lambda: None) as pool:
            assert pool.render(rows(0)).shape == (0, 32, 32, 3)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_what_this_process_does_at_a_signal_stays(cluster):
    before = signal.getsignal(signal.SIGTERM)
    with open_pool(on_cluster(workers=1), lambda: None):
        assert signal.getsignal(signal.SIGTERM) is before


def test_workers_of_the_cluster_render_the_scene_of_their_order(cluster, expected):
    other = msgspec.structs.replace(
        on_cluster(workers=1), scene=SceneSettings(options={"grid": (8, 8)})
    )
    with open_pool(settings_here(other), lambda: None) as pool:
        coarse = pool.render(rows(64))
    assert not np.array_equal(coarse, expected)
    with open_pool(other, lambda: None) as pool:
        np.testing.assert_array_equal(pool.render(rows(64)), coarse)
        # The actor that has a Blender for this scene is ordered to start for another one.
        (worker,) = pool.workers
        worker._order = ray_transport._order(on_cluster(workers=1))
        worker.start()
        np.testing.assert_array_equal(pool.render(rows(64)), expected)
        worker._order = ray_transport._order(other)
        worker.start()
        np.testing.assert_array_equal(pool.render(rows(64)), coarse)
    assert actors() == []


def test_calls_grow_where_the_network_is_slow():
    size = CallSize()
    assert size.jobs(waiting=8, workers=2) == 1
    size.note(jobs=1, seconds=0.1, trip=0.1)
    assert size.jobs(waiting=400, workers=2) == 50
    assert size.jobs(waiting=8, workers=2) == 4
    assert size.jobs(waiting=120, workers=2) == 30
    assert size.jobs(waiting=1, workers=2) == 1
    for _ in range(16):
        size.note(jobs=2, seconds=20.0, trip=None)
    assert size.jobs(waiting=400, workers=2) == 1


def test_ray_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GdrError, match=r"needs Ray, .* Install it there \(pip install ray\)"):
        ray_cluster.import_ray()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:9", "No Ray cluster answers at 127.0.0.1:9: .* ray start --head"),
        ("nonsense", "'nonsense' is no address of a Ray cluster; set RAY_ADDRESS .* to HOST:PORT"),
        ("ray://127.0.0.1:9", "No Ray cluster answers at ray://127.0.0.1:9"),
    ],
)
def test_a_cluster_that_is_not_there_is_named(monkeypatch, address, says):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(GdrError, match=says), open_pool(on_cluster(), lambda: None):
        pass


def test_images_travel_in_messages_where_they_fit():
    assert [len(range(64)[rows]) for rows in travelling(64, 64)] == [8] * 8
    assert travelling(5, 64) == [slice(0, 5)]
    assert travelling(5, 256) == [slice(0, 5)]
