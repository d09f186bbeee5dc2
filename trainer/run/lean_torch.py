# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes torch start quickly and share the processors. No torch here before it is asked for."""

from __future__ import annotations

import os

_WAIT_POLICY = "OMP_WAIT_POLICY"
_MARKED = ("add_param_group", "zero_grad")
_FOUND = "__dynamo_disable"
"""Where torch (2.1 to 2.13) keeps the function; another torch takes no notice of it."""


def share_processors() -> None:
    """Have torch's threads sleep while they have nothing to do; to be called before its import.

    By default they spin, each of them on a processor that a render worker, Blender's window or
    another program could use. Where there are no more processors than threads, torch waits for its
    own waiting threads: the steps of a run took five times as long on two busy cores.
    """
    os.environ.setdefault(_WAIT_POLICY, "passive")


def leave_compiler_out() -> None:
    """Keep torch's optimizers from importing its compiler, which nothing here uses.

    Some of their methods are marked as none that ``torch.compile`` may look into. The mark imports
    the compiler at the first call, a second and a half and 800 modules, only to ask it for a
    function that does the same as the method. Where the method itself is in the place of that
    function, torch asks no more.
    """
    from torch.optim import Optimizer

    for name in _MARKED:
        method = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if method is not None and getattr(method, _FOUND, None) is None:
            setattr(method, _FOUND, method)
