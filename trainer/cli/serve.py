# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr serve``: the trainer as a child of Blender's window, ordered over a channel."""

from __future__ import annotations

import argparse
import logging
import os

from gdr_core import shared_names
from gdr_core.errors import BadSettings, GdrError

HELP = "serve runs to the Blender that started this process (not for people)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the address and the keys come through the environment."""


def run(args: argparse.Namespace) -> int:
    """Serve runs until there is none to wait for, and leave."""
    from blendtorch import lifeline

    lifeline.watch()
    address = os.environ.get(shared_names.ADDRESS)
    if not address:
        raise BadSettings("gdr serve is started by Blender's extension; use gdr optimize instead.")
    logging.getLogger().setLevel(logging.INFO)
    from ..run.server import Window

    with Window(address) as window:
        try:
            window.serve()
        except GdrError:
            return 1
    return 0
