# SPDX-License-Identifier: GPL-3.0-or-later
"""Render workers on a Ray cluster.

:mod:`.transport` has them, :mod:`.worker` is one worker seen from here. :mod:`.actor` travels to
the node, where :mod:`.host` renders if it has the same code (:mod:`.same_code`). How the cluster is
reached is in :mod:`.cluster`, which nodes can have workers in :mod:`.nodes`, how much one call
brings in :mod:`.calls`.
"""
