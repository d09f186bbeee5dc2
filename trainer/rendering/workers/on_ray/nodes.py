# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a cluster as places for workers: which have room, and which cannot render."""

from __future__ import annotations

import math
from typing import Any

from gdr_core.settings import RenderSettings

from ..choice import WORKER_MB
from ..memory import MB
from .cluster import Cluster


class Nodes:
    """Nodes that have room for workers, as they were when they were last looked at.

    Parameters
    ----------
    cluster
        That has them.
    rendering
        ``worker_cpus``, ``worker_gpus`` and ``worker_memory`` are used.

    Attributes
    ----------
    room
        Workers that all of them together have room for.
    refusals
        By node, a sentence on why it cannot render.
    """

    def __init__(self, cluster: Cluster, rendering: RenderSettings):
        self.room = 0
        self.refusals: dict[str, str] = {}
        self._cluster = cluster
        self._troubles: list[str] = []
        devices = {"CPU": rendering.worker_cpus, "GPU": rendering.worker_gpus}
        self._devices = {name: much for name, much in devices.items() if much}
        self._memory = math.ceil(rendering.worker_memory or WORKER_MB) * MB

    def look(self) -> None:
        """Take in which nodes there are."""
        nodes = self._cluster.nodes()
        needs = self._devices | {"memory": self._memory}
        self.room = sum(node.fits(needs) for node in nodes if node.id not in self.refusals)
        self._troubles = [self.refusals[node.id] for node in nodes if node.id in self.refusals]

    @property
    def trouble(self) -> str:
        """Why none of the nodes that are there can render, a sentence; empty if one could."""
        return "" if self.room or not self._troubles else self._troubles[-1]

    @property
    def needs(self) -> str:
        """What a worker takes of its node, in words."""
        devices = [f"{much:g} {name}s" for name, much in self._devices.items()]
        return ", ".join([*devices, f"{self._memory / MB:.0f} MB of memory"])

    def options(self) -> dict[str, Any]:
        """Return a worker's options for Ray: its needs, and where it must not be."""
        options: dict[str, Any] = {
            "num_cpus": self._devices.get("CPU", 0),
            "num_gpus": self._devices.get("GPU", 0),
            "memory": self._memory,
            "max_restarts": -1,
            "max_task_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
        if self.refusals:
            options["label_selector"] = {"ray.io/node-id": f"!in({','.join(self.refusals)})"}
        return options
