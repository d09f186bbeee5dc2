# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers: separate Blenders that are watched and replaced.

:mod:`.local_pool` is the pool, :mod:`.worker` one worker. How many there are is in :mod:`.choice`,
how a batch is divided in :mod:`.batch`, how long an answer may take in :mod:`.patience`, how much
memory there is and is used in :mod:`.memory`. The same on a Ray cluster: :mod:`.on_ray`.
"""
