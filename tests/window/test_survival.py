# SPDX-License-Identifier: GPL-3.0-or-later
"""A run outlives what it can, ends with a sentence where it cannot, and never leaves a process.

The script in Blender checks after each case that all processes of the run are gone.
"""

import sys
from pathlib import Path

import pytest
from harness import install_extension, run_script


@pytest.fixture(scope="module")
def survived(blender, archive, tmp_path_factory):
    """The report of the script that does everything to a run."""
    folder = tmp_path_factory.mktemp("survival")
    resources = folder / "resources"
    install_extension(blender, archive, resources)
    result = run_script(
        blender,
        Path(__file__).parent / "scripts" / "survive.py",
        folder=folder,
        user_resources=resources,
        environment={"GDR_TRAINER_PYTHON": sys.executable},
        timeout=400,
    )
    return result


@pytest.fixture
def report(survived):
    return survived.check().report


def test_quitting_during_a_run_leaves_no_process_and_no_exception(survived):
    survived.check()
    print({name: case.get("seconds") for name, case in survived.report.items()})
    assert survived.report["quit"]["status"] == "RUNNING"
    assert survived.report["quit"]["processes"] >= 2
    assert survived.survivors == []
    # One is asked for, by the preview that fails.
    assert survived.log.count("Traceback") == survived.log.count("\nValueError: of a test") == 1


def test_stop(report):
    assert report["stop"]["status"] == "IDLE"
    assert report["stop"]["message"].startswith("Stopped after")
    assert report["stop_at_once"]["status"] == "IDLE"


def test_pause_and_resume(report):
    assert report["pause_and_resume"]["still"]
    assert report["pause_and_resume"]["status"] == "IDLE"


def test_undo_and_redo_and_a_deleted_preview(report):
    case = report["undo_and_redo"]
    assert case["while"] == "RUNNING"
    assert case["preview"] == [16 * 32 * 32 * 3] * 4
    assert case["status"] == "IDLE"


def test_a_preview_that_fails_leaves_the_run_alone(report):
    case = report["edit_and_break_the_preview"]
    assert (case["edited"], case["quiet"]) == (True, [])
    assert case["notices"] == [
        "The preview failed and is left alone; the run goes on (ValueError: of a test)."
    ]
    assert case["status"] == "IDLE"
    assert case["message"].startswith("Stopped after")


def test_a_killed_worker(report):
    case = report["kill_worker"]
    # Another one took over its work.
    assert case["while"]["status"] == "RUNNING"
    assert case["message"].startswith("Stopped after")


def test_a_killed_trainer(report):
    case = report["kill_trainer"]
    assert case["status"] == "FAILED"
    assert "killed by SIGKILL" in case["message"]


def test_opening_another_file(report):
    case = report["open_another_file"]
    assert case["status"] == "IDLE"
    assert case["message"].startswith("Another file was opened, so the run was stopped.")
    assert case["objects"] == ["Camera", "Cube", "Light"]


def test_disabling_the_extension(report):
    case = report["disable"]
    assert case["left"] == []
    assert case["status"] == "IDLE"
