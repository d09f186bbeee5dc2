# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that say where render workers are and how they are kept, alike for every command."""

from __future__ import annotations

import argparse

import msgspec

from gdr_core.settings import POOLS, RenderSettings

NAMES = ("pool", "workers", "worker_memory", "recycle_after", "worker_cpus", "worker_gpus")
"""Of the arguments, and of :class:`~gdr_core.settings.RenderSettings`."""


def add_arguments(parser: argparse._ActionsContainer) -> None:
    """Declare the options."""
    parser.add_argument(
        "--renderer-pool",
        dest="pool",
        metavar="NAME",
        help=f"where render workers are: {' or '.join(POOLS)}, a cluster (local)",
    )
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
    parser.add_argument(
        "--worker-cpus",
        metavar="N",
        type=float,
        help="CPUs of its node that a worker takes on a cluster (1)",
    )
    parser.add_argument(
        "--worker-gpus",
        metavar="N",
        type=float,
        help="GPUs of its node that a worker takes on a cluster, also parts of one (0)",
    )


def applied(rendering: RenderSettings, args: argparse.Namespace) -> RenderSettings:
    """Return the settings with what was given on the command line."""
    given = {name: getattr(args, name) for name in NAMES if getattr(args, name) is not None}
    return msgspec.structs.replace(rendering, **given)
