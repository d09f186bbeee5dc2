# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender without its report on every render."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def quiet() -> Iterator[None]:
    """Throw away what is printed on standard output; does nothing in a window.

    A Blender without a window prints each step of a render there, up to Blender 4.5 some 2 kB an
    image, which is what would fill a worker's log. Standard error is left as it is.
    """
    if not bpy.app.background:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
