# SPDX-License-Identifier: GPL-3.0-or-later
"""What travels arrives, and everything else is refused."""

import enum
import math
import pickle
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from blendtorch import wire
from blendtorch.errors import WireError
from blendtorch.wire import DTYPES, Limits, decode, encode


def round_trip(message, **kwargs):
    return decode([bytes(f) for f in encode(message, **kwargs)])


def sample(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    raw = rng.integers(0, 2 if dtype == "|b1" else 100, size=shape)
    return raw.astype(dtype)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_dtype_and_layout_crosses_a_socket(pair, dtype):
    server, client = pair
    base = sample(dtype, (4, 3, 5))
    arrays = {
        "c": base,
        "f": np.asfortranarray(base),
        "flipped": base[::-1],
        "strided": base[::2, :, 1::2],
        "scalar": sample(dtype, ()),
        "empty": sample(dtype, (0, 3)),
        "large": sample(dtype, (200, 1000)),
    }
    client.send(**arrays)
    message = server.recv(5000)
    for name, array in arrays.items():
        got = message[name]
        assert got.dtype == array.dtype
        assert got.dtype.str == dtype
        assert got.shape == array.shape
        np.testing.assert_array_equal(got, array)
        assert got.flags.writeable
        assert got.flags.aligned
    assert message["f"].flags.f_contiguous


def test_message_ids_are_added(pair):
    server, client = pair
    mid = client.send(a=1)
    message = server.recv(5000)
    assert message == {"btid": None, "btmid": mid, "a": 1}
    server.send(b=2)
    assert client.recv(5000)["btid"] == 7


def test_an_array_may_change_after_send(pair):
    server, client = pair
    buffer = np.zeros((300, 300), np.uint8)
    for i in range(5):
        buffer[:] = i
        client.send(image=buffer)
    assert [int(server.recv(5000)["image"].max()) for _ in range(5)] == [0, 1, 2, 3, 4]


def test_values_that_become_plainer():
    class Colour(enum.IntEnum):
        RED = 3

    got = round_trip(
        {
            "tuple": (1, (2, 3)),
            "f32": np.float32(0.5),
            "i64": np.int64(-3),
            "flag": np.bool_(True),
            "text": np.str_("x"),
            "enum": Colour.RED,
            "bytes": bytearray(b"ab"),
            "c64": np.complex64(1 + 2j),
        }
    )
    assert got["tuple"] == [1, [2, 3]]
    assert (got["f32"], type(got["f32"])) == (0.5, float)
    assert (got["i64"], type(got["i64"])) == (-3, int)
    assert got["flag"] is True
    assert got["text"] == "x"
    assert (got["enum"], type(got["enum"])) == (3, int)
    assert got["bytes"] == b"ab"
    assert got["c64"].shape == ()
    assert got["c64"] == 1 + 2j


class Text(str):
    """A string of one's own."""


@pytest.mark.parametrize(
    "value",
    [
        bytes(range(256)) * 80_000,
        "größer als 4 MiB " * 1_000_000,
        [b"x" * 65_535, b"y" * 65_536, "z" * 65_536, "ä" * 65_535],
        [float(i) for i in range(500_000)],
        [[0.5, i, f"vertex {i}"] for i in range(200_000)],
    ],
    ids=["bytes", "str", "around the threshold", "500,000 numbers", "200,000 lists"],
)
def test_what_is_large_crosses_a_socket(pair, value):
    server, client = pair
    client.send(value=value, after=True)
    message = server.recv(30_000)
    assert type(message["value"]) is type(value)
    assert message["value"] == value
    assert message["after"]


def test_large_values_that_become_plainer():
    large = 100_000
    got = round_trip(
        {
            "bytearray": bytearray(large),
            "memoryview": memoryview(bytes(large)),
            "np.bytes": np.bytes_(b"x" * large),
            "np.str": np.str_("ä" * large),
            "subclass": Text("ä" * large),
            "tuple": tuple((i + 0.5, str(i), i) for i in range(200_000)),
        }
    )
    assert got["bytearray"] == got["memoryview"] == bytes(large)
    assert got["np.bytes"] == b"x" * large
    for name in ("np.str", "subclass"):
        assert (got[name], type(got[name])) == ("ä" * large, str)
    assert got["tuple"] == [[i + 0.5, str(i), i] for i in range(200_000)]


def test_as_much_as_a_message_holds_travels_as_bytes():
    size = wire.DEFAULT_LIMITS.max_bytes - 1000
    assert len(decode(encode({"data": bytes(size)}))["data"]) == size
    with pytest.raises(WireError, match="the limit is"):
        encode({"data": bytes(size + 1000)})


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        ({1: 2}, TypeError, "only strings"),
        (object(), TypeError, r"a\.b\[1\]"),
        (lambda: None, TypeError, "do not travel"),
        ({1, 2}, TypeError, "builtins.set"),
        (1j, TypeError, "complex"),
        (Path("x"), TypeError, "pathlib"),
        (np.array([object()]), TypeError, "dtype object"),
        (np.array(["a"]), TypeError, "dtype <U1"),
        (np.zeros(2, [("x", "f4")]), TypeError, "dtype"),
        (np.zeros(2, np.longdouble), TypeError, "float128"),
        (np.datetime64("2020-01-01"), TypeError, "datetime64"),
        (np.ma.masked_array([1]), TypeError, "masked"),
        (torch.zeros(2), TypeError, "cpu"),
        (2**64, OverflowError, "64 bits"),
        (-(2**63) - 1, OverflowError, "64 bits"),
        ("\ud800", TypeError, "Unicode"),
        ("\ud800" * 100_000, TypeError, "Unicode"),
    ],
)
def test_what_does_not_travel_is_named_at_the_sender(value, error, says):
    with pytest.raises(error, match=says):
        encode({"a": {"b": [0, value]}})


def test_a_list_that_contains_itself():
    loop = []
    loop.append(loop)
    with pytest.raises(TypeError, match="nested"):
        encode({"loop": loop})


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def same(a, b) -> bool:
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        both_nan = isinstance(b, float) and math.isnan(a) and math.isnan(b)
        return type(b) is float and (a == b or both_nan)
    return type(a) is type(b) and a == b


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(), plain))
def test_nested_values_arrive_unchanged(message):
    assert same(message, round_trip(message))


# --- refusals ------------------------------------------------------------------------------------


def header(version=wire.VERSION, run_id="", body=None, arrays=()):
    return msgspec.msgpack.encode([version, run_id, body or {}, list(arrays)])


def ref(index: int):
    return msgspec.msgpack.Ext(1, index.to_bytes(4, "little"))


def nested(levels: int):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [b""],
        [header(version=2)],
        [header(run_id="other")],
        [header() + b"x"],
        [header(), b"unannounced"],
        [header(arrays=[("<f4", [1], "C", 4)])],
        [header(arrays=[("<f4", [1], "C", 4)]), b"1234"],
        [header(body={"a": ref(1)}, arrays=[("<f4", [1], "C", 4)]), b"1234"],
        [header(body={"a": ref(0), "b": ref(0)}, arrays=[("<f4", [1], "C", 4)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("<f4", [2], "C", 4)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("<f4", [2], "C", 8)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("<f4", [-1], "C", 4)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("<f4", [1], "K", 4)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("|O8", [1], "C", 8)]), b"12345678"],
        [header(body={"a": ref(0)}, arrays=[("|V4", [1], "C", 4)]), b"1234"],
        [header(body={"a": ref(0)}, arrays=[("<f4", [0] * 40, "C", 0)]), b""],
        [header(body={"a": ref(0)}, arrays=[("<f4", [2**40, 0], "C", 0)]), b""],
        [header(body={"a": ref(0)}, arrays=[("<f4", [0, *[2**30] * 5], "C", 0)]), b""],
        [header(body={"a": ref(0)}, arrays=[("|b1", [2], "C", 2)]), b"\1\7"],
        [header(body={"a": ref(0)}, arrays=[("str", [2], "C", 2)]), b"\xc3\x28"],
        [header(body={"a": ref(0)}, arrays=[("str", [3], "C", 3)]), b"ab"],
        [header(body={"a": ref(0)}, arrays=[("bytes", [1], "C", 2)]), b"ab"],
        [header(body={"a": ref(0)}, arrays=[("bytes", [2, 1], "C", 2)]), b"ab"],
        [header(body={"a": ref(0)}, arrays=[("bytes", [2], "F", 2)]), b"ab"],
        [header(body={"a": msgspec.msgpack.Ext(1, b"123")})],
        [header(body={"a": msgspec.msgpack.Ext(9, b"1234")})],
        [header(body={"a": msgspec.msgpack.Ext(-1, b"1234")})],
        [header(body={"a": {3: 4}})],
        [header(body=[1])],
        [header(body={"a": nested(40)})],
        [b"\x94\x01\xa0\x81\xa1a" + b"\x91" * 100_000],
        [b"\xdd\xff\xff\xff\xff"],
        [pickle.dumps({"a": 1})],
    ],
)
def test_malformed_frames_are_refused(frames):
    with pytest.raises(WireError):
        decode(frames)


def test_limits():
    frames = encode({"a": np.zeros(1000), "b": [0] * 100, "c": np.zeros(3)})
    decode(frames)
    for limits in (
        Limits(max_bytes=8000),
        Limits(max_header=100),
        Limits(max_arrays=1),
        Limits(max_items=50),
        Limits(max_depth=0),
    ):
        with pytest.raises(WireError):
            decode(frames, limits=limits)
    for limits in (
        Limits(max_bytes=8000),
        Limits(max_header=100),
        Limits(max_arrays=1),
        Limits(max_items=50),
    ):
        with pytest.raises(WireError, match="Cannot send"):
            encode({"a": np.zeros(1000), "b": [0] * 100, "c": np.zeros(3)}, limits=limits)


def test_a_hundred_thousand_broken_messages_do_no_harm():
    rng = np.random.default_rng(1)
    good = encode(
        {
            "btid": 0,
            "x": np.arange(12, dtype="<f4").reshape(3, 4),
            "n": [1, 2.5, None, {"k": "v"}],
            "b": b"raw",
            "long": "text" * 20_000,
            "m": np.ones((2, 2), bool),
        }
    )
    good = [bytes(f) for f in good]
    refused = accepted = 0
    for i in range(100_000):
        frames = list(good)
        kind = i % 5
        if kind == 0:  # noise
            frames = [rng.bytes(int(rng.integers(0, 80))) for _ in range(int(rng.integers(0, 4)))]
        elif kind == 4:  # frames lost, doubled or swapped
            frames = [good[j] for j in rng.integers(0, len(good), int(rng.integers(0, 5)))]
        else:  # bytes of the header, or of any frame, changed, cut or inserted
            which = 0 if kind < 3 else int(rng.integers(len(frames)))
            data = bytearray(frames[which])
            for _ in range(int(rng.integers(1, 4))):
                at = int(rng.integers(len(data) + 1))
                change = rng.integers(3)
                if change == 0:
                    data[at : at + 1] = rng.bytes(1)
                elif change == 1:
                    del data[at : at + int(rng.integers(1, 9))]
                else:
                    data[at:at] = rng.bytes(int(rng.integers(1, 9)))
            frames[which] = bytes(data)
        try:
            message = decode(frames)
        except WireError:
            refused += 1
        else:
            assert type(message) is dict
            encode(message)  # what is accepted is a message
            accepted += 1
    assert refused + accepted == 100_000
    assert refused > 50_000


class Bomb:
    """Writes a file when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "boom"))


def raw_client(address, keys):
    """A ZeroMQ socket with the right keys that sends whatever it is told."""
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 2000
    socket.curve_serverkey = keys.server_public.encode()
    socket.curve_publickey = keys.client_public.encode()
    socket.curve_secretkey = keys.client_secret.encode()
    socket.connect(address)
    return context, socket


def test_a_pickle_is_refused_and_the_channel_goes_on(keys, tmp_path):
    from blendtorch import btb

    target = tmp_path / "bomb"
    with btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys) as server:
        context, socket = raw_client(server.address, keys)
        bomb = pickle.dumps(Bomb(target))
        socket.send(bomb)
        socket.send_multipart([header(run_id=keys.run_id), bomb])
        socket.send_multipart([header(run_id="another run")])
        socket.send_multipart([header(run_id=keys.run_id, body={"good": True})])
        for _ in range(3):
            with pytest.raises(WireError):
                server.recv(5000)
        assert server.recv(5000) == {"good": True}
        context.destroy()
    assert not target.exists()
    pickle.loads(bomb)
    assert target.exists()  # the bomb was live
