# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message looks like between two processes: a typed header and raw array buffers.

A message is a dict. It travels as several frames: frame 0 is a msgpack header with the protocol's
version, the run's id, the tree of values in which arrays are placeholders, and a table that says
each array's dtype, shape, order and size; every further frame is the memory of one array. Long
``bytes`` and ``str`` travel as arrays do. Nothing is ever pickled, and a receiver that runs
:func:`decode` has checked all of the header before it looks at a buffer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from .errors import WireError

VERSION = 1
"""Version of the wire. A receiver refuses any other."""

_ARRAY = 1  # msgpack extension code of an array's placeholder
_LONG = 65_536  # bytes and str from this length on have a frame of their own
_BYTES, _STR = "bytes", "str"  # stand where an array has its dtype
_SIZES = {"i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "c": (8, 16)}

DTYPES: dict[str, np.dtype] = {"|b1": np.dtype("|b1")}
"""The dtypes that travel, by ``numpy.dtype.str``."""
for _kind, _sizes in _SIZES.items():
    for _size in _sizes:
        for _order in ("|",) if _size == 1 else ("<", ">"):
            DTYPES[f"{_order}{_kind}{_size}"] = np.dtype(f"{_order}{_kind}{_size}")


@dataclass(frozen=True)
class Limits:
    """What a receiver is willing to take.

    Parameters
    ----------
    max_bytes
        Size of a whole message, all frames together.
    max_header
        Size of the header alone.
    max_arrays
        Number of arrays, and of ``bytes`` and ``str`` of 64 KiB and more.
    max_items
        Number of values in the tree.
    max_depth
        Nesting of lists and dicts.
    """

    max_bytes: int = 256 * 2**20
    # As objects of Python this many bytes can become 2 GiB, if all are empty lists.
    max_header: int = 32 * 2**20
    max_arrays: int = 4096
    max_items: int = 5_000_000
    max_depth: int = 32

    @property
    def max_frame(self) -> int:
        """Bytes beyond which a socket takes no single frame: room for encryption, and handshakes.

        libzmq disconnects a peer that announces more, before it sets memory aside.
        """
        return self.max_bytes + 4096


DEFAULT_LIMITS = Limits()


class _Header(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    version: int
    run_id: str
    body: dict[str, Any]
    arrays: list[tuple[str, list[int], str, int]]


class _ArrayRef:
    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index


def _placeholder(code: int, data: memoryview) -> _ArrayRef:
    if code != _ARRAY or len(data) != 4:
        raise WireError(f"Message refused: unknown extension {code} in the header.")
    return _ArrayRef(int.from_bytes(data, "little"))


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Header, ext_hook=_placeholder)


# --- sending -------------------------------------------------------------------------------------


class _Packer:
    """Turns values into what msgpack knows and collects the arrays on the way."""

    def __init__(self, limits: Limits, zero_copy: bool) -> None:
        self.limits = limits
        self.zero_copy = zero_copy
        self.table: list[tuple[str, list[int], str, int]] = []
        self.buffers: list[bytes | memoryview] = []
        self.items = 0

    def pack(self, value: Any, path: str, depth: int) -> Any:
        self.items += 1
        kind = type(value)
        if value is None or kind in (bool, float):
            return value
        if kind in (str, bytes):
            return value if len(value) < _LONG else self._long(value)
        if kind is int:
            return _checked_int(value, path)
        if isinstance(value, np.ndarray):
            return self._array(value, path)
        if isinstance(value, np.generic):
            return self._scalar(value, path)
        if kind in (list, tuple):
            self._check_depth(path, depth)
            return [self.pack(v, f"{path}[{i}]", depth + 1) for i, v in enumerate(value)]
        if isinstance(value, Mapping):
            self._check_depth(path, depth)
            packed = {}
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError(
                        f"Cannot send {path}: its key {key!r} is of type {type(key).__name__}; "
                        "only strings can be keys."
                    )
                packed[str(key)] = self.pack(item, f"{path}.{key}" if path else key, depth + 1)
            return packed
        # Subclasses of plain types (enums, named tuples, ...) travel as what they are cases of.
        if isinstance(value, int):
            return _checked_int(int(value), path)
        if isinstance(value, float):
            return float(value)
        if isinstance(value, str):
            return self.pack(str.__str__(value), path, depth)
        if isinstance(value, (list, tuple)):
            return self.pack(list(value), path, depth)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self.pack(bytes(value), path, depth)
        raise TypeError(_unsendable(value, path))

    def _check_depth(self, path: str, depth: int) -> None:
        if depth > self.limits.max_depth:
            raise TypeError(
                f"Cannot send {path[:80]}: values are nested deeper than {self.limits.max_depth} "
                "levels (does a list contain itself?)."
            )

    def _scalar(self, value: np.generic, path: str) -> Any:
        if isinstance(value, np.str_):
            return self.pack(str(value), path, 0)
        if isinstance(value, np.bytes_):
            return self.pack(bytes(value), path, 0)
        if value.dtype.kind in "biuf" and value.dtype.str in DTYPES:
            return value.item()
        return self._array(np.asarray(value), path)

    def _array(self, value: np.ndarray, path: str) -> msgspec.msgpack.Ext:
        if isinstance(value, np.ma.MaskedArray):
            raise TypeError(f"Cannot send {path}: it is a masked array; send data and mask apart.")
        dtype = value.dtype.str
        if dtype not in DTYPES:
            raise TypeError(
                f"Cannot send {path}: its dtype {value.dtype} does not travel; use bool, an "
                "integer, float16/32/64 or complex64/128."
            )
        array = np.asarray(value)
        order = "C"
        if not array.flags.c_contiguous:
            if array.flags.f_contiguous:
                order = "F"
            else:
                # A fresh copy that nobody else holds, so it can go out as it is.
                self._append(dtype, array.shape, order, np.ascontiguousarray(array), fresh=True)
                return self._reference()
        self._append(dtype, array.shape, order, array.T if order == "F" else array, fresh=False)
        return self._reference()

    def _append(
        self, dtype: str, shape: tuple[int, ...], order: str, memory: np.ndarray, *, fresh: bool
    ) -> None:
        self.table.append((dtype, list(shape), order, memory.nbytes))
        if memory.nbytes and (fresh or self.zero_copy):
            self.buffers.append(memoryview(memory.reshape(-1).view(np.uint8)))
        else:
            self.buffers.append(memory.tobytes())

    def _long(self, value: str | bytes) -> msgspec.msgpack.Ext:
        memory = value.encode() if isinstance(value, str) else value
        kind = _STR if isinstance(value, str) else _BYTES
        self.table.append((kind, [len(memory)], "C", len(memory)))
        self.buffers.append(memory)
        return self._reference()

    def _reference(self) -> msgspec.msgpack.Ext:
        return msgspec.msgpack.Ext(_ARRAY, (len(self.table) - 1).to_bytes(4, "little"))


def _checked_int(value: int, path: str) -> int:
    if not -(2**63) <= value < 2**64:
        raise OverflowError(f"Cannot send {path}: the integer does not fit into 64 bits.")
    return value


def _unsendable(value: Any, path: str) -> str:
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if kind.startswith("torch.") and hasattr(value, "numpy"):
        return f"Cannot send {path}: it is a torch tensor; send `.detach().cpu().numpy()` of it."
    return (
        f"Cannot send {path}: values of type {kind} do not travel. Numbers, strings, bytes, numpy "
        "arrays, lists and dicts do."
    )


def encode(
    message: Mapping[str, Any],
    *,
    run_id: str = "",
    zero_copy: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> list[bytes | memoryview]:
    """Turn a message into frames.

    Parameters
    ----------
    message
        A dict with string keys.
    run_id
        Identifies the run; the receiver refuses any other.
    zero_copy
        When True the frames refer to the arrays' own memory, which must not change until the
        message has left. When False arrays are copied once.
    limits
        What the receiver will take; checked here so that the sender hears about it first.

    Returns
    -------
    list of bytes or memoryview
        The header, then one buffer for each array.

    Raises
    ------
    TypeError
        For a value that does not travel; names the key path.
    OverflowError
        For an integer beyond 64 bits.
    WireError
        If the message is larger than the limits.
    """
    packer = _Packer(limits, zero_copy)
    try:
        body = packer.pack(message, "", 0)
        if type(body) is not dict:
            raise TypeError("A message is a dict with string keys.")
        header = _encoder.encode(_Header(VERSION, run_id, body, packer.table))
    except UnicodeEncodeError as err:
        raise TypeError("Cannot send a string that is not valid Unicode.") from err
    total = len(header) + sum(entry[3] for entry in packer.table)
    if total > limits.max_bytes or len(header) > limits.max_header:
        raise WireError(
            f"Cannot send a message of {total} bytes (header {len(header)}); the limit is "
            f"{limits.max_bytes} bytes (header {limits.max_header})."
        )
    if len(packer.table) > limits.max_arrays:
        raise WireError(
            f"Cannot send {len(packer.table)} arrays at once; the limit is {limits.max_arrays}."
        )
    if packer.items > limits.max_items:
        raise WireError(
            f"Cannot send {packer.items} values at once; the limit is {limits.max_items}. An array "
            "counts as one."
        )
    return [header, *packer.buffers]


# --- receiving -----------------------------------------------------------------------------------


def decode(
    frames: Sequence[Any], *, run_id: str = "", limits: Limits = DEFAULT_LIMITS
) -> dict[str, Any]:
    """Turn frames into the message, or refuse them.

    Parameters
    ----------
    frames
        Buffers (``bytes``, ``memoryview``, ...), the header first.
    run_id
        The run that the message has to belong to.
    limits
        What is taken at most.

    Returns
    -------
    dict
        The message. Arrays own their memory, are aligned and writable.

    Raises
    ------
    WireError
        For anything that :func:`encode` would not have made.
    """
    if not frames:
        raise WireError("Message refused: it has no frames.")
    if len(frames) - 1 > limits.max_arrays:
        raise WireError(f"Message refused: {len(frames) - 1} arrays, at most {limits.max_arrays}.")
    views = [memoryview(f) for f in frames]
    total = sum(v.nbytes for v in views)
    if total > limits.max_bytes:
        raise WireError(f"Message refused: {total} bytes, at most {limits.max_bytes}.")
    if views[0].nbytes > limits.max_header:
        raise WireError(
            f"Message refused: header of {views[0].nbytes} bytes, at most {limits.max_header}."
        )
    try:
        header = _decoder.decode(views[0])
    except WireError:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, MemoryError) as err:
        raise WireError(f"Message refused: the header cannot be read ({err}).") from None
    if header.version != VERSION:
        raise WireError(f"Message refused: wire version {header.version}, not {VERSION}.")
    if header.run_id != run_id:
        raise WireError("Message refused: it belongs to another run.")
    if len(header.arrays) != len(views) - 1:
        raise WireError(
            f"Message refused: {len(header.arrays)} arrays announced, {len(views) - 1} received."
        )
    for entry, view in zip(header.arrays, views[1:], strict=True):
        _check_entry(entry, view.nbytes)
    unpacker = _Unpacker(header.arrays, views[1:], limits)
    unpacker.check(header.body)
    return unpacker.build(header.body)


def _check_entry(entry: tuple[str, list[int], str, int], received: int) -> None:
    dtype, shape, order, nbytes = entry
    if dtype in (_BYTES, _STR):
        if shape != [nbytes] or order != "C" or nbytes != received:
            raise WireError("Message refused: a text's size and buffer do not agree.")
        return
    if dtype not in DTYPES:
        raise WireError(f"Message refused: dtype {dtype[:20]!r} is not allowed.")
    if order not in ("C", "F"):
        raise WireError(f"Message refused: array order {order[:20]!r} is not known.")
    if len(shape) > 32 or any(not 0 <= n < 2**31 for n in shape):
        raise WireError("Message refused: an array's shape is out of range.")
    if math.prod(shape) * DTYPES[dtype].itemsize != nbytes or nbytes != received:
        raise WireError("Message refused: an array's shape, size and buffer do not agree.")


class _Unpacker:
    """Checks the tree of values first, then puts the arrays in place."""

    def __init__(
        self,
        table: list[tuple[str, list[int], str, int]],
        views: list[memoryview],
        limits: Limits,
    ) -> None:
        self.table = table
        self.views = views
        self.limits = limits
        self.items = 0
        self.used: set[int] = set()

    def check(self, body: dict[str, Any]) -> None:
        self._check(body, 0)
        if len(self.used) != len(self.table):
            raise WireError("Message refused: an array belongs to no value.")

    def _check(self, value: Any, depth: int) -> None:
        self.items += 1
        if self.items > self.limits.max_items:
            raise WireError(f"Message refused: more than {self.limits.max_items} values.")
        kind = type(value)
        if kind in (dict, list):
            if depth > self.limits.max_depth:
                raise WireError(f"Message refused: nested beyond {self.limits.max_depth} levels.")
            if kind is dict:
                for key in value:
                    if type(key) is not str:
                        raise WireError("Message refused: a key is not a string.")
                value = value.values()
            for item in value:
                self._check(item, depth + 1)
        elif kind is _ArrayRef:
            if value.index >= len(self.table) or value.index in self.used:
                raise WireError("Message refused: a value refers to an array that is not there.")
            self.used.add(value.index)
        elif value is not None and kind not in (bool, int, float, str, bytes):
            raise WireError(f"Message refused: a value of type {kind.__name__}.")

    def build(self, value: Any) -> Any:
        kind = type(value)
        if kind is dict:
            return {k: self.build(v) for k, v in value.items()}
        if kind is list:
            return [self.build(v) for v in value]
        if kind is _ArrayRef:
            return self._array(value.index)
        return value

    def _array(self, index: int) -> np.ndarray | bytes | str:
        dtype, shape, order, nbytes = self.table[index]
        if dtype == _BYTES:
            return bytes(self.views[index])
        if dtype == _STR:
            try:
                return str(self.views[index], "utf-8")
            except UnicodeDecodeError:
                raise WireError("Message refused: a text is not valid Unicode.") from None
        # The one copy: it makes the array writable and aligned, and lets the frame's memory go.
        memory = np.empty(nbytes, np.uint8)
        if nbytes:
            memory[:] = np.frombuffer(self.views[index], np.uint8)
        if dtype == "|b1" and nbytes and memory.max() > 1:
            raise WireError("Message refused: a boolean array holds other bytes than 0 and 1.")
        try:
            return np.ndarray(tuple(shape), DTYPES[dtype], memory, order=order)
        except (ValueError, TypeError, OverflowError) as err:
            raise WireError(f"Message refused: an array cannot have this shape ({err}).") from None
