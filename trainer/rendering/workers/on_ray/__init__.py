# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers on a Ray cluster.

:mod:`.pool` is the pool, :mod:`.worker` one worker seen from here. :mod:`.actor` travels to the
node, where :mod:`.host` renders if it has the same code (:mod:`.same_code`). How the cluster is
reached is in :mod:`.cluster`, how much one call brings in :mod:`.calls`.
"""
