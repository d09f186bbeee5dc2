# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that two processes must agree on, beside the messages: variables, files, a socket."""

from __future__ import annotations

ADDRESS = "GDR_ADDRESS"
"""Environment variable with the window's endpoint, to which the trainer connects."""
RAY_ADDRESS = "RAY_ADDRESS"
"""Ray's own environment variable with the address of its cluster."""
WORKER_SITE_PACKAGES = "GDR_WORKER_SITE_PACKAGES"
"""Environment variable with the folders in which a render worker finds zmq and msgspec."""
BLENDER = "GDR_BLENDER"
"""Environment variable with the Blender to use, an executable or ``bpy``."""

WORKER_SOCKET = "CTRL"
"""The socket that a render worker opens and the render pool connects to."""

TRAINER_LOG = "trainer.log"
"""What the trainer logged, in the run folder."""
OUTPUT_LOG = "trainer-output.log"
"""What the process of the window's trainer printed, in the run folder."""
IMAGES = "images"
"""The folder with the contact sheets, in the run folder."""
TARGET_SHEET = "real"
"""The contact sheet of the targets, a PNG in :data:`IMAGES`, without its suffix."""
