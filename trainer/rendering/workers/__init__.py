# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers: separate Blenders that are watched and replaced.

:mod:`.dispatcher` hands out work, to whom a :mod:`.transport` reaches: :mod:`.local_transport` the
workers of this computer, each a :mod:`.local_worker`, and :mod:`.on_ray` those of a cluster. How
many there are is in :mod:`.choice`, how a batch is divided in :mod:`.batch`, how long an answer may
take in :mod:`.patience`, how much memory there is and is used in :mod:`.memory`, and what a person
is told of it in :mod:`.notices`.
"""
