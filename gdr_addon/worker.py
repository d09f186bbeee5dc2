# SPDX-License-Identifier: GPL-3.0-or-later
"""A render worker: answers render requests and nothing else.

``worker_entry.py`` is the script that starts it, in one of two ways:

* ``BlenderLauncher(script=".../worker_entry.py", named_sockets=[WORKER_SOCKET], ...)``, in the
  background, serves. The worker binds the socket; its first message is
  :class:`~gdr_core.messages.WorkerReady`; after that each
  :class:`~gdr_core.messages.RenderRequest` gets a :class:`~gdr_core.messages.RenderReply` or a
  :class:`~gdr_core.messages.RenderFailure` with the request's ``id``, in the order in which they
  came. What cannot be read as a request is answered with a failure too, ``id`` -1 where it has
  none. A :class:`~gdr_core.messages.WriteTo` says where to print from then on. The worker leaves,
  with exit code 0, when the other side is gone.
* ``blender --background --factory-startup --python worker_entry.py -- --probe``, or
  ``python worker_entry.py -- --probe`` with the ``bpy`` module, finds out whether this machine can
  draw without a window: one line of JSON on standard output, ``{"ok": true, "blender": ...,
  "renderer": ..., "vendor": ..., "backend": ...}``. Without EGL it dies by a signal (SIGABRT,
  SIGSEGV) and prints no such line: that is how its parent knows.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ..gdr_core import output, scenes
from ..gdr_core.errors import GdrError
from ..gdr_core.messages import (
    RenderFailure,
    RenderReply,
    RenderRequest,
    WorkerReady,
    WriteTo,
    pack,
    unpack,
)
from ..gdr_core.shared_names import WORKER_SOCKET
from .renderers import Renderer, make_renderer

_log = logging.getLogger(__name__)

MAX_REPLY_BYTES = 128 * 2**20
"""Half of what a channel takes; a bigger batch is refused."""
NO_ID = -1
_RENDERERS_KEPT = 4
_RECV_MS = 1000


class RenderService:
    """Renderers behind one method that never raises.

    Renderers are kept between requests, the least recently used one is freed when there are too
    many.
    """

    def __init__(self) -> None:
        self._renderers: OrderedDict[tuple, Renderer] = OrderedDict()

    def answer(self, request: RenderRequest) -> RenderReply | RenderFailure:
        """Return the images that ``request`` asks for, or why there are none."""
        started = time.perf_counter()
        try:
            self._check(request)
            images = self._renderer(request).render(request.rows, request.size)
        except GdrError as error:
            return RenderFailure(id=request.id, text=str(error))
        except Exception as error:
            _log.exception("Request %d failed.", request.id)
            return RenderFailure(
                id=request.id,
                text=f"Blender could not render this batch: {type(error).__name__}: {error}.",
            )
        return RenderReply(id=request.id, images=images, seconds=time.perf_counter() - started)

    def close(self) -> None:
        """Free all renderers."""
        while self._renderers:
            self._renderers.popitem()[1].free()

    def _check(self, request: RenderRequest) -> None:
        values = request.rows
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            rows = values.reshape(len(values), -1) if values.ndim else values.reshape(1, 1)
            bad = int((~np.isfinite(rows).all(axis=1)).sum())
            raise GdrError(f"{bad} of {len(rows)} rows have numbers that are not finite.")
        count = len(values) if values.ndim else 0
        if count * request.size**2 * 3 > MAX_REPLY_BYTES:
            raise GdrError(
                f"{count} images of {request.size} pixels are too many for one request; "
                f"ask for fewer at a time."
            )

    def _renderer(self, request: RenderRequest) -> Renderer:
        name, scene = request.renderer, scenes.filled(request.scene, request.size)
        options: dict[str, Any] = {"samples": request.samples}
        # What a renderer takes no notice of makes no other renderer.
        if name == "cycles":
            options |= {"denoise": request.denoise, "device": request.device}
        key = (scene.digest, name, *options.values())
        if key not in self._renderers:
            while len(self._renderers) >= _RENDERERS_KEPT:
                self._renderers.popitem(last=False)[1].free()
            self._renderers[key] = make_renderer(scene, name, **options)
        self._renderers.move_to_end(key)
        return self._renderers[key]


def main(argv: Sequence[str] | None = None) -> int:
    """Probe or serve, as the arguments after ``--`` say; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    argv = list(sys.argv if argv is None else argv)
    if "--" in argv and "--probe" in argv[argv.index("--") :]:
        return probe()
    from ..blendtorch import btb

    arguments, _ = btb.parse_blendtorch_args(argv)
    address = arguments.btsockets[WORKER_SOCKET]
    with btb.DuplexChannel(address, arguments.btid, raise_lost=True) as channel:
        return serve(channel)


def probe() -> int:
    """Print what this Blender draws with; see the module's text."""
    from .renderers.context import describe

    sys.stdout.write("\n" + json.dumps({"ok": True, **describe()}) + "\n")
    sys.stdout.flush()
    return 0


def serve(channel) -> int:
    """Answer the requests that come over a ``btb.DuplexChannel`` until its other side is gone."""
    from ..blendtorch.errors import ChannelTimeout, PeerLost, WireError
    from .renderers.context import describe

    device = describe()
    service = RenderService()
    ready: WorkerReady | None = WorkerReady(
        blender=device["blender"], device=f"{device['renderer']} ({device['backend']})"
    )
    try:
        while True:
            try:
                if ready is not None and channel.connected:
                    channel.send(**pack(ready))
                    ready = None
                try:
                    # Short while nobody has connected yet, so that the greeting is not late.
                    data = channel.recv(timeoutms=20 if ready is not None else _RECV_MS)
                except WireError as error:
                    _log.warning("A message was refused: %s", error)
                    text = f"The worker refused a message: {error}."
                    channel.send(**pack(RenderFailure(id=NO_ID, text=text)))
                    continue
                if data is not None and (answer := _answer(service, data)) is not None:
                    channel.send(**pack(answer))
            except ChannelTimeout as error:
                # The answer is lost; whoever asked may ask again.
                _log.warning("An answer was not taken: %s", error)
    except PeerLost:
        _log.info("The other side is gone; leaving.")
        return 0
    finally:
        service.close()


def _answer(service: RenderService, data: dict[str, Any]) -> RenderReply | RenderFailure | None:
    try:
        message = unpack(data)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        _log.warning("A message could not be read: %s", error)
        return RenderFailure(id=_id_of(data), text=f"The request cannot be read: {error}.")
    if isinstance(message, WriteTo):
        output.redirect(message.path)
        return None
    if not isinstance(message, RenderRequest):
        return RenderFailure(
            id=_id_of(data), text=f"A render worker does not take {type(message).__name__}."
        )
    return service.answer(message)


def _id_of(data: dict[str, Any]) -> int:
    number = data.get("id")
    return number if isinstance(number, int) else NO_ID
