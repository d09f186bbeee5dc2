# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say how this computer's render workers are kept; every command has the same."""

from __future__ import annotations

import argparse

import msgspec

from gdr_core.settings import RenderSettings

NAMES = ("workers", "worker_memory", "recycle_after")


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare the options."""
    parser.add_argument(
        "--workers", metavar="N", type=int, help="render workers (0: chosen by cores and memory)"
    )
    parser.add_argument(
        "--worker-memory",
        metavar="MB",
        type=int,
        help="replace a render worker that uses more memory (0: no limit)",
    )
    parser.add_argument(
        "--recycle-after",
        metavar="N",
        type=int,
        help="replace a render worker by a fresh one after so many images (0: never)",
    )


def applied(rendering: RenderSettings, args: argparse.Namespace) -> RenderSettings:
    """Return the settings with what was given on the command line."""
    given = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    return msgspec.structs.replace(rendering, **given)
