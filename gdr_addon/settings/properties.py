# SPDX-License-Identifier: GPL-3.0-or-later
"""``scene.gdr``: the settings of a run, saved with the file."""

# No "from __future__ import annotations" here: Blender reads the annotations as values.
import math
from contextlib import ExitStack

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from ...gdr_core.errors import BadSettings
from ...gdr_core.families import Distribution
from ...gdr_core.settings import DEFAULT_ESTIMATOR, PACES, RENDERERS, SIZES, RunSettings
from .. import registration

_DEFAULTS = RunSettings().filled()
_SMALLEST_STD = 1e-4

FAMILY_ITEMS = (
    ("lognormal", "Log-Normal", "Positive; the logarithm is normal"),
    ("normal", "Normal", "Any number"),
    ("bounded", "Bounded", "Between two bounds; a normal pushed through a smooth step"),
)
RELATIVE_PATH = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()
# A file remembers the number and not the name.
ESTIMATOR_ITEMS = (
    (
        "regression",
        "Regression",
        "Posterior regression: read the parameters of each target off its picture. Needs few "
        "renders, stops by itself, stands another light",
        1,
    ),
    (
        "adversarial",
        "Adversarial",
        "The reference method: a discriminator compares targets and renders, and the distribution "
        "follows the score-function gradient of its verdict. Makes all of its steps",
        0,
    ),
)
_RENDERER_TEXTS = {
    "fast": ("Fast", "Draw all images of a batch at once, by a ray for each pixel"),
    "solid": ("Solid", "Draw the viewport once for each image, as the reference method does"),
    "workbench": ("Workbench", "Render each image with Workbench: Solid mode, as a render"),
    "eevee": ("EEVEE", "Render each image with EEVEE"),
    "cycles": ("Cycles", "Render each image with Cycles: shadows and indirect light. Slow"),
}
_DEVICE_ITEMS = (
    ("auto", "Automatic", "A GPU if Cycles finds one, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("gpu", "GPU", "All GPUs that Cycles finds; a run fails if there is none"),
)


def _internal(value: float, distribution: Distribution) -> float | None:
    """Return ``value`` in internal units, or None where the family has no such value."""
    try:
        return distribution.to_internal(value)
    except BadSettings:
        return None


def _readable(mean: str, std: str, end: int):
    """Make the getter and setter of a readable view on the stored ``mean`` and ``std``.

    ``end`` 0 is the middle, -1 and +1 are one spread below and above. Setting the middle keeps
    the spread; setting an end keeps the middle. A value outside the family's support is ignored.
    """

    def get(self) -> float:
        value = self.distribution_of(mean, std).readable()[end + 1]
        return max(-3.4e38, min(3.4e38, value))

    def set(self, value: float) -> None:
        x = _internal(value, self.distribution_of(mean, std))
        if x is None:
            return
        if end == 0:
            setattr(self, mean, x)
        else:
            setattr(self, std, max(_SMALLEST_STD, end * (x - getattr(self, mean))))

    return {"get": get, "set": set}


class GDR_PG_parameter(bpy.types.PropertyGroup):
    """One of the scene's parameters; ``name`` is its identifier."""

    mode: EnumProperty(
        name="Mode",
        description="Whether the run moves this parameter's distribution or leaves it at a value",
        items=(
            ("OPTIMISE", "Optimize", "Find this parameter's distribution"),
            ("FIX", "Fix", "Leave this parameter at one value"),
        ),
        default="FIX",
    )
    family: EnumProperty(
        name="Family",
        description="Kind of distribution",
        items=FAMILY_ITEMS,
        default="lognormal",
    )
    value: FloatProperty(
        name="Value", description="The value at which the parameter is fixed", precision=3
    )
    mean: FloatProperty(
        name="Mean",
        description="Mean of the underlying normal at the start (for log-normal: of the logarithm)",
        precision=3,
        step=5,
    )
    std: FloatProperty(
        name="Spread",
        description="Standard deviation of the underlying normal at the start",
        min=_SMALLEST_STD,
        soft_max=3.0,
        default=0.4,
        precision=3,
        step=5,
    )
    low: FloatProperty(
        name="Lower Bound", description="The parameter is always above this", precision=3
    )
    high: FloatProperty(
        name="Upper Bound",
        description="The parameter is always below this",
        default=1.0,
        precision=3,
    )
    start_value: FloatProperty(
        name="Start",
        description="The middle (median) of the distribution that the run starts from",
        precision=3,
        **_readable("mean", "std", 0),
    )
    start_low: FloatProperty(
        name="From",
        description="One spread below the middle; two in three samples lie between From and To",
        precision=3,
        **_readable("mean", "std", -1),
    )
    start_high: FloatProperty(
        name="To",
        description="One spread above the middle; two in three samples lie between From and To",
        precision=3,
        **_readable("mean", "std", 1),
    )

    hidden: BoolProperty(
        name="Hidden",
        description="Draw this parameter of the hidden targets at random; "
        "else they have the value at which the run fixes it",
    )
    hidden_mean: FloatProperty(
        name="Mean",
        description="Mean of the underlying normal of the hidden targets",
        precision=3,
        step=5,
    )
    hidden_std: FloatProperty(
        name="Spread",
        description="Standard deviation of the underlying normal of the hidden targets",
        min=_SMALLEST_STD,
        soft_max=3.0,
        default=0.1,
        precision=3,
        step=5,
    )
    hidden_value: FloatProperty(
        name="Value",
        description="The middle (median) of the hidden targets",
        precision=3,
        **_readable("hidden_mean", "hidden_std", 0),
    )
    hidden_low: FloatProperty(
        name="From",
        description="One spread below the middle of the hidden targets",
        precision=3,
        **_readable("hidden_mean", "hidden_std", -1),
    )
    hidden_high: FloatProperty(
        name="To",
        description="One spread above the middle of the hidden targets",
        precision=3,
        **_readable("hidden_mean", "hidden_std", 1),
    )

    def distribution_of(self, mean: str = "mean", std: str = "std") -> Distribution:
        """Return the distribution whose mean and spread are stored under these names."""
        return Distribution(
            family=self.family,
            mean=short(getattr(self, mean)),
            std=short(getattr(self, std)),
            low=short(self.low),
            high=short(self.high),
        )


def _change_pace(settings, _context) -> None:
    """Give a newly chosen estimator its own batch and steps, unless the person set others."""
    pace = PACES[settings.estimator]
    if settings.batch in {other.batch for other in PACES.values()}:
        settings.batch = pace.batch
    if settings.steps in {other.steps for other in PACES.values()}:
        settings.steps = pace.steps


class GDR_PG_settings(bpy.types.PropertyGroup):
    """Everything that the panel sets, for one scene."""

    target: EnumProperty(
        name="Targets",
        description="What the renders shall look like",
        items=(
            ("FOLDER", "Folder", "The images of a folder"),
            (
                "HIDDEN",
                "Hidden",
                "Images that are rendered first, from a distribution that the run is not told",
            ),
        ),
        default="HIDDEN",
    )
    folder: StringProperty(
        name="Folder",
        description="Folder of target images",
        subtype="DIR_PATH",
        options=RELATIVE_PATH,
    )
    hidden_count: IntProperty(
        name="Count",
        description="Number of hidden target images",
        default=_DEFAULTS.targets.count,
        min=2,
        soft_max=1024,
    )
    parameters: CollectionProperty(type=GDR_PG_parameter)
    active_parameter: IntProperty(name="Parameter", description="The selected parameter")

    estimator: EnumProperty(
        name="Estimator",
        description="How the distribution is found",
        items=ESTIMATOR_ITEMS,
        default=DEFAULT_ESTIMATOR,
        update=_change_pace,
    )
    batch: IntProperty(
        name="Batch",
        description="Images rendered in each step",
        default=_DEFAULTS.training.batch,
        min=2,
        soft_max=256,
    )
    steps: IntProperty(
        name="Steps",
        description="Number of steps after which the run is done, if it does not end by itself",
        default=_DEFAULTS.training.steps,
        min=1,
        soft_max=1000,
    )
    max_renders: IntProperty(
        name="Max Renders",
        description="Number of renders after which the run is done, 0 for no limit",
        default=_DEFAULTS.training.max_renders,
        min=0,
    )
    seed: IntProperty(
        name="Seed",
        description="The same seed, targets and settings give the same run",
        default=_DEFAULTS.seed,
        min=0,
    )
    size: EnumProperty(
        name="Image Size",
        description="Width and height of the images that are compared",
        items=[(str(size), f"{size} px", f"{size} by {size} pixels") for size in SIZES],
        default=str(_DEFAULTS.training.size),
    )
    renderer: EnumProperty(
        name="Renderer",
        description="How parameters become images",
        items=[(name, *_RENDERER_TEXTS[name]) for name in RENDERERS],
        default=_DEFAULTS.rendering.renderer,
    )
    samples: IntProperty(
        name="Samples",
        description="Samples a pixel, 0 for the renderer's own number",
        default=0,
        min=0,
        soft_max=256,
    )
    denoise: BoolProperty(
        name="Denoise",
        description="Smooth the noise of Cycles away",
        default=_DEFAULTS.rendering.denoise,
    )
    render_device: EnumProperty(
        name="Device",
        description="What Cycles renders on",
        items=_DEVICE_ITEMS,
        default=_DEFAULTS.rendering.device,
    )

    use_preview: BoolProperty(
        name="Preview",
        description="Show the newest samples in the viewport while a run is at work",
        default=True,
    )
    preview_rows: IntProperty(
        name="Rows",
        description="Rows and columns of the preview's grid of shapes",
        default=4,
        min=1,
        max=8,
    )
    preview_frame: BoolProperty(
        name="Frame at Start",
        description="Turn the viewport's attention to the preview when a run starts "
        "(never while looking through a camera)",
        default=True,
    )
    preview_keep: BoolProperty(
        name="Keep at End",
        description="Leave the preview in the scene when the run ends",
        default=True,
    )


def short(value: float) -> float:
    """Return a single-precision value as the number that was typed: 0.1, not 0.10000000149."""
    return float(f"{value:.7g}") if math.isfinite(value) else value


def register(stack: ExitStack) -> None:
    """Add ``scene.gdr``."""
    registration.classes(stack, (GDR_PG_parameter, GDR_PG_settings))
    registration.attribute(stack, bpy.types.Scene, "gdr", PointerProperty(type=GDR_PG_settings))
