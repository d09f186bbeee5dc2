# SPDX-License-Identifier: GPL-3.0-or-later
"""What is published comes out of a DataLoader, in workers too."""

import time

import pytest
import torch
from torch.utils.data import DataLoader

from blendtorch import btb, btt
from blendtorch.errors import ChannelTimeout, PeerLost, WireError


def address_of(child) -> str:
    return child.stdout.readline().decode().strip()


def to_pair(item):
    return item["image"], item["i"]


def test_all_items_of_two_publishers_that_end(start, keys):
    addresses = [address_of(start("publisher.py", n, 20)) for n in range(2)]
    dataset = btt.RemoteIterableDataset(addresses, max_items=100, credentials=keys)
    stream = iter(dataset)
    got = []
    for _ in range(40):
        item = next(stream)
        got.append((item["btid"], item["i"]))
        assert item["image"].max() == item["i"]
    with pytest.raises(PeerLost, match="All publishers"):
        next(stream)
    assert sorted(got) == [(n, i) for n in range(2) for i in range(20)]


@pytest.mark.parametrize("context", [None, "fork", "spawn"])
def test_dataloader(start, keys, context):
    addresses = [address_of(start("publisher.py", n, "forever")) for n in range(2)]
    dataset = btt.RemoteIterableDataset(
        addresses, max_items=32, item_transform=to_pair, credentials=keys, timeoutms=30_000
    )
    workers = {"num_workers": 2, "multiprocessing_context": context} if context else {}
    batches = list(DataLoader(dataset, batch_size=8, **workers))
    assert len(batches) == 4
    for image, i in batches:
        assert image.shape == (8, 64, 64, 3)
        assert image.dtype == torch.uint8
        assert torch.equal(image[:, 0, 0, 0].long(), i % 256)


def test_silence(start, keys):
    address = address_of(start("publisher.py", 0, 0))
    stream = iter(btt.RemoteIterableDataset([address], timeoutms=300, credentials=keys))
    with pytest.raises(ChannelTimeout, match="300 ms"):
        next(stream)


def test_a_slow_reader_holds_the_publisher_back_and_keeps_it(start, keys):
    address = address_of(start("publisher.py", 0, "forever"))
    stream = iter(btt.RemoteIterableDataset([address], credentials=keys))
    first = next(stream)["i"]
    time.sleep(4.5)  # longer than any heartbeat
    assert [next(stream)["i"] for _ in range(50)] == list(range(first + 1, first + 51))


def test_a_killed_publisher(start, keys):
    child = start("publisher.py", 0, "forever")
    stream = iter(btt.RemoteIterableDataset([address_of(child)], credentials=keys))
    next(stream)
    child.kill()
    started = time.monotonic()
    with pytest.raises(PeerLost):
        for _ in stream:
            pass
    assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("program", [[], ["--bpy"]])
def test_a_process_that_ends_at_once_has_sent_the_right_pixels(start, keys, program):
    """pyzmq lets go of the memory of what it sends when Python ends; ours must be sent by then."""
    child = start("large_images.py", *program)
    address = address_of(child)
    stream = iter(btt.RemoteIterableDataset([address], queue_size=1, credentials=keys))
    for i in range(8):
        time.sleep(0.3)
        item = next(stream)
        assert item["i"] == i
        assert item["image"].shape == (2000, 2000, 3)
        assert (item["image"] == 10 + i).all()
    assert child.wait(30) == 0


def test_a_refused_message_does_not_end_the_stream(keys):
    with btb.DataPublisher("tcp://127.0.0.1:*", credentials=keys) as publisher:
        stream = iter(btt.RemoteIterableDataset([publisher.address], credentials=keys))
        publisher.publish(i=1)
        publisher._endpoint.try_send([b"nonsense"])
        publisher.publish(i=2)
        assert next(stream)["i"] == 1
        with pytest.raises(WireError):
            next(stream)
        assert next(stream)["i"] == 2
