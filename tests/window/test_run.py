# SPDX-License-Identifier: GPL-3.0-or-later
"""From the archive to a result, in a real window, with the real buttons."""

import csv
import json
import math
import sys
from pathlib import Path

import pytest
from harness import BlenderWindow, run_script

SCRIPTS = Path(__file__).parent / "scripts"
LIMIT = 100
"""Steps that the default estimator makes at most; of each 20 renders."""


@pytest.fixture(scope="module")
def done(blender, archive, targets, tmp_path_factory):
    """The report of one whole run on a folder of images, and the folder with its pictures."""
    folder = tmp_path_factory.mktemp("run")
    result = run_script(
        blender,
        SCRIPTS / "run_on_a_folder.py",
        folder=folder,
        arguments=[archive, targets, sys.executable],
        timeout=420,
        size=(1600, 1500),
    ).check()
    assert "Traceback" not in result.log
    return result.report, folder


def test_the_run_is_done_and_no_process_is_left(done):
    report, _ = done
    assert report["status"] == "DONE", report
    assert (report["converged"], report["progress"], report["notices"]) == (True, 1.0, [])
    assert report["message"].endswith(": converged")
    assert report["step"] < LIMIT
    assert report["renders"] == 20 * report["step"]
    assert report["seen"][-1] == "DONE"
    assert "RUNNING" in report["seen"]
    assert report["targets"] == 64
    assert report["processes"] == []


def test_the_means_arrive_at_the_truth(done):
    report, _ = done
    assert set(report["parameters"]) == {"m1", "m2"}
    for name, (mean, _std) in report["parameters"].items():
        assert mean == pytest.approx(2.25, abs=0.06), (name, report["parameters"])


def test_the_viewport_shows_it(done):
    report, folder = done
    assert report["shapes"][0] == report["shapes"][1] == 16 * 32 * 32 * 3
    assert report["moved"] > 0.01
    pictures = [(folder / name).read_bytes() for name in ("before.png", "start.png", "end.png")]
    assert len(set(pictures)) == 3


def test_the_persons_own_things_are_untouched(done):
    assert done[0]["unchanged"]


def test_the_run_folder_says_the_same_as_the_panel(done):
    report, _ = done
    folder = Path(report["folder"])
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "done"
    for name, (mean, std) in report["parameters"].items():
        assert result["parameters"][name]["mean"] == pytest.approx(mean, abs=1e-4)
        assert result["parameters"][name]["std"] == pytest.approx(std, abs=1e-4)
    with (folder / "history.csv").open() as file:
        assert len(list(csv.DictReader(file))) == report["step"] + 1
    assert (folder / "images" / "result.png").is_file()
    found = result["indistinguishability"]
    assert f"renders from targets {100 * found['accuracy']:.0f} % of" in report["comparison"]
    assert result["differences"] == report["differences"]


def test_the_mean_is_applied_to_a_shape(done):
    report, _ = done
    assert len(report["applied"]) == 12
    assert report["applied"][0] == pytest.approx(math.exp(report["parameters"]["m1"][0]), rel=1e-3)
    assert report["applied"][3] == 3.0


def test_start_with_xdotool(blender, installed, tmp_path):
    """The same button, pressed from outside Blender by the X server's own means."""
    script = SCRIPTS / "wait_for_a_click.py"
    with BlenderWindow(
        blender,
        script,
        folder=tmp_path,
        user_resources=installed,
        environment={"GDR_TRAINER_PYTHON": sys.executable},
        event_simulate=False,
    ) as window:
        place = tmp_path / "place.json"
        window.wait_for(place.exists, 60, "the script says where the button is")
        x, y = map(str, json.loads(place.read_text()))
        window.run("xdotool", "mousemove", "600", "500", "sleep", "0.3", "mousemove", x, y)
        window.wait_for((tmp_path / "hovered").exists, 20, "the pointer is over the button")
        window.run("xdotool", "sleep", "0.3", "click", "1")
        result = window.wait(150).check()
    assert result.report["status"] == "DONE", result.report
    assert result.report["step"] == 2
    assert "Traceback" not in result.log
