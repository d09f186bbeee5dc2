# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers: separate Blenders that are watched and replaced.

:mod:`.dispatcher` hands jobs to the workers of a :mod:`.transport`, of which there are two:
:mod:`.local_transport` for this computer, with a Blender in each :mod:`.local_worker`, and
:mod:`.on_ray` for a cluster. :mod:`.choice` sets the number of workers, :mod:`.batch` cuts a batch
into jobs, :mod:`.patience` limits the time of an answer, :mod:`.memory` measures memory, and
:mod:`.notices` notifies a person.
"""
