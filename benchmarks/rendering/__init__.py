# SPDX-License-Identifier: GPL-3.0-or-later
"""How many images a second the renderers make, through the whole path.

A request leaves the trainer, a Blender of its own renders it, and the images are back in the
trainer as a torch tensor. All ways have one such Blender each, draw the same shapes, those of the
reference's experiment, and take turns, so that other load falls on each of them alike.

    python -m benchmarks.rendering --markdown rendering.md --json rendering.json

:mod:`.ways` are our own ways and the reference's, whose Blender runs ``reference_worker.py``;
:mod:`.report` makes the table.
"""
