# SPDX-License-Identifier: GPL-3.0-or-later
"""What travels to a node of the cluster: a Ray actor around one render worker.

The class is sent as it stands here, so that it arrives on a node that has not this code, or another
version of it, and can say so. Hence it imports nothing of ours before :meth:`RenderActor.start`;
all else is :mod:`.host`, of which the node must have the same version.
"""

from __future__ import annotations

import socket
from typing import Any

import ray


class RenderActor:
    """One render worker on a node. Orders and answers are plain data."""

    def __init__(self) -> None:
        self._host = self._order = None

    def start(self, order: dict[str, Any]) -> dict[str, Any]:
        """Start the worker, if there is none of this order yet, and say what it is.

        Parameters
        ----------
        order
            ``code`` (:func:`.same_code.code_id`), ``settings`` (a run's, as plain data) and
            ``script`` (the worker's, from the folder that has the code).

        Returns
        -------
        dict
            ``node`` and ``host`` say where this is; ``trouble`` is empty or why nothing can be
            rendered here, a sentence; ``blender`` and ``device`` are what the worker said.
        """
        answer = {"node": ray.get_runtime_context().get_node_id(), "host": socket.gethostname()}
        answer |= {"trouble": "", "blender": "", "device": ""}
        try:
            from gdr_core.errors import GdrError
            from trainer.rendering.workers.on_ray import host, same_code
        except ImportError as error:
            return answer | {
                "trouble": f"its Python cannot import the code that renders ({error}). Install "
                f'the same version there as here, with pip install ".[ray,blender]" in its folder, '
                f"and restart Ray on it."
            }
        if same_code.code_id() != order["code"]:
            return answer | {
                "trouble": f"it has gdr {same_code.code_id()}, and this computer "
                f"{order['code']}. Install the same version on both, and restart Ray on the node."
            }
        if self._order != order:
            self.stop()
            try:
                self._host, self._order = host.RayHost(order), order
            except GdrError as error:
                return answer | {"trouble": str(error)}
        return answer | self._host.description

    def render(self, jobs: list[dict[str, Any]], count: int) -> tuple:
        """See :meth:`.host.RayHost.render`."""
        return self._host.render(jobs, count)

    def pulse(self) -> None:
        """Answer, which a process that hangs does not."""

    def stop(self) -> None:
        """End the worker and tidy up."""
        host, self._host, self._order = self._host, None, None
        if host is not None:
            host.close()
