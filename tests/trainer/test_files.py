# SPDX-License-Identifier: GPL-3.0-or-later
import math
from contextlib import closing

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from gdr_core.errors import BadSettings, GdrError
from trainer import files
from trainer.data.images import contact_sheet
from trainer.evaluation import plots
from trainer.run import checkpoint, history
from trainer.run.folder import RunFolder
from trainer.run.history import History, Row


def test_checkpoints_bring_everything_back(tmp_path):
    shared = torch.arange(6.0)
    state = {
        "step": 3,
        "none": None,
        "flag": True,
        "text": "a",
        "nan": math.inf,
        "empty": {},
        "nested": {"list": [1, shared, {"x": shared}], 0: torch.zeros(0)},
        "bytes": torch.arange(5, dtype=torch.uint8),
        "scalar": torch.tensor(2.5),
        "transposed": torch.arange(6.0).reshape(2, 3).T,
    }
    checkpoint.save(tmp_path / "c", state, {})
    back = checkpoint.load(tmp_path / "c")
    assert list(back) == list(state)
    for name in ("step", "none", "flag", "text", "nan", "empty"):
        assert back[name] == state[name]
    assert torch.equal(back["nested"]["list"][2]["x"], shared)
    assert back["nested"][0].shape == (0,)
    assert back["bytes"].dtype == torch.uint8
    assert torch.equal(back["transposed"], state["transposed"])
    assert back["scalar"].shape == ()


def test_a_damaged_checkpoint_gets_a_sentence(tmp_path):
    path = tmp_path / "c"
    with pytest.raises(GdrError, match="There is no checkpoint"):
        checkpoint.load(path)
    checkpoint.save(path, {"x": torch.zeros(1000)}, {})
    whole = path.read_bytes()
    for damaged in (b"", b"x" * 100, whole[: len(whole) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(GdrError, match="not a readable checkpoint"):
            checkpoint.load(path)


def row(step):
    return Row(step, step * 64, step * 0.5, math.nan, 0.25, (1.25, 3.0), (0.4, 0.1 + step))


def test_history_keeps_what_a_resumed_run_has_and_drops_the_rest(tmp_path):
    path = tmp_path / "history.csv"
    first = History(path, ("m1", "m2"))
    for step in range(5):
        first.append(row(step))
    first.close()
    with path.open("a") as file:
        file.write("5,320,2.5,0.1")  # Killed while it wrote.
    assert [r.step for r in history.read(path, ("m1", "m2"))] == [0, 1, 2, 3, 4]
    second = History(path, ("m1", "m2"), keep_through=2)
    second.append(row(3))
    second.close()
    rows = history.read(path, ("m1", "m2"))
    assert [r.step for r in rows] == [0, 1, 2, 3]
    assert rows[2].std == (0.4, 2.1)
    assert math.isnan(rows[2].d_real)
    path.unlink()
    third = History(path, ("m1", "m2"), keep_through=2)
    third.close()
    assert third.rows == []
    header = path.read_text().splitlines()[0]
    assert header == "step,renders,seconds,d_real,d_sim,m1_mean,m1_std,m2_mean,m2_std"


@pytest.mark.parametrize("wild", [0.5, 800.0])
def test_a_plot_shows_the_way_but_no_excursion(tmp_path, monkeypatch, wild):
    limits = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: limits.extend(figure.axes))
    means = np.array([[1.0], [1.0 + wild], [2.0]])
    steps, stds = np.arange(3), np.full((3, 1), 0.5)
    plots.save_parameters(tmp_path / "plot.png", ("m1",), steps, means, stds, {})
    bottom, top = limits[0].get_ylim()
    assert bottom <= 0.5
    assert 2.5 <= top <= 4.5


def test_one_process_at_a_time_writes_a_folder(tmp_path):
    first = RunFolder(tmp_path)
    with pytest.raises(BadSettings, match="Another process is at work"):
        RunFolder(tmp_path)
    first.close()
    RunFolder(tmp_path).close()


def test_a_contact_sheet_is_as_small_as_holds_its_images():
    image = np.full((1, 10, 10, 3), 200, np.uint8)
    for count, side in ((1, 1), (2, 2), (4, 2), (5, 3), (49, 7), (50, 8), (64, 8), (100, 8)):
        sheet = contact_sheet(np.repeat(image, count, axis=0))
        assert sheet.shape == (side * 12 + 2, side * 12 + 2, 3)
        assert (sheet == 200).sum() == min(count, 64) * 300


def test_a_folder_is_used_for_one_run(tmp_path):
    with pytest.raises(BadSettings, match="no run in"):
        RunFolder(tmp_path, resume=True)
    (tmp_path / "config.toml").write_text("")
    with pytest.raises(BadSettings, match=r"config\.toml that is no run's"):
        RunFolder(tmp_path)
    (tmp_path / "trainer.log").write_text("")
    with closing(RunFolder(tmp_path)) as folder:
        assert not folder.begun  # It ended before its first step; it may begin again.
    (tmp_path / "history.csv").write_text("")
    with pytest.raises(BadSettings, match=r"holds a run already.*--resume"):
        RunFolder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BadSettings, match="cannot be written"):
        RunFolder(tmp_path / "file" / "run")


def test_what_replaces_a_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "file"
    files.write_text(path, "old")
    (tmp_path / "file.new").mkdir()
    with pytest.raises(OSError, match=r"file\.new"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    (tmp_path / "file.new").rmdir()
    files.write_text(path, "new")
    assert path.read_text() == "new"
    assert sorted(tmp_path.iterdir()) == [path]
