# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands where Blender's window stands: it binds the channel and starts the trainer."""

import csv
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from blendtorch import btb, lifeline
from blendtorch.credentials import Credentials
from gdr_core import messages, settings
from gdr_core.families import Distribution
from gdr_core.settings import (
    RenderSettings,
    RunSettings,
    SceneSettings,
    TargetSettings,
    TrainingSettings,
)

ROOT = Path(__file__).parents[2]
SETTINGS = RunSettings(
    targets=TargetSettings(hidden={"m1": Distribution(mean=2.25, std=0.1)}, count=8),
    training=TrainingSettings(size=32, batch=8, steps=5),
    scene=SceneSettings(options={"grid": [16, 16]}),
    rendering=RenderSettings(workers=1),
)
ENDLESS = RunSettings(
    scene=SETTINGS.scene,
    targets=SETTINGS.targets,
    training=TrainingSettings(estimator="adversarial", size=32, batch=8, steps=1_000_000),
    rendering=SETTINGS.rendering,
)


class Blender:
    """Blender's window, as far as the trainer can tell."""

    def __init__(self, out: Path):
        self.out = out
        self.seen: list[messages.Message] = []
        keys = Credentials.new()
        self.channel = btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys, timeoutms=60_000)
        env = os.environ | keys.to_env() | {"GDR_ADDRESS": self.channel.address}
        env["PYTHONPATH"] = str(ROOT)
        self.trainer = lifeline.spawn([sys.executable, "-m", "trainer", "serve"], env=env)

    def send(self, message):
        self.channel.send(**messages.pack(message))

    def start(self, run: RunSettings, **more):
        self.send(messages.StartRun(settings=settings.to_dict(run), out=str(self.out), **more))

    def run(self, run: RunSettings, name: str, keep: float = 60.0) -> messages.Finished:
        """Order a run into a folder of its own, after which the trainer stays; return its end."""
        self.out = self.out.with_name(name)
        self.out.mkdir()
        self.seen.clear()
        self.start(run, keep=keep, output=str(self.out / "trainer-output.log"))
        return self.until(lambda m: isinstance(m, messages.Finished))

    def history(self) -> list[dict[str, str]]:
        """Return the newest run's steps without the column that no two runs share."""
        with (self.out / "history.csv").open(newline="") as file:
            return [
                {k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)
            ]

    def until(self, wanted, seconds=60.0):
        """Read messages until ``wanted(message)``; return that message."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            data = self.channel.recv(timeoutms=200)
            if data is not None:
                self.seen.append(messages.unpack(data))
                if wanted(self.seen[-1]):
                    return self.seen[-1]
        pytest.fail(f"Not seen within {seconds} s; the last messages: {self.seen[-3:]}")

    def last_step(self) -> int:
        """Return the last step in the history file."""
        lines = (self.out / "history.csv").read_text().rpartition("\n")[0].splitlines()
        return int(lines[-1].split(",")[0])

    def until_step(self, step):
        return self.until(lambda m: isinstance(m, messages.Progress) and m.step >= step)

    def until_finished(self):
        finished = self.until(lambda m: isinstance(m, messages.Finished))
        assert self.trainer.wait(15) in (0, 1)
        return finished


def family(process) -> list[psutil.Process]:
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


def workers(process) -> list[psutil.Process]:
    """Return the render workers of a trainer."""
    return family(process)[1:]
