# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a run needs to be repeated: the content of ``config.toml``.

The panel and the command line both build a :class:`RunSettings`; nothing else configures a run.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from . import scenes
from .errors import BadSettings
from .families import FIELDS, Distribution
from .roles import Fixed, Optimise, Random, Role, check_plain
from .sampler import Sampler
from .sampling import SAMPLES, settled_samples
from .scene import Scene
from .scene_definition import SceneDefinition
from .settings_upgrade import upgraded

SCHEMA = 2
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


class SceneSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which scene the run is about.

    Attributes
    ----------
    name
        A name known to :mod:`gdr_core.scenes`.
    options
        The scene's own settings by name, over its defaults.
    """

    name: str = scenes.DEFAULT
    options: dict[str, Any] = {}

    @property
    def definition(self) -> SceneDefinition:
        """What the kind of scene says of itself."""
        return scenes.definition(self.name)

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        scenes.typed_options(self.name, self.options).check()

    def filled(self, size: int) -> SceneSettings:
        """Return the settings with numbers for what is left to images of ``size`` pixels."""
        options = scenes.filled_options(self.name, self.options, size)
        return msgspec.structs.replace(self, options=options)

    def resolve(self) -> Scene:
        """Return the scene."""
        return Scene(name=self.name, parameters=self.definition.parameters, options=self.options)


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the target images come from.

    Attributes
    ----------
    folder
        A folder of images. Empty when ``hidden`` is used.
    hidden
        A distribution that the program renders first and then forgets. Parameters not named
        here are as the run has them: at their value where they are fixed (at their default where
        they are optimised), and drawn afresh for each target where they are random.
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
        ``fast`` (the scene's own, which draws a whole batch at once), ``solid`` (one viewport draw
        an image), or one of Blender's engines, ``workbench``, ``eevee`` or ``cycles`` (one render
        an image).
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
    blender
        Blender to render with: an executable, ``bpy`` for the module, or empty to choose.
    """

    renderer: RendererName = "fast"
    samples: int | None = None
    denoise: bool = False
    device: RenderDevice = "auto"
    pool: PoolName = "local"
    workers: int = 0
    worker_cpus: float = 1.0
    worker_gpus: float = 0.0
    worker_memory: int = 0
    recycle_after: int = 0
    blender: str = ""

    def filled(self) -> RenderSettings:
        """Return the settings with numbers for what is left to the renderer."""
        samples = SAMPLES[self.renderer].default if self.samples is None else self.samples
        return msgspec.structs.replace(self, samples=samples)

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        if self.renderer not in RENDERERS:
            raise BadSettings(
                f"There is no renderer named {self.renderer!r}; "
                f"choose one of {', '.join(RENDERERS)}."
            )
        settled_samples(self.renderer, self.samples)
        if self.device not in RENDER_DEVICES:
            raise BadSettings(
                f"There is no render device named {self.device!r}; "
                f"choose one of {', '.join(RENDER_DEVICES)}."
            )
        self._check_workers()

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
    """One whole run.

    Attributes
    ----------
    schema
        Version of this layout.
    seed
        Of all that is drawn at random.
    scene, targets, training, rendering
        See their classes.
    parameters
        What becomes of each parameter, by name; of those that are not listed, what the scene says
        (most are fixed at their default). Empty for the scene's example.
    """

    schema: int = SCHEMA
    seed: int = 0
    scene: SceneSettings = SceneSettings()
    targets: TargetSettings = TargetSettings()
    training: TrainingSettings = TrainingSettings()
    rendering: RenderSettings = RenderSettings()
    parameters: dict[str, Role] = {}

    def filled(self) -> RunSettings:
        """Return the settings with numbers for what is left to scene, estimator and renderer."""
        return msgspec.structs.replace(
            self,
            scene=self.scene.filled(self.training.size),
            training=self.training.filled(),
            rendering=self.rendering.filled(),
            parameters=self.roles,
        )

    @property
    def roles(self) -> dict[str, Role]:
        """What becomes of each parameter of the scene, in the scene's order.

        Raises
        ------
        BadSettings
            One is named that the scene does not have.
        """
        kind, scene = self.scene.definition, self.scene.resolve()
        named = self.parameters or kind.example
        for name in named:
            scene.parameter(name)
        return {
            p.name: named.get(p.name) or kind.unlisted.get(p.name) or Fixed(value=p.value)
            for p in kind.parameters
        }

    @property
    def optimised(self) -> tuple[str, ...]:
        """Names of the optimised parameters, in the scene's order."""
        return tuple(n for n, role in self.roles.items() if isinstance(role, Optimise))

    def sampler(self, seed: int | None = None) -> Sampler:
        """Return what makes the rows of this run's scene; its own seed unless another is given."""
        return Sampler(self.scene.resolve(), self.roles, self.seed if seed is None else seed)

    def target_sampler(self) -> Sampler:
        """Return what makes the rows of the hidden targets, whose distribution stands in ``x``."""
        roles: dict[str, Role] = {}
        for name, role in self.roles.items():
            if name in self.targets.hidden:
                role = Optimise(distribution=self.targets.hidden[name])
            elif isinstance(role, Optimise):
                role = Fixed(value=self.scene.resolve().parameter(name).value)
            roles[name] = role
        return Sampler(self.scene.resolve(), roles, self.seed)

    def check(self) -> None:
        """Raise :class:`BadSettings` with the first thing that is wrong and how to mend it."""
        if self.schema != SCHEMA:
            raise BadSettings(
                f"These settings have schema {self.schema}; this version reads {SCHEMA}."
            )
        if not 0 <= self.seed < 2**63:
            raise BadSettings(f"The seed is {self.seed}; give a whole number from 0.")
        self._check_scene()
        self._check_targets()
        self._check_training()

    def _check_scene(self) -> None:
        self.check_rendering()
        scene = self.scene.resolve()
        for parameter in scene.parameters:
            parameter.check()
        for name, role in self.parameters.items():
            role.check(scene.parameter(name))
        if not self.optimised:
            raise BadSettings("No parameter is optimised; choose one at least.")

    def check_rendering(self) -> None:
        """Raise :class:`BadSettings` unless the scene can be rendered so."""
        self.scene.check()
        self.rendering.check()
        offered = self.scene.definition.renderers
        if self.rendering.renderer not in offered:
            raise BadSettings(
                f"The renderer {self.rendering.renderer} cannot draw the scene {self.scene.name}; "
                f"choose one of {', '.join(offered)}."
            )

    def _check_targets(self) -> None:
        targets = self.targets
        if bool(targets.folder) == bool(targets.hidden):
            raise BadSettings(
                "Choose what to match: a folder of target images, or a hidden distribution "
                "(one of the two)."
            )
        for name, distribution in targets.hidden.items():
            self._check_hidden(name, distribution)
        if targets.hidden and targets.count < 2:
            raise BadSettings(f"There are {targets.count} hidden targets; at least 2 are needed.")
        if len(targets.background) != 3 or not all(0 <= c <= 1 for c in targets.background):
            raise BadSettings("The background must be red, green and blue, each from 0 to 1.")

    def _check_hidden(self, name: str, distribution: Distribution) -> None:
        Optimise(distribution=distribution).check(self.scene.resolve().parameter(name))
        role = self.roles[name]
        if isinstance(role, Random) and role.when == "always":
            raise BadSettings(
                f"{name} is random in this run, so that its distribution is given; a hidden one "
                f"cannot be looked for. Optimize {name}, or take it out of the hidden ones."
            )

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
    data = upgraded(data)
    parameters = data.get("parameters", {})
    if isinstance(parameters, dict):
        for name, plain in parameters.items():
            check_plain(name, plain)
    try:
        return msgspec.convert(data, RunSettings)
    except msgspec.ValidationError as error:
        raise BadSettings(f"{where} cannot be used: {error}.") from error


def to_dict(settings: RunSettings) -> dict:
    """Return plain data; :func:`from_dict` turns it back. Settings that are None are left out."""
    return _without_none(msgspec.to_builtins(settings))


def _without_none(value):
    if isinstance(value, dict):
        if value.keys() == set(Distribution.__struct_fields__):
            # What means nothing to its family would only clutter a file.
            value = {key: value[key] for key in FIELDS[value["family"]]}
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(item) for item in value]
    return value
