# SPDX-License-Identifier: GPL-3.0-or-later
"""What the buttons do, and the sentence where they cannot."""

import time
from pathlib import Path

import bpy
import numpy as np
import pytest
from gdr.gdr_addon import text
from gdr.gdr_addon.panels.run import icon_of, progress_of
from gdr.gdr_addon.run import controller, kept_trainer, trainer_check
from gdr.gdr_addon.run.run_state import RunState
from gdr.gdr_addon.scenes.supershape import preview
from gdr.gdr_addon.scenes.supershape.shape import TAG
from gdr.gdr_addon.settings import preferences
from gdr.gdr_addon.settings.from_scene import to_settings
from gdr.gdr_core.families import Distribution
from gdr.gdr_core.messages import (
    Conclusion,
    Finished,
    Indistinguishability,
    Notice,
    Progress,
    RunStatus,
    Status,
    TradeOff,
)
from gdr.gdr_core.supershape import superformula


def test_a_run_under_background_waits_for_its_end(scene):
    gdr = scene.gdr
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 2, 4, "32", 4
    bpy.context.preferences.addons["gdr"].preferences.workers = 1
    assert bpy.ops.gdr.start_optimization() == {"FINISHED"}
    run = bpy.context.window_manager.gdr_run
    assert run.status == "DONE", run.message
    assert (run.step, run.renders, run.progress, run.target_count) == (2, 8, 1.0, 4)
    assert run.parameters["m1"].truth == Distribution(mean=2.25, std=0.1)
    # No timer would look after a trainer that stays.
    assert preferences.keep_seconds(bpy.context) == 300.0
    assert kept_trainer._kept is None
    folder = Path(run.folder)
    assert (folder / "result.json").is_file()
    assert run.comparison.startswith("A classifier tells renders from targets")
    assert bpy.ops.gdr.apply_mean() == {"FINISHED"}
    shape = bpy.context.active_object
    values = shape[TAG]
    assert values[0] == pytest.approx(np.exp(run.parameters["m1"].now.mean), rel=1e-4)
    points = np.array([v.co for v in shape.data.vertices]).reshape(100, 100, 3)
    wanted = superformula.surface(np.array(values), (100, 100))[0]
    np.testing.assert_allclose(points, wanted, atol=1e-4)


def test_a_run_on_a_cluster_of_this_computer_alone(scene, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    gdr, chosen = scene.gdr, bpy.context.preferences.addons["gdr"].preferences
    gdr.steps, gdr.batch, gdr.size, gdr.hidden_count = 1, 4, "32", 4
    chosen.pool, chosen.workers = "ray", 1
    assert bpy.ops.gdr.start_optimization() == {"FINISHED"}
    run = bpy.context.window_manager.gdr_run
    assert run.status == "DONE", run.message
    assert run.renders == 4
    assert 'pool = "ray"' in (Path(run.folder) / "config.toml").read_text(encoding="utf-8")
    assert any("Ray renders on this computer alone" in notice for notice in run.notices)


def test_a_cluster_that_does_not_answer_is_told(scene):
    pytest.importorskip("ray")
    chosen = bpy.context.preferences.addons["gdr"].preferences
    chosen.ray_address = "127.0.0.1:9"
    assert preferences.ray_address(bpy.context) == ""
    chosen.pool = "ray"
    with pytest.raises(RuntimeError, match=r"No Ray cluster answers at 127.0.0.1:9"):
        bpy.ops.gdr.start_optimization()
    assert "Cluster in the extension's preferences" in bpy.context.window_manager.gdr_run.message


def test_a_failure_is_told(scene, tmp_path):
    scene.gdr.target, scene.gdr.folder = "FOLDER", str(tmp_path / "none")
    with pytest.raises(RuntimeError, match="none"):
        bpy.ops.gdr.start_optimization()
    run = bpy.context.window_manager.gdr_run
    assert run.status == "FAILED"
    assert "none" in run.message
    assert not controller.active()


def test_start_says_what_is_missing(scene, monkeypatch):
    bpy.context.preferences.addons["gdr"].preferences.trainer_python = ""
    monkeypatch.delenv("GDR_TRAINER_PYTHON", raising=False)
    with pytest.raises(RuntimeError, match="Python with PyTorch"):
        bpy.ops.gdr.start_optimization()
    bpy.context.preferences.addons["gdr"].preferences.trainer_python = "/nowhere/python"
    with pytest.raises(RuntimeError, match="/nowhere/python"):
        bpy.ops.gdr.start_optimization()


def test_a_python_that_does_not_start_leaves_no_run_behind(scene, tmp_path):
    python = tmp_path / "python"
    python.write_text("not a program")
    bpy.context.preferences.addons["gdr"].preferences.trainer_python = str(python)
    with pytest.raises(RuntimeError, match="cannot be started"):
        bpy.ops.gdr.start_optimization()
    assert not controller.active()
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("operator", "why"),
    [
        ("pause_optimization", "No run"),
        ("resume_optimization", "No run"),
        ("stop_optimization", "No run"),
        ("apply_mean", "no result"),
        ("open_run_folder", "no run"),
        ("open_log", "no log"),
        ("remove_preview", "no preview"),
        ("frame_preview", "no preview"),
    ],
)
def test_a_button_that_cannot_says_why(scene, operator, why):
    with pytest.raises(RuntimeError, match=why):
        getattr(bpy.ops.gdr, operator)()


def test_a_supershape_is_added_and_then_updated(scene):
    assert bpy.ops.gdr.add_supershape() == {"FINISHED"}
    shape = bpy.context.active_object
    assert shape[TAG][0] == pytest.approx(np.exp(1.2), rel=1e-5)
    controller._newest = RunState.starting(to_settings(scene), "")
    controller._newest.parameters["m1"].now = Distribution(mean=2.25, std=0.1)
    before = len(bpy.data.objects)
    assert bpy.ops.gdr.apply_mean() == {"FINISHED"}
    assert len(bpy.data.objects) == before
    assert shape[TAG][0] == pytest.approx(np.exp(2.25), rel=1e-5)


def test_reset_brings_the_demo_back(scene):
    before = to_settings(scene)
    scene.gdr.parameters["m1"].mean = 0.3
    scene.gdr.parameters["n1_1"].mode = "OPTIMISE"
    bpy.ops.gdr.reset_parameters()
    assert to_settings(scene) == before


def test_the_check_of_the_trainers_python(addon):
    assert bpy.ops.gdr.check_trainer() == {"FINISHED"}
    with pytest.raises(RuntimeError, match="already"):
        bpy.ops.gdr.check_trainer()
    deadline = time.monotonic() + 90
    # Timers do not run in the module, so their function is called.
    while trainer_check.running() and time.monotonic() < deadline:
        trainer_check._poll()
        time.sleep(0.1)
    found = bpy.context.window_manager.gdr_trainer_check
    assert "torch: " in found.text
    assert found.status == "GOOD", found.text


@pytest.mark.parametrize(
    ("output", "status", "words"),
    [
        ("/bin/python: No module named trainer", "BAD", "lacks trainer"),
        ("", "BAD", "exit code 1"),
        ("Segmentation fault", "BAD", "Segmentation fault"),
        (
            'warning\n{"ok": false, "findings": [{"name": "torch", "found": "not installed", '
            '"ok": false, "remedy": "pip install torch"}]}',
            "BAD",
            "torch: not installed. pip install torch",
        ),
        (
            'a library says {"level": 1} first\n{"ok": true, "findings": [{"name": "torch", '
            '"found": "2.9.0 on cpu", "ok": true, "remedy": ""}]}',
            "GOOD",
            "torch: 2.9.0 on cpu",
        ),
    ],
)
def test_what_a_check_says(output, status, words):
    found = trainer_check.describe(output, 1)
    assert found[0] == status
    assert words in found[1]


def test_a_state_takes_in_what_happens(scene):
    run = RunState.starting(to_settings(scene), "/x")
    assert list(run.parameters) == ["m1", "m2"]
    assert run.sampler.names == ("m1", "m2")
    run.apply(
        Progress(
            step=4,
            steps=8,
            renders=256,
            seconds=1.0,
            eta_seconds=2.0,
            d_real=0.5,
            d_sim=0.5,
            mean={"m1": 2.0},
            std={"m1": 0.2},
        )
    )
    assert run.progress == 0.5
    assert run.parameters["m1"].now == Distribution(mean=2.0, std=0.2)
    assert run.parameters["m2"].now == run.parameters["m2"].start
    run.apply(Finished(status=RunStatus.DONE, text="Done", folder="/y", truth={"m1": (2.25, 0.1)}))
    assert run.parameters["m1"].truth == Distribution(mean=2.25, std=0.1)
    assert run.parameters["m2"].truth is None
    assert run.folder == "/y"


def test_a_state_takes_in_what_the_result_is_worth(scene):
    run = RunState.starting(to_settings(scene), "/x")
    found = Indistinguishability(
        accuracy=0.52, low=0.43, high=0.61, p_value=0.4, count=64, renders=64
    )
    run.apply(
        Conclusion(
            indistinguishability=found,
            differences=("One.", "Two."),
            mean_error={"m1": 0.012},
            std_error={"m1": 0.009},
            undetermined=("m2",),
            trade_offs=(TradeOff({"m1": 0.8, "m2": 0.6}, 0.1),),
        )
    )
    assert run.comparison == (
        "A classifier tells renders from targets 52 % of the time (43 to 61 %; 50 % is perfect)."
    )
    assert (run.indistinguishable, run.differences) == (True, ["One.", "Two."])
    assert run.trade_offs[0].startswith("The pictures hardly tell m1 and m2 apart: raised together")
    m1, m2 = run.parameters.values()
    assert (m1.mean_error, m1.std_error, m1.undetermined) == (0.012, 0.009, False)
    assert (m2.mean_error, m2.std_error, m2.undetermined) == (None, None, True)
    worse = Indistinguishability(
        accuracy=0.9, low=0.8, high=0.95, p_value=0.001, count=64, renders=64
    )
    run.apply(Conclusion(indistinguishability=worse))
    assert (run.indistinguishable, run.differences, m2.undetermined) == (False, [], False)
    run.apply(Conclusion(not_compared="The run was stopped."))
    assert (run.indistinguishable, run.comparison) == (False, "The run was stopped.")


def progress(step, converged=None):
    return Progress(
        **{"step": step, "steps": 100, "renders": 20 * step, "seconds": 1.0, "eta_seconds": 42.0},
        **{"d_real": float("nan"), "d_sim": float("nan"), "mean": {}, "std": {}},
        converged=converged,
    )


def test_a_run_that_arrived_looks_like_it_and_another_does_not(scene):
    run = RunState.starting(to_settings(scene), "/x")

    def shown(*events):
        for event in events:
            run.apply(event)
        return progress_of(run), icon_of(run)

    running = Status(status=RunStatus.RUNNING, text="Optimizing")
    done = Finished(status=RunStatus.DONE, text="Done", folder="/x")
    # One that cannot tell makes all of its steps.
    assert shown(running, progress(80)) == ("Step 80 of 100, 42 s left", "NONE")
    assert shown(progress(100), done)[1] == "CHECKMARK"
    assert shown(running, progress(8, converged=False)) == ("Step 8 of at most 100", "NONE")
    assert run.progress == pytest.approx(0.08)
    assert shown(done)[1] == "ERROR"
    assert shown(running, progress(9, converged=True))[0] == "Converged after 9 steps"
    assert run.progress == 1.0
    assert shown(done)[1] == "CHECKMARK"


def test_a_notice_stays_to_the_end_of_the_run(scene):
    run = RunState.starting(to_settings(scene), "/x")
    for event in (
        Notice(text="The light is another"),
        progress(5, converged=False),
        Notice(text="The camera too"),
        Status(status=RunStatus.RUNNING, text="Comparing"),
        Finished(status=RunStatus.DONE, text="Done", folder="/x"),
    ):
        assert run.apply(event)
    assert run.notices == ["The light is another.", "The camera too."]
    assert run.message == "Done"


def test_errors_are_written_in_internal_units():
    words = text.with_errors("n2_1", Distribution(mean=-1.25, std=0.1), 0.0123, 0.009)
    assert words == "n2_1 -1.250±0.012, spread 0.100±0.009"


def test_a_run_knows_its_scene_by_another_name(scene):
    run = controller._Run(None, RunState(), scene.session_uid, 4, True, True, preview)
    scene.name = "Renamed"
    assert run.scene == scene
    other = bpy.data.scenes.new("Scene")
    assert run.scene != other
    run.detached = True
    assert run.scene is None


def test_text_is_wrapped_and_never_cut():
    words = "The trainer ended: /a/very/long/path/without/a/single/space/in/it.py failed"
    lines = text.wrap(words, 20, len)
    assert all(len(line) <= 20 for line in lines)
    assert "".join(lines).replace(" ", "") == words.replace(" ", "")
    assert text.wrap("", 20, len) == []
    assert text.wrap("one\ntwo", 20, len) == ["one", "two"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(9.4877, "9.49"), (20.08, "20.1"), (1234.5, "1234"), (0.0001, "1.0e-04"), (0.0, "0.00")],
)
def test_numbers_are_short(value, words):
    assert text.number(value) == words


def test_durations():
    assert [text.duration(s) for s in (-1, 45, 185, 7800)] == ["", "45 s", "3:05 min", "2:10 h"]
