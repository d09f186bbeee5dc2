# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the closing comparison can be trusted, and how small a difference it detects.

    python -m benchmarks.two_sample_test [--quick] [--markdown FILE]

Its level: sets of images are split at random, so that the null hypothesis is true, and the p-values
should be uniform and 95 % of the intervals hold a half. Splits of one set share its kernel, which
does not depend on the split.

Its power: targets and renders that differ by a known amount, drawn anew for each repetition.

Sentences about differences: how many such splits, without any difference, have one.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from gdr_core.families import Distribution
from gdr_core.settings import RenderSettings, RunSettings, TrainingSettings
from gdr_core.supershape.parameters import defaults
from trainer.estimators.probability_model import ProbabilityModel
from trainer.evaluation import two_sample_test
from trainer.evaluation.differences import measure, sentences
from trainer.evaluation.two_sample_test import TwoSampleTest, compare, compare_pairs
from trainer.rendering.open import open_pool

SIZE = 64
COUNTS = (8, 16, 64, 256)
SENTENCE_COUNTS = (4, 8, 16, 64, 128)
LEVELS = (0.01, 0.05, 0.1, 0.5)
SPREAD = 0.1
"""Standard deviation of both parameters' logarithms."""
SETS = 20
"""Sets whose splits are pooled."""
KS_FACTOR = 1.36
"""Kolmogorov's critical value at 5 %, times the root of the number of p-values."""


@dataclass(frozen=True)
class Effort:
    """How much is measured: images to draw from, splits, and repetitions."""

    pool: int = 2048
    splits: int = 2000
    repetitions: int = 40


QUICK = Effort(pool=512, splits=200, repetitions=8)


def main() -> None:
    """Measure, print the tables, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--markdown", type=Path, help="write the tables here too")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    torch.set_num_threads(1)  # Matrices are small.
    renders = _renders(effort.pool)
    lines = []
    tables = (
        _level_table(renders["right"], effort),
        [""],
        _power_table(renders, effort),
        [""],
        _sentence_table(renders["right"], effort),
    )
    for line in itertools.chain.from_iterable(tables):
        print(line, flush=True)
        lines.append(line)
    if arguments.markdown:
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def splits(images: np.ndarray, count: int, number: int) -> Iterator[TwoSampleTest]:
    """Yield the tests of random splits, ``count`` images a side, of images ``(N, S, S, 3)``.

    Each of :data:`SETS` sets is drawn from the images and split so often that there are ``number``.
    """
    for k in range(SETS):
        rng = np.random.default_rng([count, k])
        drawn = images[rng.permutation(len(images))[: 2 * count]]
        kernel, equal = two_sample_test._kernel(drawn), two_sample_test._equal(drawn)
        for seed in rng.integers(1 << 40, size=number // SETS):
            order = torch.from_numpy(rng.permutation(2 * count))
            generator = torch.Generator().manual_seed(int(seed))
            yield compare_pairs(kernel[order][:, order], equal[order], generator)


def distance_from_uniform(p_values: np.ndarray) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov statistic of p-values ``(N,)``, and its one-sided form.

    The latter is the largest excess of small p-values alone, which conservative ones do not have.
    """
    ordered = np.sort(p_values)
    number = len(ordered)
    excess = float((np.arange(1, number + 1) / number - ordered).max())
    lack = float((ordered - np.arange(number) / number).max())
    return max(excess, lack), max(excess, 0.0)


def _level_table(renders: np.ndarray, effort: Effort) -> Iterator[str]:
    rng = np.random.default_rng(0)
    one_level = np.full((len(renders), 32, 32, 3), 99) + rng.integers(0, 2, (len(renders), 1, 1, 1))
    kinds = {
        "supershapes": renders,
        "noise": rng.integers(0, 256, (len(renders), 32, 32, 3), dtype=np.uint8),
        "grey of two levels": rng.integers(99, 101, (len(renders), 32, 32, 3), dtype=np.uint8),
        "one of two greys": one_level.astype(np.uint8),
        "one grey": np.full((len(renders), 32, 32, 3), 99, np.uint8),
    }
    shares = " | ".join(f"p <= {level:g}" for level in LEVELS)
    yield f"| Images | a side | {shares} | KS | excess | interval holds a half | accuracy |"
    yield "|---|---:|" + "---:|" * (len(LEVELS) + 4)
    for name, images in kinds.items():
        for count in COUNTS:
            tests = list(splits(images, count, effort.splits))
            p_values = np.array([test.p_value for test in tests])
            cells = [f"{np.mean(p_values <= level + 1e-9):.3f}" for level in LEVELS]
            cells += [f"{value:.3f}" for value in distance_from_uniform(p_values)]
            holds = np.mean([test.low <= 0.5 <= test.high for test in tests])
            accuracy = np.mean([test.accuracy for test in tests])
            yield f"| {name} | {count} | {' | '.join(cells)} | {holds:.1%} | {accuracy:.3f} |"
    yield ""
    yield (
        f"{effort.splits} splits of {SETS} sets each. Of uniform p-values, KS is above "
        f"{KS_FACTOR / math.sqrt(effort.splits):.3f} in 5 % of such rows."
    )


def _power_table(renders: dict[str, np.ndarray], effort: Effort) -> Iterator[str]:
    right, other = np.split(renders["right"], 2)
    tinted, other_tinted = _tinted(right), _tinted(other)
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {
        "none": (right, other),
        "mean of `m1` by 0.25 spreads": (right, renders["0.25"]),
        "mean of `m1` by 0.5 spreads": (right, renders["0.5"]),
        "mean of `m1` by 1 spread": (right, renders["1"]),
        "brightness by 1 level": (right, _brighter(other, 1)),
        "brightness by 2 levels": (right, _brighter(other, 2)),
        "hue by 1 degree": (tinted, _with_other_hue(other_tinted, 1.0)),
        "hue by 3 degrees": (tinted, _with_other_hue(other_tinted, 3.0)),
    }
    yield f"| Difference | {' | '.join(f'{count} a side' for count in COUNTS[1:])} |"
    yield "|---|" + "---:|" * (len(COUNTS) - 1)
    for name, (targets, others) in pairs.items():
        cells = []
        for count in COUNTS[1:]:
            tests = [_compared(targets, others, count, seed) for seed in range(effort.repetitions)]
            accuracy = np.mean([test.accuracy for test in tests])
            power = np.mean([test.p_value <= 0.05 for test in tests])
            cells.append(f"{accuracy:.2f}, {power:.0%}")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield f"Mean accuracy, and the share of {effort.repetitions} repetitions with p <= 0.05."


def _sentence_table(renders: np.ndarray, effort: Effort) -> Iterator[str]:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (512, SIZE, SIZE, 3), dtype=np.uint8)
    kinds = {"supershapes": renders, "orange supershapes": _tinted(renders), "noise": noise}
    yield f"| Images | {' | '.join(f'{count} a side' for count in SENTENCE_COUNTS)} |"
    yield "|---|" + "---:|" * len(SENTENCE_COUNTS)
    for name, images in kinds.items():
        statistics = measure(images)
        cells = []
        for count in SENTENCE_COUNTS:
            described = 0
            for _ in range(effort.splits):
                order = rng.permutation(len(images))[: 2 * count]
                described += bool(sentences(*np.split(statistics[order], 2), SIZE))
            cells.append(f"{described} of {effort.splits}")
        yield f"| {name} | {' | '.join(cells)} |"
    yield ""
    yield "Splits with a sentence about a difference, although there is none."


def _compared(targets: np.ndarray, renders: np.ndarray, count: int, seed: int) -> TwoSampleTest:
    rng = np.random.default_rng(seed)
    drawn = (images[rng.permutation(len(images))[:count]] for images in (targets, renders))
    return compare(*drawn, torch.Generator().manual_seed(seed))


def _renders(pool: int) -> dict[str, np.ndarray]:
    """Return ``(2 pool, 64, 64, 3)`` "right" supershapes, and ``pool`` of each shifted mean."""
    settings = RunSettings(
        training=TrainingSettings(size=SIZE), rendering=RenderSettings(workers=1)
    )
    generator = torch.Generator().manual_seed(0)
    rendered = {}
    with open_pool(settings, lambda: None) as workers:
        for name, shift in {"right": 0.0, "0.25": 0.25, "0.5": 0.5, "1": 1.0}.items():
            means = {"m1": 2.25 + shift * SPREAD, "m2": 2.25}
            normal = {key: Distribution(mean=mean, std=SPREAD) for key, mean in means.items()}
            model = ProbabilityModel(normal, defaults())
            samples = model.sample(pool if shift else 2 * pool, generator)
            rendered[name] = workers.render(model.to_parameters(samples))
    return rendered


def _brighter(images: np.ndarray, levels: int) -> np.ndarray:
    return np.clip(images.astype(np.int16) + levels, 0, 255).astype(np.uint8)


def _tinted(images: np.ndarray) -> np.ndarray:
    """Return the grey images in orange: the object about (171, 137, 103)."""
    return np.round(images * np.array([1.0, 0.8, 0.6])).astype(np.uint8)


def _with_other_hue(images: np.ndarray, degrees: float) -> np.ndarray:
    """Return the images with colours rotated about the grey axis: each pixel is as bright."""
    angle = math.radians(degrees)
    same = (1 + 2 * math.cos(angle)) / 3
    before, after = (
        (1 - math.cos(angle)) / 3 + sign * math.sin(angle) / math.sqrt(3) for sign in (-1, 1)
    )
    rotation = np.array([[same, before, after], [after, same, before], [before, after, same]])
    return np.clip(np.round(images @ rotation.T), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
