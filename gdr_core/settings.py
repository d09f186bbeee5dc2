# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a run needs to be repeated: the content of ``config.toml``.

The panel and the command line both build a :class:`RunSettings`; nothing else configures a run.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import msgspec

from .camera import Camera
from .errors import BadSettings
from .families import Distribution
from .sampling import SAMPLES, settled_samples
from .supershape.parameters import INDEX, PARAMETERS, check_name
from .supershape.resolution import automatic_grid, check_grid

SCHEMA = 1
SIZES = (32, 64, 128, 256)
"""Image sizes that the estimators' networks are built for, in pixels."""

RendererName = Literal["fast", "solid", "workbench", "eevee", "cycles"]
RENDERERS: tuple[str, ...] = get_args(RendererName)

RenderDevice = Literal["auto", "cpu", "gpu"]
RENDER_DEVICES: tuple[str, ...] = get_args(RenderDevice)

PoolName = Literal["local", "ray"]
POOLS: tuple[str, ...] = get_args(PoolName)
MOST_WORKERS = {"local": 64, "ray": 4096}
"""Render workers that a pool may be asked for."""


class Pace(NamedTuple):
    """How an estimator moves: renders a step, and steps after which a run is done."""

    batch: int
    steps: int


DEFAULT_ESTIMATOR = "regression"
PACES = {
    # It stops by itself, so that the steps are a limit.
    "regression": Pace(batch=20, steps=100),
    "adversarial": Pace(batch=64, steps=80),
}
"""The pace of each estimator where the settings name none, by its name in ``trainer.estimators``;
of one that is not listed, that of the default estimator."""


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What becomes of one parameter: fixed at ``value``, or optimised from ``distribution``."""

    value: float = 0.0
    distribution: Distribution | None = None

    @property
    def optimised(self) -> bool:
        """Whether the run moves this parameter's distribution."""
        return self.distribution is not None


def default_parameters() -> dict[str, Start]:
    """Return the reference method's start: ``m1`` and ``m2`` optimised, the rest fixed."""
    starts = {parameter.name: Start(value=parameter.default) for parameter in PARAMETERS}
    starts["m1"] = Start(distribution=Distribution(mean=1.2, std=0.4))
    starts["m2"] = Start(distribution=Distribution(mean=3.0, std=0.4))
    return starts


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the target images come from.

    Attributes
    ----------
    folder
        A folder of images. Empty when ``hidden`` is used.
    hidden
        A distribution that the program renders first and then forgets. Parameters not named
        here take the value at which the run fixes them (their default, if it optimises them).
    count
        How many hidden targets are rendered.
    background
        The colour (sRGB, 0 to 1) behind images that have transparency.
    """

    folder: str = ""
    hidden: dict[str, Distribution] = {}
    count: int = 64
    background: tuple[float, float, float] = (0.25, 0.25, 0.25)


class TrainingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the distribution is moved.

    Attributes
    ----------
    estimator
        A name known to ``trainer.estimators``.
    options
        The estimator's own settings by name, over its defaults.
    batch
        Renders a step; None for the estimator's own of :data:`PACES`.
    steps
        Steps after which the run is done, if the estimator has not ended it; None as above.
    max_renders
        Renders after which the run is done, whichever comes first; 0 for no limit.
    size
        Width and height of the images in pixels, one of :data:`SIZES`.
    device
        ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
    """

    estimator: str = DEFAULT_ESTIMATOR
    options: dict[str, float | int | bool | str] = {}
    batch: int | None = None
    steps: int | None = None
    max_renders: int = 0
    size: int = 64
    device: str = "auto"

    def filled(self) -> TrainingSettings:
        """Return the settings with numbers for what is left to the estimator."""
        pace = PACES.get(self.estimator, PACES[DEFAULT_ESTIMATOR])
        return msgspec.structs.replace(
            self,
            batch=pace.batch if self.batch is None else self.batch,
            steps=pace.steps if self.steps is None else self.steps,
        )


class RenderSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How parameters become images.

    Attributes
    ----------
    renderer
        ``fast`` (a ray for each pixel of the whole batch), ``solid`` (one viewport draw an
        image), or one of Blender's engines, ``workbench``, ``eevee`` or ``cycles`` (one render
        an image).
    grid
        Longitude and latitude resolution of the surface; None for what suits the image size
        (:func:`gdr_core.supershape.resolution.automatic_grid`).
    samples
        Samples a pixel, as the renderer offers them (:data:`gdr_core.sampling.SAMPLES`); None for
        its own number.
    denoise
        Whether ``cycles`` denoises its pictures; the other ones take no notice.
    device
        What ``cycles`` renders on: ``cpu``, ``gpu``, or ``auto`` for a GPU if there is one. The
        other ones take no notice: they draw with whatever Blender draws with.
    pool
        Where the render workers are: ``local`` on this computer, ``ray`` on a Ray cluster.
    workers
        Render workers; 0 chooses by the computer's cores and memory, on a cluster by those of its
        nodes.
    worker_cpus, worker_gpus
        What a worker takes of a node's, on a cluster; parts of one count too.
    worker_memory
        Megabytes that a render worker may use before it is replaced; 0 for no limit.
    recycle_after
        Images after which a render worker is replaced by a fresh one; 0 for never.
    camera
        None for the reference camera.
    blender
        Blender to render with: an executable, ``bpy`` for the module, or empty to choose.
    """

    renderer: RendererName = "fast"
    grid: tuple[int, int] | None = None
    samples: int | None = None
    denoise: bool = False
    device: RenderDevice = "auto"
    pool: PoolName = "local"
    workers: int = 0
    worker_cpus: float = 1.0
    worker_gpus: float = 0.0
    worker_memory: int = 0
    recycle_after: int = 0
    camera: Camera | None = None
    blender: str = ""

    def filled(self, size: int = TrainingSettings().size) -> RenderSettings:
        """Return the settings with numbers for what is left to renderer and image size."""
        samples = SAMPLES[self.renderer].default if self.samples is None else self.samples
        grid = automatic_grid(size) if self.grid is None else self.grid
        return msgspec.structs.replace(self, samples=samples, grid=grid)

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        if self.renderer not in RENDERERS:
            raise BadSettings(
                f"There is no renderer named {self.renderer!r}; "
                f"choose one of {', '.join(RENDERERS)}."
            )
        check_grid(self.grid)
        settled_samples(self.renderer, self.samples)
        if self.device not in RENDER_DEVICES:
            raise BadSettings(
                f"There is no render device named {self.device!r}; "
                f"choose one of {', '.join(RENDER_DEVICES)}."
            )
        self._check_workers()
        if self.camera is not None:
            self.camera.check()

    def _check_workers(self) -> None:
        if self.pool not in POOLS:
            raise BadSettings(
                f"There is no renderer pool named {self.pool!r}; choose one of {', '.join(POOLS)}."
            )
        most = MOST_WORKERS[self.pool]
        if not 0 <= self.workers <= most:
            raise BadSettings(
                f"The number of workers is {self.workers}; give 0 (to choose) to {most}."
            )
        if not (0 <= self.worker_cpus < math.inf and 0 <= self.worker_gpus < math.inf):
            raise BadSettings(
                f"A worker is to take {self.worker_cpus:g} CPUs and {self.worker_gpus:g} GPUs; "
                f"give numbers from 0."
            )
        if self.worker_gpus > 1 and self.worker_gpus % 1:
            raise BadSettings(
                f"A worker is to take {self.worker_gpus:g} GPUs; give a part of one or a whole "
                f"number."
            )
        if self.worker_memory < 0:
            raise BadSettings(
                f"The memory of a worker is {self.worker_memory} MB; give 0 for no limit, or more."
            )
        if self.recycle_after < 0:
            raise BadSettings(
                f"A worker is to be renewed after {self.recycle_after} images; give 0 for never, "
                f"or more."
            )


class RunSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One whole run."""

    schema: int = SCHEMA
    seed: int = 0
    targets: TargetSettings = TargetSettings()
    training: TrainingSettings = TrainingSettings()
    rendering: RenderSettings = RenderSettings()
    parameters: dict[str, Start] = msgspec.field(default_factory=default_parameters)

    def filled(self) -> RunSettings:
        """Return the settings with numbers for what is left to estimator and renderer."""
        return msgspec.structs.replace(
            self,
            training=self.training.filled(),
            rendering=self.rendering.filled(self.training.size),
        )

    @property
    def optimised(self) -> tuple[str, ...]:
        """Names of the optimised parameters, in the order of the parameter table."""
        return tuple(
            name for name in INDEX if name in self.parameters and self.parameters[name].optimised
        )

    def start_of(self, name: str) -> Start:
        """Return what becomes of ``name``; parameters that are not listed stay at their default."""
        if name in self.parameters:
            return self.parameters[name]
        return Start(value=PARAMETERS[INDEX[check_name(name)]].default)

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        if self.schema != SCHEMA:
            raise BadSettings(
                f"These settings have schema {self.schema}; this version reads {SCHEMA}."
            )
        if not 0 <= self.seed < 2**63:
            raise BadSettings(f"The seed is {self.seed}; give a whole number from 0.")
        for name, start in self.parameters.items():
            check_name(name)
            if start.distribution is not None:
                start.distribution.check(name)
            elif not math.isfinite(start.value):
                raise BadSettings(f"{name} is fixed at {start.value}; give a finite number.")
        if not self.optimised:
            raise BadSettings("Every parameter is fixed; choose at least one to optimise.")
        self._check_targets()
        self._check_training()
        self.rendering.check()

    def _check_targets(self) -> None:
        targets = self.targets
        if bool(targets.folder) == bool(targets.hidden):
            raise BadSettings(
                "Choose what to match: a folder of target images, or a hidden distribution "
                "(one of the two)."
            )
        for name, distribution in targets.hidden.items():
            check_name(name)
            distribution.check(name)
        if targets.hidden and targets.count < 2:
            raise BadSettings(f"There are {targets.count} hidden targets; at least 2 are needed.")
        if len(targets.background) != 3 or not all(0 <= c <= 1 for c in targets.background):
            raise BadSettings("The background must be red, green and blue, each from 0 to 1.")

    def _check_training(self) -> None:
        training = self.training.filled()
        if training.batch < 2:
            raise BadSettings(f"The batch is {training.batch}; at least 2 images are needed.")
        if training.steps < 1:
            raise BadSettings(f"The number of steps is {training.steps}; give at least 1.")
        if training.max_renders < 0:
            raise BadSettings(
                f"The limit of renders is {training.max_renders}; give 0 for none, or more."
            )
        if 0 < training.max_renders < training.batch:
            raise BadSettings(
                f"The limit of renders ({training.max_renders}) is below one batch "
                f"({training.batch}); raise it or make the batch smaller."
            )
        if training.size not in SIZES:
            raise BadSettings(
                f"The image size is {training.size}; choose one of "
                f"{', '.join(map(str, SIZES))} pixels."
            )


def from_toml(path: Path) -> RunSettings:
    """Read ``config.toml``.

    Raises
    ------
    BadSettings
        No such file, not TOML, an unknown key or a value of the wrong type.
    """
    try:
        data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadSettings(f"There is no file {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadSettings(f"{path} cannot be read as TOML: {error}.") from error
    return from_dict(data, where=str(path))


def from_dict(data: dict, where: str = "the settings") -> RunSettings:
    """Build settings from plain data (TOML, JSON, a message), refusing what is unknown."""
    try:
        return msgspec.convert(data, RunSettings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{where} cannot be used: {error}.") from error


def to_dict(settings: RunSettings) -> dict:
    """Return plain data; :func:`from_dict` turns it back. Settings that are None are left out."""
    return _without_none(msgspec.to_builtins(settings))


def _without_none(value):
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value
