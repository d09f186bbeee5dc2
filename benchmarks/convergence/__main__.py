# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: run what is missing, then write the tables and the figure."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from pathlib import Path

from blendtorch import lifeline

from . import report, sheets
from .contestants import CONTESTANTS
from .job import Job
from .scene import ROOT
from .store import Store
from .tasks import TASKS
from .worker import LOG, work, work_in_parallel

FULL = {
    "tasks": list(TASKS),
    "estimators": list(CONTESTANTS),
    "seeds": 20,
    "out": ROOT / "runs" / "convergence",
}
QUICK = {
    "tasks": ["reference", "six", "all"],
    "estimators": list(CONTESTANTS),
    "seeds": 2,
    "limit": 200,
    "out": ROOT / "runs" / "convergence-quick",
}


def main(arguments: list[str]) -> int:
    args = _parse(arguments)
    store = Store(args.out.resolve(), args.fresh)
    jobs = _jobs(args)
    if args.sheets:
        sheets.write(store.folder, args.tasks)
        return 0
    if args.worker:
        lifeline.watch()
        work(jobs, store)
        os._exit(0)  # Blender's own tidying up has nothing to save, and may crash.
    for name in args.estimators:
        if CONTESTANTS[name].missing:
            print(CONTESTANTS[name].missing)
    missing = [job for job in jobs if not store.has(job)]
    if missing and not args.report:
        if not importlib.util.find_spec("bpy"):
            print(
                "Nothing can be rendered here: pip install bpy, for Python 3.11.", file=sys.stderr
            )
            return 2
        print(f"{len(jobs)} runs, {len(jobs) - len(missing)} of them done.", flush=True)
        given = [*arguments, "--out", str(store.folder)]
        try:
            work_in_parallel(jobs, store, min(args.jobs, len(missing)), given)
        except KeyboardInterrupt:
            print("Interrupted. What is done is kept; the same command goes on.", file=sys.stderr)
            return 130
        missing = [job for job in jobs if not store.has(job)]
    print(report.write(store, jobs))
    for job in missing:
        print(f"Missing: {job.task}, {job.contestant}, seed {job.seed}.", file=sys.stderr)
    if missing and not args.report:
        print(f"{store.folder / LOG} says why.", file=sys.stderr)
    return 1 if missing and not args.report else 0


def _jobs(args: argparse.Namespace) -> list[Job]:
    return [
        Job(task, contestant, seed, args.limit)
        for seed in range(args.seeds)
        for task in args.tasks
        for contestant in args.estimators
        if not CONTESTANTS[contestant].missing
    ]


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks.convergence", description=__doc__)
    parser.add_argument("--tasks", type=_names(TASKS), help="by commas; default: all")
    parser.add_argument("--estimators", type=_names(CONTESTANTS), help="by commas; default: all")
    parser.add_argument("--seeds", type=int, help="default: 20")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--limit", type=int, help="renders a run may make at most")
    parser.add_argument("--out", type=Path, help="default: runs/convergence")
    parser.add_argument("--quick", action="store_true", help="about a minute, to see that it works")
    parser.add_argument("--fresh", action="store_true", help="redo what other sources have done")
    parser.add_argument("--report", action="store_true", help="run nothing, write the tables")
    parser.add_argument("--sheets", action="store_true", help="only draw the targets")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    defaults = QUICK if args.quick else FULL
    for name, value in defaults.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def _names(known: dict[str, object]):
    def parse(text: str) -> list[str]:
        names = text.split(",")
        for name in names:
            if name not in known:
                raise argparse.ArgumentTypeError(f"no {name!r}; there are {', '.join(known)}")
        return names

    return parse


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
