# SPDX-License-Identifier: GPL-3.0-or-later
"""The typed messages of a run.

Two conversations use them, both over a blendtorch ``DuplexChannel``:

* Blender's window (which binds) and the trainer: :class:`StartRun`, :class:`PauseRun`,
  :class:`ResumeRun`, :class:`StopRun` one way; :class:`Status`, :class:`Notice`,
  :class:`Targets`, :class:`Progress`, :class:`Samples`, :class:`Conclusion` and
  :class:`Finished` the other.
  Several runs may follow each other, each from its :class:`StartRun` to its :class:`Finished`.
* The trainer's render pool and a render worker (which binds): :class:`RenderRequest` and
  :class:`WriteTo` one way, :class:`WorkerReady`, :class:`RenderReply` and
  :class:`RenderFailure` the other.

``channel.send(**pack(message))`` and ``unpack(channel.recv())`` are the only ways through.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import Annotated, Any

import msgspec
import numpy as np

from .scene import Scene


class RunStatus(enum.StrEnum):
    """The states of a run, as the panel shows them."""

    IDLE = "IDLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    STOPPING = "STOPPING"
    DONE = "DONE"
    FAILED = "FAILED"


ACTIVE = frozenset({RunStatus.STARTING, RunStatus.RUNNING, RunStatus.PAUSED, RunStatus.STOPPING})
"""The states in which a trainer is at work."""


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    pass


class StartRun(_Message, tag="start"):
    """Begin a run.

    Attributes
    ----------
    settings
        :func:`gdr_core.settings.to_dict`.
    out
        The run folder.
    resume
        Go on with the run in it.
    keep
        Seconds for which the trainer then waits for the next order, its render workers ready; 0
        to leave after the run.
    output
        File that takes what the process prints; "" to leave that as it is.
    """

    settings: dict[str, Any]
    out: str
    resume: bool = False
    keep: Annotated[float, msgspec.Meta(ge=0.0)] = 0.0
    output: str = ""


class PauseRun(_Message, tag="pause"):
    """Hold before the next step."""


class ResumeRun(_Message, tag="resume"):
    """Go on after a pause."""


class StopRun(_Message, tag="stop"):
    """End after saving; the run's result is what it had reached."""


class Status(_Message, tag="status"):
    """The run's state changed, or there is something to say about it."""

    status: RunStatus
    text: str


class Notice(_Message, tag="notice"):
    """Something that a person should know from now to the end of the run, a sentence."""

    text: str


class Targets(_Message, tag="targets"):
    """The targets are known.

    Attributes
    ----------
    sheet
        Their contact sheet, ``(H, W, 3)`` uint8, first row on top.
    count
        How many there are.
    text
        What a person should know about them (skipped files), or empty.
    """

    sheet: np.ndarray
    count: int
    text: str = ""


class Progress(_Message, tag="progress"):
    """One step was made (step 0: the start).

    Attributes
    ----------
    step, steps
        Steps made, and planned.
    renders
        Renders so far, the targets' own not counted.
    seconds
        Since the first step began, pauses not counted.
    eta_seconds
        Estimated seconds to the end; negative while unknown.
    d_real, d_sim
        Mean output of the discriminator for targets and for renders; NaN for estimators
        without one.
    mean, std
        Of each optimised parameter, in internal units.
    converged
        Whether the estimator sees no reason to go on; None for one that cannot tell, which makes
        all of its steps.
    """

    step: int
    steps: int
    renders: int
    seconds: float
    eta_seconds: float
    d_real: float
    d_sim: float
    mean: dict[str, float]
    std: dict[str, float]
    converged: bool | None = None


class Samples(_Message, tag="samples"):
    """Samples of the model as it stands, as rows ``(K, P)`` of the scene, for the preview."""

    step: int
    rows: np.ndarray


Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Error = Annotated[float, msgspec.Meta(ge=0.0)]


class Indistinguishability(msgspec.Struct, frozen=True, kw_only=True):
    """How well a classifier tells fresh renders of the result from targets.

    Attributes
    ----------
    accuracy
        Share of images that it judges rightly, none of which it saw before; a half is perfect.
    low, high
        95 % confidence interval of the accuracy.
    p_value
        How often it does as well where there is no difference.
    count
        Images of each kind that were judged.
    renders
        Fresh renders that were made for it; they are not among the run's.
    """

    accuracy: Share
    low: Share
    high: Share
    p_value: Share
    count: Annotated[int, msgspec.Meta(ge=1)]
    renders: Annotated[int, msgspec.Meta(ge=1)]


class TradeOff(msgspec.Struct, frozen=True):
    """Parameters that can be exchanged for each other without changing the pictures much.

    Attributes
    ----------
    direction
        By name, how far each goes, in spreads of the result, along a direction of length 1; the
        first one positive.
    change
        Mean change of a picture along it, as a share of what targets differ by (both root mean
        squares).
    """

    direction: dict[str, float]
    change: Share


class Conclusion(_Message, tag="conclusion"):
    """How good the result is, as far as that is known; before :class:`Finished`.

    Attributes
    ----------
    indistinguishability
        None where the result was not compared with the targets.
    not_compared
        Why not, a sentence; empty where it was.
    differences
        Sentences on what of the targets the renders do not match.
    mean_error, std_error
        Standard errors in internal units, of the parameters for which they are known.
    undetermined
        Names of parameters that the pictures say (almost) nothing about.
    trade_offs
        Parameters that the pictures hardly tell apart.
    """

    indistinguishability: Indistinguishability | None = None
    not_compared: str = ""
    differences: tuple[str, ...] = ()
    mean_error: dict[str, Error] = {}
    std_error: dict[str, Error] = {}
    undetermined: tuple[str, ...] = ()
    trade_offs: tuple[TradeOff, ...] = ()


class Finished(_Message, tag="finished"):
    """The run ended; the trainer leaves, or waits for the next order if it was told to.

    Attributes
    ----------
    status
        ``DONE``, ``FAILED``, or ``IDLE`` when it was stopped.
    text
        One sentence.
    folder
        The run folder.
    truth
        ``{name: (mean, std)}`` in internal units where it is known, else empty.
    """

    status: RunStatus
    text: str
    folder: str
    truth: dict[str, tuple[float, float]] = {}


class RenderRequest(_Message, tag="render"):
    """Render a batch. ``id`` comes back with the answer; a request may be sent again.

    Attributes
    ----------
    scene
        What is rendered.
    rows
        ``(N, P)`` float64, with a column for each parameter of the scene.
    size
        Width and height in pixels.
    renderer
        One of :data:`gdr_core.settings.RENDERERS`.
    samples
        Samples a pixel (:data:`gdr_core.sampling.SAMPLES`); None for the renderer's own number.
    denoise, device
        Of the ``cycles`` renderer, as in :class:`gdr_core.settings.RenderSettings`.
    """

    id: int
    scene: Scene
    rows: np.ndarray
    size: int
    renderer: str
    samples: int | None = None
    denoise: bool = False
    device: str = "auto"


class WriteTo(_Message, tag="write"):
    """Print to the end of this file from now on, or nowhere if ``path`` is ""; has no answer."""

    path: str


class RenderReply(_Message, tag="rendered"):
    """The images of request ``id``: ``(N, size, size, 3)`` uint8, first row on top."""

    id: int
    images: np.ndarray
    seconds: float


class RenderFailure(_Message, tag="failed"):
    """Request ``id`` cannot be rendered; ``text`` is a sentence. The worker lives on."""

    id: int
    text: str


class WorkerReady(_Message, tag="ready"):
    """The worker's first message: what it is."""

    blender: str
    device: str


Message = (
    StartRun
    | PauseRun
    | ResumeRun
    | StopRun
    | Status
    | Notice
    | Targets
    | Progress
    | Samples
    | Conclusion
    | Finished
    | RenderRequest
    | WriteTo
    | RenderReply
    | RenderFailure
    | WorkerReady
)


def pack(message: Message) -> dict[str, Any]:
    """Return ``message`` as keyword arguments for ``DuplexChannel.send``."""
    if isinstance(message, RenderRequest):
        # The scene goes in one piece: nested data is walked in Python on both sides, which for a
        # scene of 40 parameters took a tenth of the time of the batch that was asked for.
        scene = msgspec.msgpack.encode(message.scene)
        tag = message.__struct_config__.tag
        return {"kind": tag} | msgspec.structs.asdict(message) | {"scene": scene}
    return msgspec.to_builtins(message, builtin_types=(np.ndarray,), enc_hook=_refuse)


def unpack(data: dict[str, Any]) -> Message:
    """Return the typed message in a received dictionary.

    Raises
    ------
    msgspec.ValidationError
        Not one of the messages, or a field of the wrong type.
    """
    fields = {key: value for key, value in data.items() if key not in ("btid", "btmid")}
    if isinstance(fields.get("scene"), bytes):
        fields["scene"] = _scene(fields["scene"])
    return msgspec.convert(fields, Message, dec_hook=_as_array)


@lru_cache(maxsize=8)
def _scene(data: bytes) -> Scene:
    """Return the scene in a request; as a rule that of the request before."""
    try:
        return msgspec.msgpack.decode(data, type=Scene)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError as error:
        raise msgspec.ValidationError(f"{error} - at `$.scene`") from error


def _refuse(value: object) -> object:
    raise TypeError(f"{type(value).__name__} does not travel in a message.")


def _as_array(kind: type, value: object) -> object:
    if kind is np.ndarray and isinstance(value, np.ndarray):
        return value
    raise TypeError(f"Expected {kind.__name__}, got {type(value).__name__}.")
