# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded is replayed, as far as it is whole."""

import pickle
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from blendtorch import btb, btt
from blendtorch.errors import WireError
from blendtorch.recording import MAGIC, recordings
from blendtorch.wire import Limits


def address_of(child) -> str:
    return child.stdout.readline().decode().strip()


def to_pair(item):
    return item["image"], item["i"]


def message(i):
    return {
        "i": i,
        "image": np.full((3, 4), i, np.uint8),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "empty": np.zeros((0, 2)),
        "long": f"{i}" * 70_000,
        "list": [1, None, {"x": b"y"}],
    }


def recorded(path, count):
    with btt.FileRecorder(path) as recorder:
        for i in range(count):
            recorder.save(message(i))
    return path


def assert_is_message(got, i):
    expected = message(i)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(got[key], value)
            assert got[key].dtype == value.dtype
        else:
            assert got[key] == value


# --- files ---------------------------------------------------------------------------------------


def test_messages_come_back_in_any_order(tmp_path):
    reader = btt.FileReader(recorded(tmp_path / "new" / "a.btr", 5))
    assert len(reader) == 5
    assert not reader.truncated
    for i in (3, 0, 4, 1, 2):
        assert_is_message(reader[i], i)
    assert_is_message(reader[-1], 4)
    with pytest.raises(IndexError):
        reader[5]


def test_a_file_that_is_cut_off_anywhere_gives_what_is_whole(tmp_path, caplog):
    path = recorded(tmp_path / "a.btr", 3)
    whole = path.read_bytes()
    path.write_bytes(recorded(tmp_path / "b.btr", 2).read_bytes())
    two = path.stat().st_size
    cuts = [*range(two + 1, two + 200), *range(two + 200, len(whole), 997), len(whole) - 1]
    for cut in cuts:
        caplog.clear()
        path.write_bytes(whole[:cut])
        reader = btt.FileReader(path)
        assert reader.truncated
        assert len(reader) == 2
        assert "the 2 before it can be read" in caplog.text
        assert_is_message(reader[1], 1)
    for cut in range(len(MAGIC)):
        path.write_bytes(whole[:cut])
        assert btt.FileReader(path).truncated
    for cut, count in ((len(MAGIC), 0), (two, 2), (len(whole), 3)):
        path.write_bytes(whole[:cut])
        reader = btt.FileReader(path)
        assert (len(reader), reader.truncated) == (count, False)


def test_a_killed_writer_leaves_what_it_has_written(start, tmp_path):
    child = start("recording.py", tmp_path / "a.btr", "forever")
    assert child.stdout.readline() == b"twenty\n"
    child.kill()
    child.wait()
    reader = btt.FileReader(tmp_path / "a.btr")
    assert len(reader) > 20
    for i in range(len(reader)):
        assert reader[i]["i"] == i
        assert (reader[i]["image"] == i % 256).all()


def test_a_full_disk_costs_one_message(start, tmp_path):
    child = start("recording.py", tmp_path / "a.btr", "full")
    assert child.wait(60) == 0
    assert child.stdout.read() == b"File too large\n"
    reader = btt.FileReader(tmp_path / "a.btr")
    assert [reader[i]["i"] for i in range(len(reader))] == [0, 1, 3]
    assert not reader.truncated


def test_what_cannot_be_recorded_leaves_the_file_whole(tmp_path):
    with btt.FileRecorder(tmp_path / "a.btr") as recorder:
        recorder.save(message(0))
        with pytest.raises(TypeError, match="do not travel"):
            recorder.save({"i": object()})
        recorder.save(message(1))
    reader = btt.FileReader(tmp_path / "a.btr")
    assert len(reader) == 2
    assert_is_message(reader[1], 1)


def test_max_messages(tmp_path, caplog):
    with btt.FileRecorder(tmp_path / "a.btr", max_messages=2) as recorder:
        for i in range(4):
            recorder.save(message(i))
    assert len(btt.FileReader(tmp_path / "a.btr")) == recorder.count == 2
    assert caplog.text.count("is full with 2 messages") == 1


def test_damage_is_refused_and_the_others_can_be_read(tmp_path):
    path = recorded(tmp_path / "a.btr", 3)
    data = bytearray(path.read_bytes())
    size = (len(data) - len(MAGIC)) // 3
    header = len(MAGIC) + size + 4 + 8 * 5
    data[header + 2 : header + 12] = b"\xff" * 10
    path.write_bytes(data)
    reader = btt.FileReader(path)
    assert len(reader) == 3
    with pytest.raises(WireError, match="message 1"):
        reader[1]
    assert_is_message(reader[2], 2)


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "boom"))


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "x_00.btr"
    bomb = pickle.dumps(Bomb(tmp_path / "bomb"))
    for content in (bomb, b"BTREC 2\n", MAGIC[:3] + b"xxxxxxxxxx"):
        path.write_bytes(content)
        with pytest.raises(WireError, match="not a recording"):
            btt.FileDataset(tmp_path / "x")
    path.write_bytes(MAGIC + b"\x01\0\0\0" + len(bomb).to_bytes(8, "little") + bomb)
    with pytest.raises(WireError, match="refused"):
        btt.FileDataset(tmp_path / "x")[0]
    assert not (tmp_path / "bomb").exists()


def test_limits_count_for_files_as_well(tmp_path):
    path = recorded(tmp_path / "a.btr", 1)
    with pytest.raises(WireError, match="message 0 has"):
        btt.FileReader(path, Limits(max_bytes=50_000))[0]


# --- a stream ------------------------------------------------------------------------------------


def test_a_stream_is_recorded_as_it_comes_and_replayed(start, keys, tmp_path):
    address = address_of(start("publisher.py", 3, 20))
    dataset = btt.RemoteIterableDataset(
        [address], max_items=20, credentials=keys, item_transform=lambda item: item["i"]
    )
    dataset.enable_recording(tmp_path / "rec" / "ord")
    assert list(dataset) == list(range(20))
    replay = btt.FileDataset(str(tmp_path / "rec" / "ord"))
    assert len(replay) == 20
    assert replay[7].keys() == {"btid", "image", "i"}
    assert (replay[7]["image"] == 7).all()
    assert replay[-1]["i"] == 19
    for index in (20, -21):
        with pytest.raises(IndexError):
            replay[index]
    assert [i for _, i in btt.FileDataset(tmp_path / "rec" / "ord", to_pair)] == list(range(20))


def test_workers_record_and_replay(start, keys, tmp_path):
    workers = {"num_workers": 2, "multiprocessing_context": "fork"}
    addresses = [address_of(start("publisher.py", n, "forever")) for n in range(2)]
    dataset = btt.RemoteIterableDataset(
        addresses, 10, 30_000, 32, to_pair, tmp_path / "a", credentials=keys
    )
    for _ in range(2):  # the second time does not write over the first
        got = [int(i) for _, ids in DataLoader(dataset, batch_size=8, **workers) for i in ids]
        assert len(got) == 32
    assert [p.name for p in recordings(tmp_path / "a")] == [
        f"a_{worker:02d}{more}.btr" for worker in (0, 1) for more in ("", "_1")
    ]
    replay = btt.FileDataset(tmp_path / "a", to_pair)
    assert len(replay) == 64
    # As a worker that is spawned gets them.
    replay = pickle.loads(pickle.dumps(replay))
    assert pickle.loads(pickle.dumps(dataset)).record_path_prefix == tmp_path / "a"
    loader = DataLoader(replay, batch_size=8, shuffle=True, **workers)
    seen = []
    for images, ids in loader:
        assert images.dtype == torch.uint8
        assert torch.equal(images[:, 0, 0, 0].long(), ids % 256)
        seen += ids.tolist()
    assert sorted(seen) == sorted(i for _, i in replay)


def test_a_new_recording_replaces_the_old_one_and_no_other(keys, tmp_path):
    others = {"a_b_00.btr", "a_00.txt", "xa_00.btr"}
    for name in ("a_00.btr", "a_03_2.btr", *others):
        recorded(tmp_path / name, 1)
    with btb.DataPublisher("tcp://127.0.0.1:*", credentials=keys, lingerms=5000) as publisher:
        dataset = btt.RemoteIterableDataset([publisher.address], credentials=keys, max_items=2)
        dataset.enable_recording(tmp_path / "a")
        stream = iter(dataset)
        publisher.publish(i=1)
        assert next(stream)["i"] == 1
    assert [p.name for p in recordings(tmp_path / "a")] == ["a_00.btr"]
    assert {p.name for p in tmp_path.iterdir()} == {
        "a_00.btr",
        "a_b_00.btr",
        "a_00.txt",
        "xa_00.btr",
    }
    # The stream is still open, and what came is there.
    assert btt.FileDataset(tmp_path / "a")[0]["i"] == 1


def test_no_recording(tmp_path):
    for prefix in (tmp_path / "a", tmp_path / "nowhere" / "a"):
        with pytest.raises(FileNotFoundError, match=r"a_\*\.btr"):
            btt.FileDataset(prefix)


def test_recording_costs_little(tmp_path):
    image = np.zeros((480, 640, 3), np.uint8)
    with btt.FileRecorder(tmp_path / "a.btr") as recorder:
        started = time.monotonic()
        for i in range(20):
            recorder.save({"image": image, "i": i})
        assert time.monotonic() - started < 5.0
    assert (tmp_path / "a.btr").stat().st_size < 20 * (image.nbytes + 200)
