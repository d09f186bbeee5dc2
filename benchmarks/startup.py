# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes from the command, or the click, to the first image and to a converged result.

    python benchmarks/startup.py [--repeat 5] [--against FOLDER]

Cold: ``gdr optimize`` on the demo, a process of its own each time. Warm: what the panel does, runs
of the demo one after the other from one trainer, the first of which is cold. Prints medians and
ranges; with another checkout of this repository, both in alternation.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEMO = ["--hidden", "m1=2.25:0.1", "--hidden", "m2=2.25:0.1", "--seed", "0"]
EVENTS = {
    "settings checked": ": Starting Blender to render",
    "workers launched": ": Started instance",
    "torch imported": ": Rendering 64 hidden targets",
    "first images": ": Optimizing on",
    "converged": ": Comparing the result",
    "result written": ": Done after",
}
WARM_RUNS = 3
TIMEOUT_S = 300.0


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--repeat", type=int, default=5, help="times (5)")
    arguments.add_argument("--against", type=Path, help="another checkout, measured in turns")
    options = arguments.parse_args()
    roots = {"here": ROOT}
    if options.against:
        roots["there"] = options.against.resolve()
    cold = {name: defaultdict(list) for name in roots}
    warm = defaultdict(list)
    for _ in range(options.repeat):
        for name, root in roots.items():
            for event, seconds in command(root).items():
                cold[name][event].append(seconds)
        for event, seconds in clicks().items():
            warm[event].append(seconds)
    for name, found in cold.items():
        print(f"gdr optimize, {roots[name]}")
        _print(found)
    print(f"runs from one trainer, {ROOT}")
    _print(warm)
    return 0


def command(root: Path) -> dict[str, float]:
    """Return the seconds from the start of ``gdr optimize`` to each event, and to its end."""
    with tempfile.TemporaryDirectory(prefix="gdr-bench-") as name:
        out = Path(name) / "run"
        argv = [sys.executable, "-m", "trainer", "optimize", "--quiet", *DEMO, "--out", str(out)]
        env = {**os.environ, "PYTHONPATH": str(root)}
        began = time.time()
        subprocess.run(argv, cwd=root, env=env, check=True, timeout=TIMEOUT_S)
        ended = time.time()
        found = {name: at - began for name, at in _events(out / "trainer.log").items()}
        return {**found, "process ended": ended - began}


def clicks() -> dict[str, float]:
    """Return the seconds from the order to the first image, and to converged, of several runs."""
    from blendtorch import btb, lifeline
    from blendtorch.credentials import Credentials

    found = {}
    keys = Credentials.new()
    with (
        tempfile.TemporaryDirectory(prefix="gdr-bench-") as name,
        btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys, timeoutms=60_000) as channel,
    ):
        env = {**os.environ, **keys.to_env(), "GDR_ADDRESS": channel.address}
        argv = [sys.executable, "-m", "trainer", "serve"]
        trainer = lifeline.spawn(argv, env={**env, "PYTHONPATH": str(ROOT)}, cwd=ROOT)
        try:
            for number in range(1, WARM_RUNS + 1):
                out = Path(name) / str(number)
                began = time.time()
                _run(channel, out)
                events = _events(out / "trainer.log")
                for event in ("first images", "converged"):
                    found[f"run {number}: {event}"] = events[event] - began
                start = json.loads((out / "result.json").read_text())["seconds"]["start"]
                found[f"run {number}: as result.json says"] = start
        finally:
            lifeline.stop([trainer])
    return found


def _run(channel, out: Path) -> None:
    """Order a run of the demo and wait for its end."""
    from gdr_core import messages, settings
    from gdr_core.families import Distribution
    from gdr_core.settings import RunSettings, TargetSettings

    hidden = {name: Distribution(mean=2.25, std=0.1) for name in ("m1", "m2")}
    plain = settings.to_dict(RunSettings(targets=TargetSettings(hidden=hidden)))
    channel.send(**messages.pack(messages.StartRun(settings=plain, out=str(out), keep=60.0)))
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        data = channel.recv(timeoutms=200)
        if data is not None and isinstance(messages.unpack(data), messages.Finished):
            return
    raise TimeoutError(f"no end within {TIMEOUT_S:.0f} s; see {out}")


def _events(log: Path) -> dict[str, float]:
    """Return when, in seconds since 1970, each event is first named in a run's log."""
    found: dict[str, float] = {}
    for line in log.read_text(encoding="utf-8").splitlines():
        stamp = re.match(r"(\S+ \S+),(\d{3}) ", line)
        for event, words in EVENTS.items():
            if stamp and event not in found and words in line:
                when = datetime.strptime(stamp[1], "%Y-%m-%d %H:%M:%S")
                found[event] = when.timestamp() + int(stamp[2]) / 1000
    return found


def _print(found: dict[str, list[float]]) -> None:
    for event, seconds in found.items():
        middle, low, high = statistics.median(seconds), min(seconds), max(seconds)
        print(f"  {event:34} {middle:6.2f} s  ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
