# SPDX-License-Identifier: GPL-3.0-or-later
"""A render worker, the real one, to which some rows do harm.

What a row does is in its ``n1_1`` (the numbers below). The environment's ``GDR_TEST_ONCE`` is a
folder: what is done is noted there and not done again, by no worker.
"""

import os
import runpy
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon import worker  # noqa: E402
from gdr.gdr_core.messages import RenderReply  # noqa: E402
from gdr.gdr_core.supershape.parameters import INDEX  # noqa: E402

DIE, HANG, GROW, MISSHAPE = 70.0, 71.0, 72.0, 73.0
GROWTH_BYTES = 700 * 2**20
_kept = []


def again(trouble: float) -> bool:
    """Whether the trouble is to be made; says so once where a folder is named."""
    folder = os.environ.get("GDR_TEST_ONCE")
    if not folder:
        return True
    try:
        (Path(folder) / str(trouble)).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


class TroubledService(worker.RenderService):
    def answer(self, request):
        troubles = set(request.rows[:, INDEX["n1_1"]].tolist())
        if DIE in troubles and again(DIE):
            os._exit(9)
        if HANG in troubles and again(HANG):
            time.sleep(3600)
        if GROW in troubles and again(GROW):
            _kept.append(np.ones(GROWTH_BYTES, np.uint8))
            time.sleep(20)
        reply = super().answer(request)
        if MISSHAPE in troubles and again(MISSHAPE):
            return RenderReply(id=reply.id, images=reply.images[:, :5], seconds=reply.seconds)
        return reply


worker.RenderService = TroubledService
worker.main()
