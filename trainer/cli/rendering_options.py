# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how parameters become images, the same for every verb that renders."""

from __future__ import annotations

import argparse

import msgspec

from gdr_core.sampling import SAMPLES
from gdr_core.settings import RENDER_DEVICES, RENDERERS, RenderSettings

NAMES = ("renderer", "samples", "denoise", "render_device")
"""Of the arguments that :func:`add_to` adds."""


def add_to(group: argparse._ActionsContainer) -> None:
    """Declare the options."""
    own = ", ".join(f"{SAMPLES[name].default} for {name}" for name in RENDERERS)
    group.add_argument("--renderer", metavar="NAME", help=f"{', '.join(RENDERERS)} (fast)")
    group.add_argument("--samples", metavar="N", type=int, help=f"samples a pixel ({own})")
    group.add_argument(
        "--denoise", action="store_true", default=None, help="denoise the pictures of cycles"
    )
    group.add_argument(
        "--render-device",
        metavar="NAME",
        help=f"what cycles renders on: {', '.join(RENDER_DEVICES)} (auto)",
    )


def applied(base: RenderSettings, args: argparse.Namespace) -> RenderSettings:
    """Return the settings with the options that were given; they are not checked."""
    if args.renderer not in (None, base.renderer):
        # The file's number was meant for the file's renderer.
        base = msgspec.structs.replace(base, samples=None)
    given = {
        "renderer": args.renderer,
        "samples": args.samples,
        "denoise": args.denoise,
        "device": args.render_device,
    }
    return msgspec.structs.replace(
        base, **{name: value for name, value in given.items() if value is not None}
    )
