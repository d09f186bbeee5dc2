# SPDX-License-Identifier: GPL-3.0-or-later
"""A render worker, the real one, that can also take a given time instead of rendering.

Where a row's ``n1_1`` is 1000 or more, what is above is the milliseconds that each image takes.
The worker then sleeps and gives black images, so that more workers than cores do not get in each
other's way.
"""

import runpy
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
runpy.run_path(str(ROOT / "gdr_addon" / "standalone.py"))["load"]()

from gdr.gdr_addon import worker  # noqa: E402
from gdr.gdr_core.messages import RenderReply  # noqa: E402
from gdr.gdr_core.supershape.parameters import INDEX  # noqa: E402

TIMED = 1000.0


class TimedService(worker.RenderService):
    """Renders, or sleeps."""

    def answer(self, request):
        """See the base class."""
        times = request.rows[:, INDEX["n1_1"]] - TIMED
        if times[0] < 0:
            return super().answer(request)
        started, seconds = time.perf_counter(), float(times.sum()) / 1000
        images = np.zeros((len(times), request.size, request.size, 3), np.uint8)
        time.sleep(max(0.0, seconds - (time.perf_counter() - started)))
        return RenderReply(id=request.id, images=images, seconds=time.perf_counter() - started)


worker.RenderService = TimedService
worker.main()
