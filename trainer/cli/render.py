# SPDX-License-Identifier: GPL-3.0-or-later
"""``gdr render``: images of given parameters, or drawn from a distribution."""

from __future__ import annotations

import argparse
import itertools
import json
import math
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
from gdr_core.settings import RunSettings
from gdr_core.supershape import parameters

from . import rendering_options, values, worker_options
from .count_bar import CountBar

if TYPE_CHECKING:
    from ..data.dataset import Dataset
    from ..rendering.pool import RenderPool

HELP = "render images of given parameters, or of samples from a distribution"
_BLOCK = 1024
"""Shapes drawn at a time."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = values.LISTED
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--params", metavar="NAME=VALUE,...", help="one shape; the rest by default")
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
    settings, what = _settings_and_distribution(args)
    from ..data.dataset import TABLE, Dataset
    from ..rendering.open import open_pool

    how = _how(settings)
    with (
        CountBar("Rendering", args.count) as bar,
        Dataset(Path(args.out), how | what.plain(args.seed), alike=tuple(how)) as dataset,
        _going_on_later(dataset, args.count),
    ):
        shapes = None
        if dataset.there:
            bar.say(f"There already: {_images(min(dataset.there, args.count))}")
            shapes = dataset.begin(_sample(args, what))
        if shapes is None or len(shapes):
            with open_pool(settings, lambda: None, tell=bar.say) as pool:
                if shapes is None:
                    shapes = dataset.begin(_sample(args, what))  # Imports torch meanwhile.
                _render(pool, shapes, dataset, bar)
    print(f"{_images(args.count)} and {TABLE} in {args.out}")
    return 0


def _images(count: int) -> str:
    return f"{count} image{'s' * (count != 1)}"


def _render(pool: RenderPool, shapes: np.ndarray, dataset: Dataset, bar: CountBar) -> None:
    images = itertools.chain.from_iterable(pool.stream(shapes))
    for shape, image in zip(shapes, images, strict=True):
        dataset.add(shape, image)
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
    """Return what an image depends on besides its parameters."""
    rendering = settings.rendering.filled(settings.training.size)
    names = ["renderer", "grid", "samples", "camera"]
    # What a renderer takes no notice of makes no other image.
    names += ["denoise", "device"] if rendering.renderer == "cycles" else []
    plain = {name: getattr(rendering, name) for name in names}
    return {"size": settings.training.size} | msgspec.to_builtins(plain)


@dataclass(frozen=True)
class _What:
    """What to render: these parameters sampled, over fixed values of the other ones.

    Attributes
    ----------
    sampled
        By name.
    fixed
        ``(12,)``.
    correlation
        ``K`` lists of ``K`` numbers in the order of ``sampled``; None where independent.
    """

    sampled: dict[str, Distribution]
    fixed: np.ndarray
    correlation: list[list[float]] | None = None

    def plain(self, seed: int) -> dict[str, Any]:
        """Return plain data that says the same, with the seed and this program's version."""
        fixed = dict(zip(parameters.NAMES, self.fixed.tolist(), strict=True))
        return {
            "gdr": __version__,
            "seed": seed,
            "sampled": msgspec.to_builtins(self.sampled),
            "fixed": {name: fixed[name] for name in fixed if name not in self.sampled},
            "correlation": self.correlation,
        }


def _settings_and_distribution(args: argparse.Namespace) -> tuple[RunSettings, _What]:
    """Return settings to render with, and what to render."""
    settings, correlation = RunSettings(), None
    fixed = dict(_fixed(text) for text in args.fix or ())
    if args.run:
        settings = settings_module.from_toml(Path(args.run) / "config.toml")
        sampled, correlation = _read_result(Path(args.run) / "result.json")
        fixed = {n: settings.start_of(n).value for n in parameters.NAMES} | fixed
    elif args.distribution:
        families = dict(values.family(text) for text in args.family or ())
        sampled = dict(values.distribution(text, families) for text in args.distribution)
    else:
        sampled = {}
        fixed |= dict(_fixed(text) for text in args.params.split(","))
    if args.size:
        training = msgspec.structs.replace(settings.training, size=args.size)
        settings = msgspec.structs.replace(settings, training=training)
    rendering = rendering_options.applied(settings.rendering, args)
    rendering = worker_options.applied(rendering, args)
    rendering.check()
    settings = msgspec.structs.replace(settings, rendering=rendering)
    if not 8 <= settings.training.size <= 2048:
        raise BadSettings(f"The size is {settings.training.size}; give 8 to 2048 pixels.")
    return settings, _What(sampled, parameters.from_values(fixed), correlation)


def _fixed(text: str) -> tuple[str, float]:
    name, rest = values.split_name(text)
    value = values.number(rest, text)
    if not math.isfinite(value):
        raise BadSettings(f"{name} is {value}; give a finite number.")
    return name, value


_OF_DISTRIBUTION = Distribution.__struct_fields__


def _read_result(path: Path) -> tuple[dict[str, Distribution], list[list[float]] | None]:
    """Return the distributions of a ``result.json`` and their correlation, None for none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        plain = {
            name: {key: value[key] for key in value if key in _OF_DISTRIBUTION}
            for name, value in found["parameters"].items()
        }
        sampled = msgspec.convert(plain, dict[str, Distribution])
        correlation = msgspec.convert(found.get("correlation"), list[list[float]] | None)
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


def _sample(args: argparse.Namespace, what: _What) -> np.ndarray:
    """Return ``(count, 12)`` float32, of which the first do not depend on how many there are."""
    if not what.sampled:
        return np.repeat(what.fixed[None], args.count, axis=0)
    import torch

    from ..estimators.probability_model import ProbabilityModel

    drawn = ProbabilityModel(what.sampled, what.fixed)
    if what.correlation is not None:
        drawn.correlation.copy_(torch.tensor(what.correlation))
    generator = torch.Generator().manual_seed(args.seed)
    z = torch.cat([drawn.sample(_BLOCK, generator) for _ in range(0, args.count, _BLOCK)])
    return drawn.to_parameters(z[: args.count])
