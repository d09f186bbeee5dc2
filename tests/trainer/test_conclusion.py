# SPDX-License-Identifier: GPL-3.0-or-later
"""How runs end: compared with their targets, with real renders, and whatever goes wrong."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from rich.console import Console

from gdr_core import messages, sentences
from gdr_core.errors import GdrError
from gdr_core.families import Distribution
from gdr_core.messages import (
    Conclusion,
    Finished,
    Indistinguishability,
    Notice,
    Progress,
    RunStatus,
    TradeOff,
)
from gdr_core.settings import RenderSettings, RunSettings, TargetSettings, TrainingSettings
from trainer import cli
from trainer.cli import progress
from trainer.estimators.base import Uncertainty
from trainer.estimators.probability_model import ProbabilityModel
from trainer.estimators.regression.estimator import Regression
from trainer.evaluation import conclusion
from trainer.run import optimization
from trainer.run.controls import Controls
from trainer.run.outcome import NOT_COMPARED, Outcome
from trainer.run.run import Run

HIDDEN = {name: Distribution(mean=2.25, std=0.1) for name in ("m1", "m2")}
SETTINGS = RunSettings(
    seed=3,
    targets=TargetSettings(hidden=HIDDEN, count=16),
    training=TrainingSettings(estimator="regression", size=32, batch=20, steps=3),
    rendering=RenderSettings(workers=1),
)
FOUND = Indistinguishability(
    accuracy=0.516, low=0.431, high=0.609, p_value=0.4, count=64, renders=64
)


def with_steps(steps: int) -> RunSettings:
    training = msgspec.structs.replace(SETTINGS.training, steps=steps)
    return msgspec.structs.replace(SETTINGS, training=training)


def execute(folder, settings=SETTINGS, stop_at=-1):
    """Run; return the outcome, what was observed, and ``result.json``."""
    seen, controls = [], Controls()

    def observe(message):
        seen.append(message)
        if isinstance(message, Progress) and message.step == stop_at:
            controls.stopping = True

    outcome = Run(settings, folder, observe, controls).execute()
    return outcome, seen, json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return execute(tmp_path_factory.mktemp("done") / "run")


def test_a_run_ends_with_a_comparison(done):
    outcome, seen, result = done
    assert outcome.status == "done"
    assert (type(seen[-2]), type(seen[-1])) == (Conclusion, Finished)
    found = seen[-2].indistinguishability
    assert outcome.conclusion == seen[-2]
    assert result["indistinguishability"] == msgspec.to_builtins(found)
    assert (found.count, found.renders) == (16, 16)
    assert result["converged"] is False
    assert outcome.text == "Not converged after 3 steps and 60 renders; give it more steps"
    assert 0.0 <= found.low <= found.accuracy <= found.high <= 1.0
    assert (result["differences"], result["not_compared"]) == ([], None)
    # Those renders are not the run's.
    assert result["renders"] == 60
    assert result["parameters"]["m1"]["mean_error"] == seen[-2].mean_error.get("m1")


def test_a_stopped_run_is_compared_where_that_is_quick(tmp_path, monkeypatch):
    # The pool is in the middle of a batch when it is asked for other renders.
    outcome, seen, result = execute(tmp_path / "one", with_steps(50), stop_at=2)
    assert outcome.status == result["status"] == "stopped"
    assert seen[-1].status is RunStatus.IDLE
    assert result["steps"] == 2
    assert result["indistinguishability"]["count"] == 16
    monkeypatch.setattr(optimization, "STOP_BUDGET_S", 0.001)
    outcome, seen, result = execute(tmp_path / "two", with_steps(50), stop_at=2)
    assert (result["indistinguishability"], result["differences"]) == (None, None)
    assert result["not_compared"] == NOT_COMPARED["stopped"]
    assert outcome.conclusion.not_compared in seen[-2].not_compared


def test_a_run_that_is_stopped_while_it_is_compared_is_done(tmp_path, monkeypatch):
    def stop(run, *_):
        run.controls.stopping = True
        run._check()

    compared = conclusion.compared
    monkeypatch.setattr(
        conclusion,
        "compared",
        lambda found, images, model, render, generator: compared(
            found, images, model, lambda _: stop(job), generator
        ),
    )
    job = Run(SETTINGS, tmp_path / "run", lambda _: None, Controls())
    outcome = job.execute()
    assert outcome.status == "done"
    assert outcome.conclusion.not_compared == NOT_COMPARED["done"]


def test_a_comparison_that_fails_does_not_fail_the_run(tmp_path, monkeypatch):
    def fail(*_):
        raise GdrError("No render worker could be started.")

    monkeypatch.setattr(conclusion, "compared", fail)
    outcome, _, result = execute(tmp_path / "run")
    assert outcome.status == result["status"] == "done"
    assert result["not_compared"].endswith(
        "could not be compared with the targets: No render worker could be started."
    )


def test_what_the_estimator_knows_of_itself_is_told(tmp_path, monkeypatch):
    known = Uncertainty(
        mean=(0.012, np.nan),
        std=(0.009, np.inf),
        undetermined=("m2", "n2_1"),
        trade_offs=(TradeOff({"m1": 0.8, "m2": -0.6}, 0.1),),
    )
    monkeypatch.setattr(Regression, "uncertainty", lambda self: known)
    monkeypatch.setattr(optimization, "STOP_BUDGET_S", 0.0)
    _, _, result = execute(tmp_path / "run", stop_at=1)
    m1, m2 = result["parameters"]["m1"], result["parameters"]["m2"]
    assert (m1["mean_error"], m1["std_error"]) == (0.012, 0.009)
    assert (m2["mean_error"], m2["std_error"]) == (None, None)
    assert result["undetermined"] == ["m2"]
    assert result["trade_offs"] == [{"direction": {"m1": 0.8, "m2": -0.6}, "change": 0.1}]


def test_what_the_estimator_noticed_is_told(tmp_path, monkeypatch):
    update = Regression.update
    monkeypatch.setattr(
        Regression, "update", lambda self, *a: replace(update(self, *a), note="It is dark")
    )
    _, seen, _ = execute(tmp_path / "run", with_steps(1))
    assert [message.text for message in seen if isinstance(message, Notice)] == ["It is dark"]


def model() -> ProbabilityModel:
    return ProbabilityModel(HIDDEN)


def test_few_targets_are_not_compared():
    rendered = []

    def render(x):
        rendered.append(x)
        return images

    images = np.zeros((3, 32, 32, 3), np.uint8)
    found = conclusion.compared(Conclusion(), images, model(), render, torch.Generator())
    assert [len(x) for x in rendered] == [3]  # For the person to look at.
    assert found.indistinguishability is None
    assert found.not_compared.endswith("that takes at least 4 of them.")


def test_numbers_that_cannot_be_rendered_are_not_compared():
    images = np.zeros((8, 32, 32, 3), np.uint8)
    found = conclusion.compared(Conclusion(), images, model(), lambda x: None, torch.Generator())
    assert "too large to render" in found.not_compared


def test_the_comparison_takes_as_many_renders_as_targets_up_to_a_limit():
    assert [conclusion.fresh_renders(n) for n in (1, 64, 1000)] == [1, 64, 256]
    images = np.zeros((1000, 64, 64, 3), np.uint8)
    assert conclusion.expected_seconds(images, 0.1) == pytest.approx(26.6, abs=0.1)


def test_what_is_rendered_of_a_result_is_correlated_like_it(done, tmp_path):

    def logs(correlation):
        folder, out = tmp_path / "run", tmp_path / str(correlation)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "config.toml").write_text("schema = 1\n[rendering]\nworkers = 1\n")
        result = {**done[2], "correlation": correlation}
        (folder / "result.json").write_text(json.dumps(result))
        argv = ["render", "--run", str(folder), "--count", "200", "--size", "8"]
        assert cli.main([*argv, "--out", str(out)]) == 0
        with (out / "parameters.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        return np.log([[float(row["m1"]), float(row["m2"])] for row in rows])

    alone = logs(None)
    assert abs(np.corrcoef(alone.T)[0, 1]) < 0.2
    together = logs([[1.0, -0.9], [-0.9, 1.0]])
    assert np.corrcoef(together.T)[0, 1] == pytest.approx(-0.9, abs=0.05)
    np.testing.assert_allclose(alone.mean(0), together.mean(0), atol=0.1)


@pytest.mark.parametrize(
    "correlation", [[[1.0]], [[1.0, 2.0], [2.0, 1.0]], [[1, "x"], ["x", 1]], [[2, 0], [0, 2]], 3]
)
def test_a_correlation_that_is_none_gets_a_sentence(correlation, done, tmp_path, capsys):
    (tmp_path / "config.toml").write_text("schema = 1\n")
    (tmp_path / "result.json").write_text(json.dumps({**done[2], "correlation": correlation}))
    assert cli.main(["render", "--run", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "is not a readable result" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def concluded(found: Conclusion) -> str:
    """Return what the command line says at the end, on eighty columns."""
    parameters = {
        "m1": Distribution(mean=2.25, std=0.1),
        "n2_1": Distribution(family="bounded", mean=0.0, std=1.7, low=0.0, high=9.0),
    }
    shown = progress.Progress(quiet=False, verbose=False)
    shown._console = Console(width=80, file=io.StringIO(), markup=False)
    shown.conclude(Outcome("done", "Done after 3 steps", parameters, found), Path("runs/x"))
    return shown._console.file.getvalue()


def test_the_command_line_says_what_the_result_is_worth():
    said = concluded(
        Conclusion(
            indistinguishability=FOUND,
            differences=("The targets are noisier: by 2.5 against 0.3 of 255.",),
            mean_error={"m1": 0.0123},
            std_error={"m1": 0.009},
            undetermined=("n2_1",),
        )
    )
    assert said.splitlines()[:6] == [
        "Done after 3 steps.",
        "        family     mean           spread         that is",
        "  m1    lognormal  2.250 ± 0.012  0.100 ± 0.009  9.49 (8.58 to 10.5)",
        "  n2_1  bounded    0.000          1.700          4.5 (1.39 to 7.61), undetermined",
        "The pictures do not determine n2_1: any value gives the same.",
        "A classifier tells renders from targets 52 % of the time (43 to 61 %; 50 % is perfect).",
    ]
    assert "The targets are noisier: by 2.5 against 0.3 of 255.\n" in said


def test_the_command_line_says_why_there_is_no_comparison():
    said = concluded(Conclusion(not_compared="The run was stopped."))
    assert said.splitlines()[2] == "  m1    lognormal  2.250  0.100   9.49 (8.58 to 10.5)"
    assert "The run was stopped.\n" in said


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ((), ""),
        (("a",), "The pictures do not determine a: any value gives the same."),
        (("a", "b"), "The pictures do not determine a and b: any values give the same."),
        (("a", "b", "c"), "The pictures do not determine a, b and c: any values give the same."),
    ],
)
def test_undetermined_parameters_are_listed(names, sentence):
    assert sentences.undetermined(names) == sentence


@pytest.mark.parametrize(
    ("direction", "how"),
    [
        ({"a": 0.7, "b": 0.7}, "a and b apart: raised together"),
        ({"a": 0.7, "b": -0.7}, "a and b apart: a raised and b lowered"),
        ({"a": 0.5, "b": -0.7, "c": 0.5}, "a, b and c apart: a and c raised and b lowered"),
    ],
)
def test_parameters_that_can_be_exchanged_are_said(direction, how):
    assert sentences.trade_off(TradeOff(direction, 0.12)) == (
        f"The pictures hardly tell {how}, they change a picture by 12 % of what targets differ by."
    )


def test_less_than_a_half_is_perfect_too():
    low = msgspec.structs.replace(FOUND, accuracy=0.41)
    assert "41 % of the time (43 to 61 %; 50 % or less is perfect)" in sentences.comparison(
        Conclusion(indistinguishability=low)
    )
    assert sentences.comparison(Conclusion()) == ""


def test_a_conclusion_comes_back_as_it_went():
    sent = Conclusion(
        indistinguishability=FOUND,
        differences=("a", "b"),
        mean_error={"m1": 0.1},
        std_error={"m1": 0.2},
        undetermined=("m2",),
        trade_offs=(TradeOff({"n1_1": 0.9, "n2_1": 0.4}, 0.1),),
    )
    assert messages.unpack({"btid": 0, **messages.pack(sent)}) == sent
    assert messages.unpack(messages.pack(Conclusion())) == Conclusion()


@pytest.mark.parametrize(
    "change",
    [
        {"differences": "one"},
        {"differences": [1]},
        {"mean_error": {"m1": -0.1}},
        {"mean_error": {"m1": "0.1"}},
        {"undetermined": {"m1": True}},
        {"trade_offs": [{"direction": {"m1": 1.0}, "change": 1.5}]},
        {"not_compared": None},
        {"indistinguishability": {}},
        {"indistinguishability": {**msgspec.to_builtins(FOUND), "accuracy": 1.2}},
        {"indistinguishability": {**msgspec.to_builtins(FOUND), "accuracy": float("nan")}},
        {"indistinguishability": {**msgspec.to_builtins(FOUND), "count": 0}},
        {"indistinguishability": {**msgspec.to_builtins(FOUND), "renders": 2.5}},
    ],
)
def test_what_is_no_conclusion_is_refused(change):
    with pytest.raises(msgspec.ValidationError):
        messages.unpack({**messages.pack(Conclusion()), **change})
