# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole runs from the command line, rendered by a real Blender."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from gdr_core.supershape.parameters import NAMES
from trainer import cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = ["--size", "32", "--batch", "16", "--seed", "3", "--workers", "1"]
REFERENCE = [*SMALL, "--estimator", "adversarial"]
"""Makes all of its steps, however well it does."""
HIDDEN = ["--hidden", "m1=2.25:0.1", "--hidden", "m2=2.25:0.1", "--hidden-count", "16"]


def optimize(*argv) -> int:
    return cli.main(["optimize", "--quiet", *map(str, argv)])


def history(folder: Path) -> list[dict[str, str]]:
    """Return the rows without the column that no two runs share."""
    with (folder / "history.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def result(folder: Path) -> dict:
    return json.loads((folder / "result.json").read_text())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of twelve steps that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert optimize(*HIDDEN, *REFERENCE, "--steps", 12, "--out", folder) == 0
    return folder


def test_a_run_leaves_every_file(whole):
    found = result(whole)
    assert list(found) == [
        *("schema", "status", "estimator", "seed", "steps", "renders", "converged", "seconds"),
        *("parameters", "undetermined", "trade_offs", "correlation", "truth"),
        *("indistinguishability", "differences", "not_compared"),
    ]
    assert (found["schema"], found["status"], found["estimator"]) == (2, "done", "adversarial")
    assert (found["seed"], found["steps"], found["renders"]) == (3, 12, 12 * 16)
    assert found["seconds"].keys() == {"start", "total", "render", "train"}
    assert found["seconds"]["start"] > 0.0
    assert found["truth"]["m1"]["mean"] == 2.25
    assert found["truth"]["m1"]["drawn_std"] > 0
    rows = history(whole)
    assert [int(row["step"]) for row in rows] == list(range(13))
    assert float(rows[0]["m1_mean"]) == pytest.approx(1.2)
    assert float(rows[-1]["m1_mean"]) == found["parameters"]["m1"]["mean"]
    assert float(rows[-1]["m2_std"]) == found["parameters"]["m2"]["std"]
    assert found["converged"] is None
    for name in ("real", "result", "sim_samples_000", "sim_samples_010"):
        sheet = np.asarray(Image.open(whole / "images" / f"{name}.png"))
        assert sheet.shape == (4 * 34 + 2, 4 * 34 + 2, 3)
        assert sheet.std() > 5
    assert Image.open(whole / "plots" / "parameters.png").width > 400
    assert list((whole / "tensorboard").glob("events.*"))
    log = (whole / "trainer.log").read_text()
    assert "D step: mean real" in log
    assert "Done after 12 steps and 192 renders" in log


def test_the_same_seed_gives_the_same_history(whole, tmp_path):
    again = tmp_path / "run"
    assert optimize("--config", whole / "config.toml", "--out", again) == 0
    assert history(again) == history(whole)
    other = tmp_path / "other"
    assert optimize("--config", whole / "config.toml", "--seed", 4, "--out", other) == 0
    assert history(other) != history(whole)


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(whole, tmp_path):
    folder = tmp_path / "run"
    assert optimize(*HIDDEN, *REFERENCE, "--steps", 5, "--out", folder) == 0
    assert optimize("--resume", folder, "--steps", 12) == 0
    assert history(folder) == history(whole)
    assert result(folder)["parameters"] == result(whole)["parameters"]


CLUTTERED = """
[parameters.m1]
role = "optimise"
distribution = { family = "lognormal", mean = 1.2, std = 0.4 }
[parameters.a1]
role = "random"
distribution = { family = "uniform", low = 0.8, high = 1.3 }
[parameters.light]
role = "random"
distribution = { family = "uniform", low = 1, high = 1000 }
"""


def test_nuisances_are_those_of_the_seed_and_the_render_also_after_a_stop(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text(CLUTTERED)
    argv = ["--config", config, *HIDDEN[:2], *HIDDEN[4:], *REFERENCE]
    assert optimize(*argv, "--steps", 4, "--out", tmp_path / "whole") == 0
    assert optimize(*argv, "--steps", 2, "--out", tmp_path / "parts") == 0
    assert optimize("--resume", tmp_path / "parts", "--steps", 4) == 0
    assert history(tmp_path / "parts") == history(tmp_path / "whole")
    assert result(tmp_path / "whole")["parameters"].keys() == {"m1"}
    # Clutter is drawn for the targets too: no two of them are in the same light.
    targets = np.load(tmp_path / "whole" / "targets.npy").astype(int)
    corners = targets[:, 12:20, 12:20].mean(axis=(1, 2))
    assert len(np.unique(corners, axis=0)) == len(targets)
    config.write_text(CLUTTERED.replace("0.8", "0.3"))
    assert optimize(*argv, "--steps", 4, "--out", tmp_path / "other") == 0
    assert history(tmp_path / "other") != history(tmp_path / "whole")


def test_a_run_that_ended_before_its_first_step_may_begin_again(tmp_path, capsys):
    images, folder = tmp_path / "images", tmp_path / "run"
    images.mkdir()
    argv = ["--targets", images, *SMALL, "--steps", 2]
    assert optimize(*argv, "--out", folder) == 2
    assert capsys.readouterr().err.count("holds no image") == 1
    for name in "ab":
        Image.new("RGB", (32, 32)).save(images / f"{name}.png")
    assert optimize("--resume", folder, "--steps", 1) == 0
    assert optimize(*argv, "--out", folder) == 2
    assert "holds a run already" in capsys.readouterr().err
    (folder / "history.csv").unlink()
    assert optimize("--resume", folder, "--steps", 2) == 0
    assert [row["step"] for row in history(folder)] == ["1", "2"]
    (folder / "checkpoint.safetensors").unlink()
    assert optimize("--resume", folder, "--steps", 3) == 1
    assert "There is no checkpoint" in capsys.readouterr().err


def test_a_run_that_diverges_says_so_and_keeps_what_it_had(tmp_path, capsys):
    config, folder = tmp_path / "run.toml", tmp_path / "run"
    config.write_text("[training.options]\ngap = -1.0\ns_lr = 1e30\n")
    assert optimize("--config", config, *HIDDEN, *REFERENCE, "--steps", 6, "--out", folder) == 1
    said = capsys.readouterr().err
    assert "too large to render" in said or "diverged" in said
    assert "Traceback" not in said
    assert result(folder)["status"] == "failed"
    for reached in result(folder)["parameters"].values():
        assert np.isfinite([reached["mean"], reached["std"]]).all()


def test_what_nobody_foresaw_is_one_sentence_and_the_log_has_the_rest(
    tmp_path, capsys, monkeypatch
):
    def fail(*_):
        raise ZeroDivisionError("by a test")

    monkeypatch.setattr("trainer.data.targets.from_hidden", fail)
    assert optimize(*HIDDEN, *SMALL, "--out", tmp_path / "run") == 1
    said = capsys.readouterr().err
    assert "failed unexpectedly (ZeroDivisionError: by a test)" in said
    assert "Traceback" not in said
    assert "Traceback" in (tmp_path / "run" / "trainer.log").read_text()


def test_a_resumed_run_keeps_its_hidden_targets(whole, tmp_path):
    """Also where they would come out otherwise, with another Blender or driver."""
    folder = tmp_path / "run"
    assert optimize(*HIDDEN, *SMALL, "--steps", 3, "--out", folder) == 0
    images = np.load(folder / "targets.npy")
    assert images.shape == (16, 32, 32, 3)
    text = (folder / "config.toml").read_text()
    assert "\nsamples = 1\n" in text
    (folder / "config.toml").write_text(text.replace("samples = 1", "samples = 4"))
    assert optimize("--resume", folder, "--steps", 4) == 0
    np.testing.assert_array_equal(np.load(folder / "targets.npy"), images)
    (folder / "targets.npy").write_bytes(b"damaged")
    assert optimize("--resume", folder, "--steps", 5) == 1
    assert result(folder)["steps"] == 4


def test_a_run_does_not_go_on_with_another_scene(tmp_path, capsys):
    folder = tmp_path / "run"
    assert optimize(*HIDDEN, *SMALL, "--steps", 2, "--out", folder) == 0
    text = (folder / "config.toml").read_text()
    coarser = text.replace("92,", "40,")
    other = text.replace("std = 0.4", "std = 0.5")
    assert text not in (coarser, other)
    for edited, sentence in ((coarser, "about another scene"), (other, "about other parameters")):
        (folder / "config.toml").write_text(edited)
        before = content(folder)
        assert optimize("--resume", folder, "--steps", 4) == 1
        assert sentence in capsys.readouterr().err
        assert content(folder) == before
    (folder / "config.toml").write_text(text)
    (folder / "targets.npy").write_bytes(b"damaged")
    assert optimize("--resume", folder, "--steps", 4) == 0
    assert np.load(folder / "targets.npy").shape == (16, 32, 32, 3)


def test_a_run_of_an_earlier_version_is_left_as_it_is(tmp_path, capsys):
    folder = tmp_path / "run"
    assert optimize(*HIDDEN, *SMALL, "--steps", 2, "--out", folder) == 0
    save_file({"x": torch.zeros(1)}, folder / "checkpoint.safetensors", {"schema": "1"})
    (folder / "config.toml").write_text("schema = 1\n[rendering]\ngrid = [92, 92]\n")
    before = content(folder)
    assert optimize("--resume", folder, *["--steps", 4]) == 2  # Its targets are not said.
    (folder / "config.toml").write_text(OLD)
    before = content(folder)
    assert optimize("--resume", folder, "--steps", 4) == 1
    assert "a checkpoint of another version of this program" in capsys.readouterr().err
    assert content(folder) == before


OLD = """
schema = 1
[targets.hidden.m1]
mean = 2.25
std = 0.1
[rendering]
grid = [92, 92]
[parameters.m1.distribution]
mean = 1.2
"""


def content(folder: Path) -> dict[str, bytes]:
    """Return the files of a run, but its log and its lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("trainer.log", ".lock")
    }


def test_a_parameter_that_the_scene_lacks_is_named(tmp_path, capsys):
    config = tmp_path / "config.toml"
    config.write_text('[parameters.sun]\nrole = "fixed"\nvalue = 1.0\n')
    assert optimize("--config", config, *HIDDEN, *SMALL, "--out", tmp_path / "run") == 2
    assert "There is no parameter named 'sun'. The parameters are m1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_that_did_not_arrive_says_so(tmp_path):
    folder = tmp_path / "run"
    assert optimize(*HIDDEN, *SMALL, "--steps", 2, "--out", folder) == 0
    said = (folder / "trainer.log").read_text()
    assert "Not converged after 2 steps and 32 renders; give it more steps" in said
    assert result(folder)["converged"] is False
    assert optimize("--resume", folder, "--max-renders", 40, "--steps", 9) == 0
    assert "32 renders; give it more renders" in (folder / "trainer.log").read_text()


def test_regression_reads_the_distribution_off_few_renders(tmp_path):
    folder = tmp_path / "run"
    assert optimize(*HIDDEN[:4], "--seed", 0, "--out", folder) == 0
    found = result(folder)
    assert found["converged"] is True
    assert optimize("--resume", folder) == 0  # There is nothing left to do.
    assert result(folder)["renders"] == found["renders"]
    assert ": converged" in (folder / "trainer.log").read_text()
    assert found["renders"] < 400
    for name in ("m1", "m2"):
        reached, truth = found["parameters"][name], found["truth"][name]
        assert reached["mean"] == pytest.approx(truth["drawn_mean"], abs=0.05)
        assert reached["std"] == pytest.approx(truth["drawn_std"], rel=0.2)


def start(folder: Path, *argv) -> subprocess.Popen:
    command = [sys.executable, "-m", "trainer", "optimize", *HIDDEN, *REFERENCE, *argv]
    process = subprocess.Popen(
        [*command, "--steps", "100000", "--out", str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "history.csv").is_file() and len(history(folder)) > 3:
            return process
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"The run did not get going: {process.communicate()[1]}")


def test_ctrl_c_saves_what_was_reached(whole, tmp_path):
    folder = tmp_path / "run"
    process = start(folder)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Saving what was reached" in said
    assert result(folder)["status"] == "stopped"
    steps = result(folder)["steps"]
    assert steps == int(history(folder)[-1]["step"]) >= 3
    assert optimize("--resume", folder, "--steps", steps + 2) == 0
    assert result(folder)["steps"] == steps + 2
    compared = min(13, steps + 3)
    assert history(folder)[:compared] == history(whole)[:compared]


def test_a_killed_run_goes_on_from_its_checkpoint(whole, tmp_path):
    folder = tmp_path / "run"
    process = start(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=30)
    done = int(history(folder)[-1]["step"])
    assert optimize("--resume", folder, "--steps", max(12, done + 1)) == 0
    assert history(folder)[:13] == history(whole)[:13]


def test_the_limit_of_renders_ends_the_run(tmp_path):
    assert optimize(*HIDDEN, *REFERENCE, "--max-renders", 50, "--out", tmp_path / "run") == 0
    assert result(tmp_path / "run")["renders"] == 48


def test_targets_from_a_folder_of_images(tmp_path, capsys):
    images = tmp_path / "targets"
    distribution = ["--distribution", "m1=2.25:0.1", "--distribution", "m2=2.25:0.1"]
    count = ["--count", "12", "--seed", "1", "--size", "64", "--out", str(images)]
    assert cli.main(["render", *distribution, *count]) == 0
    with (images / "parameters.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == sorted(p.name for p in images.glob("*.png"))
    assert np.log([float(row["m1"]) for row in rows]).mean() == pytest.approx(2.25, abs=0.12)
    assert {float(row["n1_1"]) for row in rows} == {3.0}
    (images / "broken.jpg").write_bytes(b"no image")
    folder = tmp_path / "run"
    assert optimize("--targets", images, *SMALL, "--steps", 2, "--out", folder) == 0
    assert result(folder)["truth"] is None
    assert "broken.jpg (not an image)" in (folder / "trainer.log").read_text()
    Image.new("RGB", (64, 64)).save(images / "new.png")
    assert optimize("--resume", folder, "--steps", 4) == 1
    assert "targets of the run in" in capsys.readouterr().err
    assert result(folder)["steps"] == 2


def test_rendering_one_shape_and_the_result_of_a_run(whole, tmp_path):
    assert cli.main(["render", "--params", "m1=9.5,m2=9.5", "--out", str(tmp_path / "one")]) == 0
    with (tmp_path / "one" / "parameters.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert [float(row[name]) for name in NAMES[:2]] == [9.5, 1.0]
    out = tmp_path / "many"
    assert cli.main(["render", "--run", str(whole), "--count", "3", "--out", str(out)]) == 0
    assert len(list(out.glob("*.png"))) == 3
    assert cli.main(["render", "--params", "q=1", "--out", str(out)]) == 2
    assert cli.main(["render", "--run", str(out), "--out", str(out)]) == 2


def test_other_families_and_sizes_run(tmp_path):
    argv = ["--start", "m1=0:1", "--start", "n1_1=3:0.3", "--family", "m1=bounded:4:16"]
    argv += ["--family", "n1_1=normal", "--size", "128", "--batch", "4", "--renderer", "solid"]
    folder = tmp_path / "run"
    assert optimize(*HIDDEN[:4], "--hidden-count", 4, *argv, "--steps", 2, "--out", folder) == 0
    found = result(folder)["parameters"]
    assert found["m1"] | {"mean": 0, "std": 0} == {
        "family": "bounded",
        "mean": 0,
        "std": 0,
        "low": 4.0,
        "high": 16.0,
        "mean_error": None,
        "std_error": None,
    }
    assert found["n1_1"]["family"] == "normal"
