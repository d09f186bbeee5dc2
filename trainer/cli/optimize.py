# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr optimize``: find the distribution that produced the targets."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

import msgspec

from gdr_core import settings as settings_module
from gdr_core.errors import BadSettings
from gdr_core.roles import Fixed, Optimise, Role
from gdr_core.settings import DEFAULT_ESTIMATOR, PACES, SIZES, RunSettings

from . import rendering_options, scene_options, values, worker_options

HELP = "find the distribution over the scene's parameters that produced the target images"
EXIT_INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = values.listed(RunSettings().scene.resolve())
    what = parser.add_argument_group("what to match (one of the two)")
    what.add_argument("--targets", metavar="DIR", help="a folder of target images")
    what.add_argument(
        "--hidden",
        metavar="NAME=MEAN:STD",
        action="append",
        help="render targets from this distribution first, then forget it (repeat)",
    )
    what.add_argument("--hidden-count", metavar="N", type=int, help="hidden targets (64)")
    model = parser.add_argument_group("the distribution (means and spreads as in result.json)")
    model.add_argument(
        "--start",
        metavar="NAME=MEAN:STD",
        action="append",
        help=f"optimise this parameter from here (repeat; {_example()})",
    )
    model.add_argument(
        "--fix",
        metavar="NAME=VALUE",
        action="append",
        help="keep this parameter here (repeat; the others at their defaults)",
    )
    model.add_argument(
        "--family",
        metavar="NAME=FAMILY",
        action="append",
        help="lognormal (default), normal, or bounded:LOW:HIGH (repeat)",
    )
    how = parser.add_argument_group("how")
    names = f"{' or '.join(PACES)} ({DEFAULT_ESTIMATOR})"
    batches, steps = (
        ", ".join(f"{getattr(pace, what)} for {name}" for name, pace in PACES.items())
        for what in ("batch", "steps")
    )
    how.add_argument("--estimator", metavar="NAME", help=names)
    how.add_argument("--batch", metavar="N", type=int, help=f"renders a step ({batches})")
    how.add_argument(
        "--steps", metavar="N", type=int, help=f"steps at most; regression ends by itself ({steps})"
    )
    how.add_argument("--max-renders", metavar="N", type=int, help="end after so many renders")
    how.add_argument(
        "--size", metavar="PX", type=int, help=f"image size, {', '.join(map(str, SIZES))} (64)"
    )
    scene_options.add_to(how)
    rendering_options.add_to(how)
    worker_options.add_arguments(how)
    how.add_argument(
        "--seed", metavar="N", type=int, help="the same one makes the same run again (0)"
    )
    how.add_argument(
        "--device", metavar="NAME", help="where torch computes: auto, cpu, cuda, mps (auto)"
    )
    files = parser.add_argument_group("files")
    files.add_argument("--config", metavar="FILE", help="settings of an earlier run's config.toml")
    files.add_argument("--resume", metavar="RUN", help="go on with the run in this folder")
    files.add_argument("--out", metavar="DIR", help="the run folder to make")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")
    parser.add_argument("--verbose", action="store_true", help="show the estimator's own lines")


def _example() -> str:
    """Return where a run starts that names no start."""
    starts = RunSettings().sampler().start.items()
    return " and ".join(f"{name}={start.mean:g}:{start.std:g}" for name, start in starts)


def run(args: argparse.Namespace) -> int:
    """Run to the end; Ctrl-C saves what was reached."""
    settings, folder = _settings(args)
    settings.check()
    from ..run.controls import Controls
    from ..run.run import Run
    from .progress import Progress

    controls = Controls()

    def interrupt(signum, frame):
        if controls.stopping:
            raise KeyboardInterrupt
        controls.stopping = True
        if args.quiet:
            return
        print("\nSaving what was reached (press Ctrl-C again to give up) ...", file=sys.stderr)

    logging.getLogger().setLevel(logging.INFO)
    handlers = {s: signal.signal(s, interrupt) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        with Progress(quiet=args.quiet, verbose=args.verbose) as progress:
            job = Run(settings, folder, progress.observe, controls, resume=bool(args.resume))
            outcome = job.execute()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if not args.quiet:
        progress.conclude(outcome, folder)
    return 0 if outcome.status == "done" else EXIT_INTERRUPTED


_NOT_WITH_RESUME = (
    *("targets", "hidden", "hidden_count", "start", "fix", "family", "estimator"),
    *("batch", "size", *scene_options.NAMES, *rendering_options.NAMES, "seed", "config", "out"),
)


def _settings(args: argparse.Namespace) -> tuple[RunSettings, Path]:
    """Return the run's settings and folder."""
    if args.resume:
        for name in _NOT_WITH_RESUME:
            if getattr(args, name) is not None:
                raise BadSettings(
                    f"--{name.replace('_', '-')} cannot be changed when a run is resumed; "
                    f"only --steps, --max-renders, --device and those of the workers can."
                )
        base = settings_module.from_toml(Path(args.resume) / "config.toml")
        return _with_how(base, args), Path(args.resume)
    if not args.out:
        raise BadSettings("Name the run folder to make: --out DIR.")
    base = settings_module.from_toml(Path(args.config)) if args.config else RunSettings()
    return _with_targets(_with_parameters(_with_how(base, args), args), args), Path(args.out)


def _with_how(base: RunSettings, args: argparse.Namespace) -> RunSettings:
    training = base.training
    if args.estimator not in (None, training.estimator):
        # The file's numbers were meant for the file's estimator.
        training = msgspec.structs.replace(training, batch=None, steps=None)
    training = _replaced(
        training,
        estimator=args.estimator,
        batch=args.batch,
        steps=args.steps,
        max_renders=args.max_renders,
        size=args.size,
        device=args.device,
    )
    rendering = rendering_options.applied(base.rendering, args)
    rendering = worker_options.applied(rendering, args)
    return _replaced(
        base,
        scene=scene_options.applied(base.scene, args),
        training=training.filled(),
        rendering=rendering,
        seed=args.seed,
    )


def _with_parameters(base: RunSettings, args: argparse.Namespace) -> RunSettings:
    """Apply ``--start``, ``--fix`` and ``--family``.

    Without a config file, ``--start`` names all that is optimised.
    """
    scene = base.scene.resolve()
    families = dict(values.family(text, scene) for text in args.family or ())
    starts = dict(values.distribution(text, scene, families) for text in args.start or ())
    fixed = dict(values.fixed(text, scene) for text in args.fix or ())
    for name in starts.keys() & fixed.keys():
        raise BadSettings(f"{name} is optimised (--start) and fixed (--fix); leave one out.")
    roles = dict(base.roles)
    if starts and not args.config:
        roles = {n: r for n, r in roles.items() if not isinstance(r, Optimise)}
    hidden = {text.partition("=")[0].strip() for text in args.hidden or ()}
    for name, family in families.items():
        old = roles.get(name)
        if not isinstance(old, Optimise) and name not in starts.keys() | hidden:
            raise BadSettings(
                f"--family names {name}, which is neither optimised nor hidden; add "
                f"--start {name}=MEAN:STD, or leave it out."
            )
        if isinstance(old, Optimise):
            merged = msgspec.structs.replace(
                old.distribution, family=family.family, low=family.low, high=family.high
            )
            roles[name] = Optimise(distribution=merged)
    given: dict[str, Role] = {n: Optimise(distribution=start) for n, start in starts.items()}
    given |= {n: Fixed(value=value) for n, value in fixed.items()}
    return msgspec.structs.replace(base, parameters=roles | given)


def _with_targets(base: RunSettings, args: argparse.Namespace) -> RunSettings:
    scene = base.scene.resolve()
    families = dict(values.family(text, scene) for text in args.family or ())
    folder, hidden = base.targets.folder, base.targets.hidden
    if args.targets and args.hidden:
        raise BadSettings("Choose one of --targets and --hidden, not both.")
    if args.targets:
        folder, hidden = str(Path(args.targets).expanduser().absolute()), {}
    if args.hidden:
        folder, hidden = (
            "",
            dict(values.distribution(text, scene, families) for text in args.hidden),
        )
    targets = _replaced(base.targets, folder=folder, hidden=hidden, count=args.hidden_count)
    if not folder and not hidden:
        raise BadSettings("Say what to match: --targets DIR, or --hidden NAME=MEAN:STD.")
    return msgspec.structs.replace(base, targets=targets)


def _replaced(struct, **changes):
    """Return the struct with the changes that are not None."""
    return msgspec.structs.replace(struct, **{k: v for k, v in changes.items() if v is not None})
