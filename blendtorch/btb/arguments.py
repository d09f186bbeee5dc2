# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what the launcher passes to a script on its command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def parse_blendtorch_args(
    argv: Sequence[str] | None = None,
) -> tuple[argparse.Namespace, list[str]]:
    """Parse the arguments that come after ``--``.

    Parameters
    ----------
    argv
        Default: ``sys.argv``.

    Returns
    -------
    args : argparse.Namespace
        ``btid`` (number of this instance), ``btseed`` (its seed), ``btsockets`` (dict of name to
        address, for :class:`.DataPublisher` and :class:`.DuplexChannel`).
    remainder : list of str
        All other arguments.

    Raises
    ------
    ValueError
        If there is no ``--``.
    """
    argv = list(argv or sys.argv)
    if "--" not in argv:
        raise ValueError("There are no script arguments: `--` is missing on the command line.")
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-btid", type=int)
    parser.add_argument("-btseed", type=int)
    parser.add_argument("-btsockets", metavar="NAME=ADDRESS", nargs="*", default=[], type=_pair)
    args, remainder = parser.parse_known_args(argv[argv.index("--") + 1 :])
    args.btsockets = dict(args.btsockets)
    return args, remainder


def _pair(text: str) -> tuple[str, str]:
    name, sign, address = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=ADDRESS")
    return name, address
