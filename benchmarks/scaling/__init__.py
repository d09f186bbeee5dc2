# SPDX-License-Identifier: GPL-3.0-or-later
"""What more workers are worth, on this computer and on a cluster: makes ``docs/scaling.md``.

    python -m benchmarks.scaling [--repetitions 15] [--out FILE.json]

:mod:`.ways` are the pools that are compared, :mod:`.worker` a render worker that takes a time that
is asked for, :mod:`.model` what is fitted and what it predicts.
"""
