# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole benchmark in its smallest form, with the real renderer."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("bpy")

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--quick", "--limit", "40", "--jobs", "2")


def command(folder, *arguments):
    return [sys.executable, "-m", "benchmarks.convergence", *SMALL, "--out", folder, *arguments]


def run(folder, *arguments):
    done = subprocess.run(
        command(folder, *arguments), cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr + log(folder)
    return done.stdout


def log(folder):
    path = folder / "workers.log"
    return path.read_text(errors="replace") if path.is_file() else ""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder in which the quick form has run, with a seed of every contestant."""
    path = tmp_path_factory.mktemp("convergence")
    run(path, "--seeds", "1")
    return path


def test_it_writes_tables_lines_and_the_figure(folder):
    with (folder / "runs.csv").open(newline="") as file:
        runs = list(csv.DictReader(file))
    assert {line["task"] for line in runs} == {"reference", "six", "all"}
    assert {"regression", "adversarial", "mmd"} <= {line["contestant"] for line in runs}
    with (folder / "history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    assert len(history) >= len(runs)
    assert "`reference`" in (folder / "table.md").read_text()
    assert (folder / "figure.png").stat().st_size > 10_000


def test_what_is_done_is_not_run_again(folder):
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")}
    (folder / "table.md").unlink()
    run(folder, "--seeds", "1")
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.json")} == before
    assert (folder / "table.md").is_file()


def test_a_contestant_sees_the_same_targets_as_the_others(folder):
    drawn = [
        json.loads(path.read_text())["drawn_mean"] for path in folder.glob("runs/six/*/000.json")
    ]
    assert len(drawn) >= 3
    assert all(other == drawn[0] for other in drawn)


def test_a_killed_benchmark_leaves_no_process_and_goes_on(tmp_path):
    psutil = pytest.importorskip("psutil")
    arguments = ("--seeds", "12", "--tasks", "reference", "--estimators", "mmd")
    child = subprocess.Popen(command(tmp_path, *arguments), cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_until(lambda: len(list(tmp_path.rglob("*.json"))) >= 2)
    workers = psutil.Process(child.pid).children(recursive=True)
    child.kill()
    child.wait()
    wait_until(lambda: not any(worker.is_running() for worker in workers))
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    run(tmp_path, *arguments)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    assert len(after) == 12
    assert done.items() <= after.items()


def wait_until(true):
    deadline = time.monotonic() + 300
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_another_light_and_background_reach_the_picture_and_are_put_back(tmp_path):
    code = """
import sys
import numpy as np
from benchmarks.convergence.scene import SCENE, Scene
scene = Scene()
x = np.array([[2.25, 2.25]])
usual = scene.render(x, ("m1", "m2"))
light = scene.render(x, ("m1", "m2"), light="outdoor.sl")
background = scene.render(x, ("m1", "m2"), background=(140, 120, 100))
random = scene.render_rows(SCENE.row({"light": 1.0})[None])
own = scene.render_rows(SCENE.row()[None])
again = scene.render(x, ("m1", "m2"))
np.savez(sys.argv[1], usual=usual, light=light, background=background, random=random, own=own,
         again=again)
"""
    path = tmp_path / "seen.npz"
    subprocess.run([sys.executable, "-c", code, path], cwd=ROOT, check=True, capture_output=True)
    seen = np.load(path)
    usual = seen["usual"].astype(int)
    behind = (usual == 61).all(-1)
    assert (seen["again"] == usual).all()
    assert (seen["random"] != seen["own"]).any()
    assert (seen["light"][behind] == 61).all()
    assert np.abs(seen["light"] - usual)[~behind].mean() > 20
    assert (seen["background"][behind] == (140, 120, 100)).all()
    assert (seen["background"][~behind] == usual[~behind]).all()
