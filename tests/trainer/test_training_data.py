# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr render`` makes training data, goes on where it was interrupted, and overwrites nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gdr_core.errors import BadSettings, GdrError
from gdr_core.settings import RunSettings
from trainer import cli
from trainer.data.dataset import HOW, TABLE, Dataset

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--size", "16", "--scene-option", "grid=[24,24]", "--workers", "1"]
DRAWN = ["--distribution", "m1=2.25:0.1", "--distribution", "m2=2.25:0.1", *SMALL]
SCENE = RunSettings().scene.resolve()
SAME = {"scene": {"name": SCENE.name, "digest": SCENE.digest}, "size": 4}


def render(out, count, *argv) -> int:
    return cli.main(["render", *(argv or DRAWN), "--count", str(count), "--out", str(out)])


def content(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "out"
    assert render(out, 70) == 0
    return out


def test_more_images_are_the_first_ones_and_more(whole, tmp_path, capsys):
    assert render(tmp_path, 30) == 0
    assert len(list(tmp_path.glob("*.png"))) == 30
    assert render(tmp_path, 70) == 0
    assert "There already: 30 images." in capsys.readouterr().err
    assert content(tmp_path) == content(whole)
    assert render(tmp_path, 50) == 0
    assert content(tmp_path) == content(whole)


def test_what_was_killed_goes_on(whole, tmp_path):
    """Also after half a line of the table."""
    command = [sys.executable, "-m", "trainer", "render", *DRAWN, "--count", "20000"]
    with subprocess.Popen([*command, "--out", tmp_path], cwd=ROOT) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.png"))) < 10:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.kill()
    with (tmp_path / TABLE).open("a", encoding="utf-8") as table:
        table.write("image_9")
    there = len((tmp_path / TABLE).read_text().splitlines())
    count = max(there, 70)
    assert render(tmp_path, count) == 0
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert len(lines) == count + 1
    assert lines[:71] == (whole / TABLE).read_text().splitlines()
    for name in ("image_00000.png", "image_00069.png"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.skipif(os.name == "nt", reason="No signal there is Ctrl-C's for one process")
def test_who_interrupts_it_is_told_what_is_there(tmp_path):
    command = [sys.executable, "-m", "trainer", "render", *DRAWN, "--count", "20000"]
    with subprocess.Popen(
        [*command, "--out", tmp_path], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("*.png"))) < 10:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    made = len((tmp_path / TABLE).read_text().splitlines()) - 1
    # One more may be there that is not in the table yet.
    assert made <= len(list(tmp_path.glob("*.png"))) <= made + 1
    assert f"{made} of 20000 images are in {tmp_path}; the same command renders the rest." in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([*DRAWN, "--seed", "1"], "has 70 images of other parameters (another seed"),
        ([*DRAWN, "--size", "32"], "has images of another size (16, and not 32)"),
        (
            [*DRAWN, "--scene-option", "grid=[30,30]"],
            "has images of another grid ([24, 24], and not [30, 30])",
        ),
        ([*DRAWN, "--renderer", "solid"], "has images of another renderer (fast, and not solid)"),
    ],
)
def test_images_of_other_kinds_are_not_mixed(whole, capsys, argv, sentence):
    before = content(whole)
    assert render(whole, 80, *argv) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "name another folder." in said
    assert content(whole) == before


@pytest.mark.parametrize(
    "theirs",
    [
        {"image_00000.png": ""},
        {"parameters.csv": "a,b\n1,2\n"},
        {"dataset.json": '{"labels": []}'},
        {"dataset.json": "[1]", "parameters.csv": "a,b\n"},
        {"dataset.json": json.dumps(SAME), "image_00000.png": ""},
    ],
    ids=lambda theirs: "+".join(theirs),
)
def test_files_of_others_are_not_overwritten(tmp_path, theirs):
    for name, text in theirs.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(BadSettings, match="files that gdr render did not put there"):
        Dataset(tmp_path, SCENE.names, SAME, tuple(SAME))
    found = {path.name: path.read_text() for path in tmp_path.iterdir() if path.suffix}
    assert found == theirs


def test_images_of_an_earlier_version_are_not_mixed(tmp_path):
    old = {"size": 4, "grid": [24, 24], "renderer": "fast", "gdr": "0.1.0"}
    (tmp_path / HOW).write_text(json.dumps(old))
    with pytest.raises(BadSettings, match="images of an earlier version of gdr"):
        Dataset(tmp_path, SCENE.names, SAME, tuple(SAME))
    assert json.loads((tmp_path / HOW).read_text()) == old


def test_images_that_were_taken_away_are_rendered_again(whole, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "image_00020.png").unlink()
    assert render(out, 70) == 0
    assert "There already: 20 images." in capsys.readouterr().err
    assert content(out) == content(whole)


def test_what_the_renderer_takes_no_notice_of_may_be_another(whole):
    assert render(whole, 70, *DRAWN, "--render-device", "cpu", "--denoise", "--workers", "3") == 0


def test_what_is_complete_needs_no_blender(whole, monkeypatch, capsys):
    monkeypatch.setenv("GDR_BLENDER", "/does/not/exist")
    assert render(whole, 70) == 0
    assert render(whole, 71) == 1
    assert "no Blender at /does/not/exist" in capsys.readouterr().err


def test_a_dataset_of_another_processor_goes_on(tmp_path):
    rows = np.random.default_rng(0).random((3, 13))
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        dataset.begin(rows)
        dataset.add(rows[0], np.zeros((4, 4, 3), np.uint8))
    near = rows * (1 + 1e-7)
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        assert len(dataset.begin(near)) == 2
        dataset.add(near[1], np.zeros((4, 4, 3), np.uint8))
    lines = (tmp_path / TABLE).read_text().splitlines()
    assert lines[1].split(",")[1:] == [repr(value) for value in rows[0].tolist()]
    with (
        Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset,
        pytest.raises(BadSettings, match="2 images of other parameters"),
    ):
        dataset.begin(rows * 1.01)


def test_two_do_not_render_into_one_folder(tmp_path):
    with (
        Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)),
        pytest.raises(BadSettings, match="Another process is rendering into"),
    ):
        Dataset(tmp_path, SCENE.names, SAME, tuple(SAME))
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux has a disk that is always full")
def test_a_full_disk_gets_a_sentence_and_loses_nothing(tmp_path):
    rows = np.ones((3, 13))
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        dataset.begin(rows)
        dataset.add(rows[0], np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "image_00001.png").symlink_to("/dev/full")
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        dataset.begin(rows)
        with pytest.raises(
            GdrError, match=r"cannot be written \(No space left .* 1 images are there"
        ):
            dataset.add(rows[1], np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "image_00001.png").unlink()
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        assert len(dataset.begin(rows)) == 2


def test_it_says_how_its_images_were_made(whole, tmp_path):
    how = json.loads((whole / HOW).read_text())
    assert (how["size"], how["renderer"], how["seed"]) == (16, "fast", 0)
    assert how["scene"]["name"] == "supershape"
    assert how["scene"]["options"] == {"grid": [24, 24]}
    m1 = {"family": "lognormal", "mean": 2.25, "std": 0.1}
    assert how["parameters"]["m1"] == {"role": "optimise", "distribution": m1}
    assert how["parameters"]["a1"] == {"role": "fixed", "value": 1.0}
    rows = np.arange(26.0).reshape(2, 13) / 7
    with Dataset(tmp_path, SCENE.names, SAME, tuple(SAME)) as dataset:
        assert len(dataset.begin(rows)) == 2
        dataset.add(rows[0], np.zeros((4, 4, 3), np.uint8))
    with Dataset(tmp_path, SCENE.names, SAME | {"seed": 3}, tuple(SAME)) as dataset:
        np.testing.assert_array_equal(dataset.begin(rows), rows[1:])
        assert dataset.there == 1
