# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances start, tell where they are, fail loudly and never stay behind."""

import json
import os
import stat
import subprocess
import sys
import time

import bpy
import pytest
from channel_helpers import ROOT, SCRIPTS, alive, wait_for

from blendtorch import btt
from blendtorch.btt.finder import discover_blender
from blendtorch.credentials import ENV_CREDENTIALS
from blendtorch.errors import CannotOpen, CredentialsError, LaunchError, PeerLost


def launch(scripts, name, **kwargs):
    kwargs = {"scene": "", "blend_path": "bpy", "background": True, **kwargs}
    return btt.BlenderLauncher(script=scripts / name, **kwargs)


def ask(address):
    with btt.DuplexChannel(address) as channel:
        channel.send(who=True)
        return channel.recv(20_000)


def test_two_instances(scripts, tmp_path):
    scene = tmp_path / "scene.blend"
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.collection.objects.link(bpy.data.objects.new("Only", None))
    bpy.ops.wm.save_as_mainfile(filepath=str(scene))
    with launch(
        scripts,
        "two_sockets.blend.py",
        scene=scene,
        num_instances=2,
        named_sockets=["CTRL", "DATA"],
        instance_args=[["--x", 3], ["-h", "4"]],
        seed=10,
        env={"MY_VARIABLE": "mine"},
        python_path=[tmp_path],
        startup_timeout=20,
        log_dir=tmp_path / "logs",
    ) as bl:
        info = bl.launch_info
        bl.assert_alive()
        addresses = info.addresses["CTRL"]
        assert list(info.addresses) == ["CTRL", "DATA"]
        assert len(set(addresses)) == 2
        answers = [ask(a) for a in addresses]
        pids = [p.pid for p in info.processes]
        assert [a["btid"] for a in answers] == [0, 1]
        assert [a["seed"] for a in answers] == [10, 11]
        assert [a["remainder"] for a in answers] == [["--x", "3"], ["-h", "4"]]
        for answer, command, process in zip(answers, info.commands, info.processes, strict=True):
            assert answer["variable"] == "mine"
            assert str(tmp_path) in answer["path"]
            assert answer["background"]
            assert answer["file"] == str(scene)
            assert answer["objects"] == ["Only"]
            for secret in (info.credentials.server_secret, info.credentials.client_secret):
                assert secret not in command
                with open(f"/proc/{process.pid}/cmdline") as cmdline:
                    assert secret not in cmdline.read()
        with pytest.raises(KeyError):
            info.addresses["NONE"]
        started = time.monotonic()
    assert time.monotonic() - started < 8.0
    assert not any(alive(p) for p in pids)
    assert (tmp_path / "logs" / "blender-1.log").exists()
    with pytest.raises(CredentialsError):
        btt.DuplexChannel(addresses[0])


@pytest.fixture(
    scope="module",
    params=[
        "bpy",
        pytest.param(
            os.environ.get("GDR_BLENDER"),
            marks=pytest.mark.skipif("GDR_BLENDER" not in os.environ, reason="GDR_BLENDER is none"),
            id="program",
        ),
    ],
)
def blender(request, tmp_path_factory):
    """What to launch, the module and where there is one a program, with settings of its own."""
    return {
        "blend_path": request.param,
        "python_path": os.environ.get("GDR_WORKER_SITE_PACKAGES", "").split(os.pathsep),
        "env": {"BLENDER_USER_RESOURCES": str(tmp_path_factory.mktemp("settings"))},
    }


@pytest.fixture(scope="module")
def file_with_python(blender, tmp_path_factory):
    """A .blend file of this Blender with Python in it, which its settings allow to run."""
    file = tmp_path_factory.mktemp("python") / "python.blend"
    with launch(SCRIPTS, "python_file.blend.py", instance_args=[[file]], **blender) as bl:
        bl.wait(timeout=60)
    return file


@pytest.mark.parametrize("autoexec", [None, False, True])
def test_python_of_a_file_runs_only_where_that_was_chosen(blender, file_with_python, autoexec):
    with launch(
        SCRIPTS,
        "autoexec.blend.py",
        scene=file_with_python,
        named_sockets=["DATA"],
        instance_args=[[file_with_python]],
        **({} if autoexec is None else {"autoexec": autoexec}),
        **blender,
    ) as bl:
        (item,) = btt.RemoteIterableDataset(
            bl.launch_info.addresses["DATA"], max_items=1, timeoutms=30_000
        )
    expected = {"driver": bool(autoexec), "text": bool(autoexec)}
    assert item["first"] == expected
    assert item["later"] == expected


def test_an_error_in_the_script_is_shown(scripts):
    with launch(scripts, "broken.blend.py", named_sockets=["CTRL"]) as bl:
        with pytest.raises(LaunchError, match="the lamp is missing") as caught:
            bl.launch_info.addresses["CTRL"]
        assert "exit code 255" in str(caught.value)
        with pytest.raises(LaunchError, match="the lamp is missing"):
            bl.assert_alive()


def test_an_error_while_playing_is_shown(scripts):
    with launch(scripts, "broken_later.blend.py", named_sockets=["CTRL"]) as bl:
        (address,) = bl.launch_info.addresses["CTRL"]
        with btt.DuplexChannel(address) as channel:
            channel.send(go=True)
            with pytest.raises(PeerLost):
                channel.recv()
        bl.wait(timeout=10)
        with pytest.raises(LaunchError, match="the lamp has fallen"):
            bl.assert_alive()


def test_a_script_that_polls_goes_on_without_the_trainer(scripts):
    with launch(scripts, "polling.blend.py", named_sockets=["DATA", "CTRL"]) as bl:
        addresses = bl.launch_info.addresses
        stream = iter(btt.RemoteIterableDataset(addresses["DATA"], queue_size=1, timeoutms=20_000))
        for number in (1, 2):
            remote = btt.DuplexChannel(addresses["CTRL"][0])
            remote.send(number=number)
            deadline = time.monotonic() + 20.0
            while next(stream)["number"] != number:  # thousands wait in the system's buffers
                assert time.monotonic() < deadline
            remote = None  # the original has no close
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                assert next(stream)["number"] == number
        bl.assert_alive()


def test_a_script_that_opens_nothing(scripts):
    with launch(scripts, "silent.blend.py", named_sockets=["CTRL"], startup_timeout=1) as bl:
        started = time.monotonic()
        with pytest.raises(LaunchError, match="within 1 s"):
            bl.launch_info.addresses["CTRL"]
        assert time.monotonic() - started < 5.0


def late(scripts, when):
    return launch(
        scripts,
        "late.blend.py",
        num_instances=2,
        named_sockets=["DATA", "CTRL"],
        instance_args=[[when], [when]],
        startup_timeout=20,
    )


@pytest.mark.parametrize("loaded", [False, True])
def test_a_socket_that_opens_after_a_message_has_its_address_before(scripts, tmp_path, loaded):
    with late(scripts, "message") as bl:
        info = bl.launch_info
        if loaded:  # as in a process that did not launch it
            btt.LaunchInfo.save_json(tmp_path / "launch.json", info)
            info = btt.LaunchInfo.load_json(tmp_path / "launch.json")
        started = time.monotonic()
        dataset = btt.RemoteIterableDataset(
            info.addresses["DATA"], max_items=2, timeoutms=20_000, item_transform=lambda i: i["got"]
        )
        assert time.monotonic() - started < 15.0
        remotes = [btt.DuplexChannel(a) for a in info.addresses["CTRL"]]
        for number, remote in enumerate(remotes):
            remote.send(number=number)
        assert sorted(dataset) == [0, 1]


def test_a_message_may_be_sent_before_its_socket_opens(scripts):
    with late(scripts, "reader") as bl:
        addresses = bl.launch_info.addresses
        remotes = [btt.DuplexChannel(a) for a in addresses["CTRL"]]
        for number, remote in enumerate(remotes):
            remote.send(number=number)
            assert not remote.connected
        dataset = btt.RemoteIterableDataset(
            addresses["DATA"], queue_size=1, max_items=22, timeoutms=20_000
        )
        answers = [item["got"] for item in dataset if "got" in item]
        assert sorted(answers) == [0, 1]


def test_a_socket_may_be_opened_again(scripts):
    with late(scripts, "again") as bl:
        bl.launch_info.addresses["CTRL"]
        dataset = btt.RemoteIterableDataset(
            bl.launch_info.addresses["DATA"], max_items=2, timeoutms=20_000
        )
        assert [item["got"] for item in dataset] == 2 * ["the second one"]


def test_an_error_between_two_sockets_is_shown(scripts):
    with (
        late(scripts, "error") as bl,
        pytest.raises(LaunchError, match=r"before it opened socket 'DATA'[\s\S]*the lamp"),
    ):
        bl.launch_info.addresses["DATA"]


def test_a_failed_start_leaves_nothing(scripts, monkeypatch):
    from blendtorch.btt import launcher as module

    children = []
    spawn = module.lifeline.spawn

    def second_fails(*args, **kwargs):
        if children:
            raise OSError("no more processes")
        children.append(spawn(*args, **kwargs))
        return children[0]

    monkeypatch.setattr(module.lifeline, "spawn", second_fails)
    with (
        pytest.raises(OSError, match="no more"),
        launch(scripts, "silent.blend.py", num_instances=2),
    ):
        pytest.fail("it started")
    assert not alive(children[0].pid)


def test_the_end_reaches_what_an_instance_started(scripts):
    with launch(
        scripts, "idle.blend.py", named_sockets=["CTRL"], instance_args=[["--with-child"]]
    ) as bl:
        (address,) = bl.launch_info.addresses["CTRL"]
        answer = ask(address)
        assert alive(answer["child"])
    assert not alive(answer["pid"])
    wait_for(lambda: not alive(answer["child"]), 2.0)


def test_wrong_arguments(scripts):
    for kwargs, error in (
        ({"num_instances": 0}, ValueError),
        ({"proto": "udp"}, ValueError),
        ({"instance_args": [[], []]}, ValueError),
        ({"scene": "/nowhere.blend"}, FileNotFoundError),
    ):
        with pytest.raises(error):
            launch(scripts, "silent.blend.py", **kwargs)
    with (
        pytest.raises(CannotOpen, match="no-such-interface"),
        launch(scripts, "silent.blend.py", bind_addr="no-such-interface"),
    ):
        pytest.fail("it started")
    with (
        pytest.raises(ValueError, match="name a socket"),
        launch(scripts, "silent.blend.py", named_sockets=["a b"]),
    ):
        pytest.fail("it started")


def test_the_bpy_module_is_found():
    info = discover_blender("bpy")
    assert info["kind"] == "module"
    assert (info["major"], info["minor"]) == bpy.app.version[:2]


def test_another_process_connects_and_a_killed_launcher_leaves_no_orphans(scripts, tmp_path):
    file = tmp_path / "launch.json"
    env = {k: v for k, v in os.environ.items() if k != ENV_CREDENTIALS}
    launching = subprocess.Popen(
        [sys.executable, scripts / "launching.py", scripts / "idle.blend.py", file],
        env={**env, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    try:
        pids = [int(p) for p in launching.stdout.readline().split()]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert json.loads(file.read_text())["addresses"] == {"CTRL": None}
        info = btt.LaunchInfo.load_json(file)
        channels = [btt.DuplexChannel(a) for a in info.addresses["CTRL"]]
        for channel in channels:
            wait_for(lambda channel=channel: channel.connected)
        assert all(alive(p) for p in pids)
    finally:
        launching.kill()
        launching.wait()
        launching.stdout.close()
    assert wait_for(lambda: not any(alive(p) for p in pids), 5.0) < 5.0
    for channel in channels:
        with pytest.raises(PeerLost):
            channel.recv(5000)
        channel.close()
