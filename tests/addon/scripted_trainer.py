# SPDX-License-Identifier: GPL-3.0-or-later
"""A trainer's process that speaks the protocol and misbehaves on request.

Started by the session's tests in place of ``python -m trainer serve``; the first argument names
what it does.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from blendtorch import btt, lifeline
from gdr_core.messages import (
    Conclusion,
    Finished,
    PauseRun,
    Progress,
    ResumeRun,
    RunStatus,
    Samples,
    StartRun,
    Status,
    StopRun,
    Targets,
    pack,
    unpack,
)
from gdr_core.settings import RunSettings

STEPS = 5

ROW = RunSettings().scene.resolve().row()


class Trainer:
    def __init__(self):
        self.channel = btt.DuplexChannel(os.environ["GDR_ADDRESS"], timeoutms=10_000, lingerms=2000)
        self.paused = self.stopping = False
        self.out = ""
        self.steps = STEPS

    def say(self, message):
        self.channel.send(**pack(message))

    def status(self, status, text):
        self.say(Status(status=status, text=text))

    def begin(self):
        order = unpack(self.channel.recv(timeoutms=30_000))
        while not isinstance(order, StartRun):  # Of the run before, come too late.
            assert isinstance(order, StopRun), order
            order = unpack(self.channel.recv(timeoutms=30_000))
        assert order.settings["schema"] == 2
        self.out = order.out
        self.paused = self.stopping = False
        self.status(RunStatus.STARTING, "Starting")
        sheet = np.zeros((16, 16, 3), dtype=np.uint8)
        self.say(Targets(sheet=sheet, count=64, text="One file was skipped."))
        self.status(RunStatus.RUNNING, "Optimizing")

    def listen(self):
        while (data := self.channel.recv(timeoutms=0)) is not None:
            order = unpack(data)
            if isinstance(order, PauseRun):
                self.paused = True
                self.status(RunStatus.PAUSED, "Paused")
            elif isinstance(order, ResumeRun):
                self.paused = False
                self.status(RunStatus.RUNNING, "Optimizing")
            elif isinstance(order, StopRun):
                self.stopping = True

    def step(self, number):
        self.say(
            Progress(
                step=number,
                steps=self.steps,
                renders=64 * number,
                seconds=float(number),
                eta_seconds=float(self.steps - number),
                d_real=0.9,
                d_sim=0.1,
                mean={"m1": 1.2 + number, "m2": 3.0 - number / 10},
                std={"m1": 0.3, "m2": 0.2},
            )
        )
        self.say(Samples(step=number, rows=np.stack([ROW + number] * 16)))

    def run(self, pause=0.02):
        for number in range(self.steps + 1):
            self.listen()
            while self.paused and not self.stopping:
                time.sleep(0.01)
                self.listen()
            if self.stopping:
                self.finish(RunStatus.IDLE, f"Stopped after {number} steps")
                return
            self.step(number)
            time.sleep(pause)
        self.finish(RunStatus.DONE, f"Done after {self.steps} steps")

    def finish(self, status, text):
        self.say(Conclusion(differences=("The targets are noisier.",), mean_error={"m1": 0.01}))
        truth = {"m1": (2.25, 0.1), "m2": (2.25, 0.1)}
        self.say(Finished(status=status, text=text, folder=self.out, truth=truth))


def main():
    what = sys.argv[1]
    if not what.startswith("speaks-last"):
        lifeline.watch()
    if what == "dies-at-start":
        sys.exit("ImportError: No module named 'torch'")
    if what == "never-connects":
        time.sleep(600)
    if what == "never-connects-and-ignores-terminate":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if what.startswith("exits-first"):
        # Another process has the conversation, and says its last words after this one's end.
        arguments = [sys.executable, __file__, what.replace("exits-first", "speaks-last")]
        subprocess.Popen(arguments, stdout=subprocess.PIPE).stdout.readline()
        os._exit(0)
    trainer = Trainer()
    if what in ("hangs-up-at-the-start", "speaks-unasked-and-dies"):
        while not trainer.channel.connected:
            time.sleep(0.01)
        if what == "hangs-up-at-the-start":
            hang_up(trainer)
        trainer.status(RunStatus.RUNNING, "At work")
        trainer.channel.close()
        sys.exit(5)
    trainer.begin()
    if what == "slow":
        trainer.steps = 10_000
    if what == "dies-mid-run":
        trainer.step(0)
        time.sleep(0.2)
        print("MemoryError: out of memory", file=sys.stderr, flush=True)
        os._exit(3)
    if what == "hangs-at-stop":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        Path(trainer.out, "hanging").touch()
        time.sleep(600)
    if what == "hangs-up-at-stop":
        while not trainer.stopping:
            trainer.listen()
        hang_up(trainer)
    if what == "finishes-when-terminated":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        Path(trainer.out, "hanging").touch()
        try:
            time.sleep(600)
        finally:
            trainer.finish(RunStatus.IDLE, "Saved")
            trainer.channel.close()
    if what == "hangs-up-and-leaves":
        trainer.channel.close()
        time.sleep(0.3)
        os._exit(4)
    if what.startswith("speaks-last"):
        print("connected", flush=True)
        time.sleep(2.0 if what.endswith("too-late") else 0.25)
        trainer.finish(RunStatus.DONE, "Done")
    if what == "hangs-after-finish":
        trainer.finish(RunStatus.DONE, "Done")
        time.sleep(600)
    if what == "fails":
        trainer.finish(RunStatus.FAILED, "The folder is empty; put images into it.")
        trainer.channel.close()
        sys.exit(1)
    if what == "floods":
        trainer.steps = 5000
        trainer.run(pause=0.0)
    elif what == "closes-the-channel":
        hang_up(trainer)
    elif what == "talks-nonsense":
        trainer.channel.send(kind="nonsense", x=1)
        trainer.channel.send(hello="world")
        trainer.run()
    elif what == "stays":
        trainer.run()
        trainer.begin()
        trainer.run()
    elif what == "stays-and-is-deaf":
        trainer.run()
        if not Path(trainer.out, "deaf").exists():
            Path(trainer.out, "deaf").touch()
            time.sleep(600)
    elif what == "stays-and-hangs-up":
        trainer.run()
        trainer.channel.recv(timeoutms=30_000)
        hang_up(trainer)
    elif what == "stays-and-is-slow":
        trainer.run()
        time.sleep(0.5)
        trainer.begin()
        trainer.run()
    elif not what.startswith("speaks-last"):
        trainer.run()
    trainer.channel.close()


def hang_up(trainer):
    trainer.channel.close()
    time.sleep(600)


if __name__ == "__main__":
    main()
