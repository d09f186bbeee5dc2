# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr render``: images of given parameters, or drawn from a distribution."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from gdr_core import __version__
from gdr_core import settings as settings_module
from gdr_core.errors import BadSettings, GdrError
from gdr_core.families import Distribution
from gdr_core.roles import Fixed, Optimise, Role
from gdr_core.settings import RunSettings

from . import rendering_options, scene_options, values, worker_options
from .count_bar import CountBar

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..rendering.pool import RenderPool

HELP = "render images of given parameters, or of samples from a distribution"
_BLOCK = 1024
"""Rows drawn at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = values.listed(RunSettings().scene.resolve())
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--params",
        metavar="NAME=VALUE,...",
        help="one image; the others by default",
    )
    what.add_argument(
        "--distribution",
        metavar="NAME=MEAN:STD",
        action="append",
        help="sample these parameters (repeat; means and spreads as in result.json)",
    )
    what.add_argument("--run", metavar="DIR", help="sample the result of the run in this folder")
    parser.add_argument(
        "--family",
        metavar="NAME=FAMILY",
        action="append",
        help="lognormal (default), normal, or bounded:LOW:HIGH (repeat)",
    )
    parser.add_argument(
        "--fix", metavar="NAME=VALUE", action="append", help="keep this parameter here (repeat)"
    )
    parser.add_argument("--count", metavar="N", type=int, default=1, help="images (1)")
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="the same one draws the same (0)"
    )
    parser.add_argument(
        "--size", metavar="PX", type=int, help="image size, 8 to 2048 (64, or the run's)"
    )
    scene_options.add_to(parser)
    rendering_options.add_to(parser)
    worker_options.add_arguments(parser)
    parser.add_argument(
        "--out",
        metavar="DIR",
        required=True,
        help="folder for the images; one that has the first of them gets the rest",
    )


def run(args: argparse.Namespace) -> int:
    """Render into a :class:`trainer.data.dataset.Dataset`; go on with one that is there."""
    if args.count < 1:
        raise BadSettings(f"--count is {args.count}; give at least 1.")
    if not 0 <= args.seed < 2**63:
        raise BadSettings(f"--seed is {args.seed}; give a whole number from 0.")
    drawing = _drawing(args)
    settings = drawing.settings.filled()
    from ..data.dataset import TABLE, Dataset
    from ..rendering.open import open_pool

    how = _how(settings)
    with (
        CountBar("Rendering", args.count) as bar,
        Dataset(
            Path(args.out),
            settings.scene.resolve().names,
            how | drawing.plain(args.seed),
            same=tuple(how),
        ) as dataset,
        _going_on_later(dataset, args.count),
    ):
        rows = None
        if dataset.there:
            bar.say(f"There already: {_images(min(dataset.there, args.count))}")
            rows = dataset.begin(drawing.rows(args.count, args.seed))
        if rows is None or len(rows):
            with open_pool(settings, lambda: None, notify=bar.say) as pool:
                if rows is None:
                    rows = dataset.begin(
                        drawing.rows(args.count, args.seed)
                    )  # Imports torch meanwhile.
                _render(pool, rows, dataset, bar)
    print(f"{_images(args.count)} and {TABLE} in {args.out}")
    return 0


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _render(pool: RenderPool, rows: np.ndarray, dataset: Dataset, bar: CountBar) -> None:
    images = itertools.chain.from_iterable(pool.stream(rows))
    for row, image in zip(rows, images, strict=True):
        dataset.add(row, image)
        bar.update(dataset.there)


@contextmanager
def _going_on_later(dataset: Dataset, count: int) -> Iterator[None]:
    """Say what is there when a person interrupts it."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            f"{min(dataset.there, count)} of {count} images are in {dataset.folder}; the same "
            f"command renders the rest.",
            file=sys.stderr,
        )
        raise


def _how(settings: RunSettings) -> dict[str, Any]:
    """Return what an image depends on besides its row."""
    rendering = settings.rendering.filled()
    names = ["renderer", "samples"]
    # What a renderer takes no notice of makes no other image.
    names += ["denoise", "device"] if rendering.renderer == "cycles" else []
    plain = {name: getattr(rendering, name) for name in names}
    scene = settings.scene.filled(settings.training.size)
    said = {"name": scene.name, "options": scene.options, "digest": scene.resolve().digest}
    return {"scene": said, "size": settings.training.size} | msgspec.to_builtins(plain)


@dataclass(frozen=True)
class _Drawing:
    """What rows are drawn from.

    Attributes
    ----------
    settings
        Whose roles say what becomes of each parameter; one that is optimised is drawn from the
        distribution that its role has.
    correlation
        Of the optimised ones, ``K`` lists of ``K`` numbers; None where they are independent.
    """

    settings: RunSettings
    correlation: list[list[float]] | None = None

    def plain(self, seed: int) -> dict[str, Any]:
        """Return plain data that says the same, with the seed and this program's version."""
        filled = settings_module.to_dict(self.settings.filled())
        return {
            "gdr": __version__,
            "seed": seed,
            "parameters": filled["parameters"],
            "correlation": self.correlation,
        }

    def rows(self, count: int, seed: int) -> np.ndarray:
        """Return ``(count, P)`` float64, of which the first do not depend on how many there are."""
        sampler = self.settings.sampler(seed)
        if not sampler.names:
            return sampler.rows(np.empty((count, 0)), 0, "data")
        import torch

        from ..estimators.probability_model import ProbabilityModel

        model = ProbabilityModel(sampler.start)
        if self.correlation is not None:
            model.correlation.copy_(torch.tensor(self.correlation))
        generator = torch.Generator().manual_seed(seed)
        x = torch.cat([model.sample(_BLOCK, generator) for _ in range(0, count, _BLOCK)])
        return sampler.rows(x[:count].numpy(), 0, "data")


def _drawing(args: argparse.Namespace) -> _Drawing:
    """Return what is to be rendered, and how."""
    correlation = None
    if args.run:
        base = settings_module.from_toml(Path(args.run) / "config.toml")
        reached, correlation = _read_result(Path(args.run) / "result.json")
        roles = {n: r for n, r in base.roles.items() if not isinstance(r, Optimise)}
    else:
        base, reached, roles = RunSettings(), {}, {}
    base = msgspec.structs.replace(base, scene=scene_options.applied(base.scene, args))
    scene = base.scene.resolve()
    if args.distribution:
        families = dict(values.family(text, scene) for text in args.family or ())
        reached = dict(values.distribution(text, scene, families) for text in args.distribution)
    fixed = [*(args.fix or ()), *(args.params.split(",") if args.params else ())]
    values_of = dict(values.fixed(text, scene) for text in fixed)
    _refuse_what_has_no_effect(args, reached.keys() & values_of.keys())
    # What a run keeps for a mismatch is at its default in training data too.
    given: dict[str, Role] = dict(roles)
    given |= {n: Fixed(value=v) for n, v in values_of.items()}
    given |= {n: Optimise(distribution=distribution) for n, distribution in reached.items()}
    if not given:
        raise BadSettings("Name the parameters to render, as in --params m1=9.5,m2=9.5.")
    for name, role in given.items():
        role.check(scene.parameter(name))
    settings = msgspec.structs.replace(base, parameters=given)
    if args.size:
        training = msgspec.structs.replace(settings.training, size=args.size)
        settings = msgspec.structs.replace(settings, training=training)
    rendering = rendering_options.applied(settings.rendering, args)
    rendering = worker_options.applied(rendering, args)
    settings = msgspec.structs.replace(settings, rendering=rendering)
    settings.check_rendering()
    if not 8 <= settings.training.size <= 2048:
        raise BadSettings(f"The size is {settings.training.size}; give 8 to 2048 pixels.")
    return _Drawing(settings, correlation)


def _refuse_what_has_no_effect(args: argparse.Namespace, drawn_and_fixed: set[str]) -> None:
    if args.family and not args.distribution:
        raise BadSettings("--family goes with --distribution, which is not given; leave it out.")
    for name in sorted(drawn_and_fixed):
        source = "the result of the run" if args.run else "--distribution"
        raise BadSettings(f"{name} is fixed (--fix) and drawn from {source}; leave one out.")


_OF_DISTRIBUTION = Distribution.__struct_fields__


def _read_result(path: Path) -> tuple[dict[str, Distribution], list[list[float]] | None]:
    """Return the distributions of a ``result.json`` and their correlation, None for none."""
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        plain = {
            name: {key: value[key] for key in value if key in _OF_DISTRIBUTION}
            for name, value in result["parameters"].items()
        }
        sampled = msgspec.convert(plain, dict[str, Distribution])
        correlation = msgspec.convert(result.get("correlation"), list[list[float]] | None)
        if correlation is not None:
            _check_correlation(np.array(correlation), len(sampled))
        return sampled, correlation
    except FileNotFoundError:
        raise GdrError(f"There is no {path}; the run has no result yet.") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GdrError(f"{path} is not a readable result: {error}.") from error


def _check_correlation(matrix: np.ndarray, count: int) -> None:
    """Raise ValueError unless the matrix is one of correlations."""
    if matrix.shape != (count, count) or not np.allclose(matrix, matrix.T, atol=1e-5):
        raise ValueError(f"its correlation is no symmetric matrix of {count} by {count}")
    if not np.allclose(np.diag(matrix), 1.0, atol=1e-5) or np.linalg.eigvalsh(matrix)[0] <= 0:
        raise ValueError("its correlation cannot be one of random numbers")
