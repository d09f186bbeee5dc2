# SPDX-License-Identifier: GPL-3.0-or-later
"""Classifier two-sample test: are renders and targets indistinguishable?

A classifier learns to separate the two sets and judges images that it has not been trained on (D.
Lopez-Paz & M. Oquab, *Revisiting Classifier Two-Sample Tests*, arXiv 1610.06545). Under the null
hypothesis, that both sets come from one distribution, half of its judgements are right.

The classifier is a kernel ridge regression onto the labels 1 and -1. Its kernel is the mean of a
linear and a Gaussian one on each of three views of an image: coarse colours, directions of edges,
and statistics of levels and of fine detail. The latter two see brightness and two differences of
colours, so that a texture of red and blue is not a grey surface.

Targets and renders are paired at random, and every pair is judged by the classifier of all other
pairs, which has a closed form (S. An, W. Liu & S. Venkatesh, *Fast cross-validation algorithms for
least squares support vector machine and kernel ridge regression*, Pattern Recognition 40, 2007). As
it needs one inverse whatever the labels are, permutations that exchange labels within pairs cost
next to nothing. They give the p-value, and the number of independent judgements that vary as much
as these cross-validated ones.

Variation below the quantisation of 8-bit images does not count: each view comes with the variance
that rounding alone gives it, and no kernel is magnified beyond that. Sums are taken over integers
where possible, so that they do not depend on their order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

MIN_COUNT = 4
"""Images of each kind below which there is nothing to learn from."""
MAX_COUNT = 256
"""Images of each kind that are used at most."""
PERMUTATIONS = 999
_RIDGE = 1.0
"""The ridge, of a kernel with about 1 on its diagonal. Between renders (64 of each kind, 64 pixels)
whose mean is one spread off, ridges of 0.01, 0.1, 0.3, 1, 3 and 10 gave accuracies of 0.59, 0.64,
0.66, 0.68, 0.68 and 0.68, in the mean of 12 pairs of sets."""
_NORMAL_95 = 1.959964
_CHUNK_VALUES = 1 << 21
"""Values of images whose features are computed at a time. An eighth of it took three times as long
with two threads on a busy computer, which wait for each other more often; twice as many were no
faster."""
_TIE = 1e-5
"""Margins, and differences of the test statistic, that are a matter of rounding. On images of one
colour, noise of 1e-6 of each feature gave margins up to 9e-6, and the least difference that there
is, of one level in one pixel and channel of all renders, margins of 0.17 and more."""
_CELLS = 16
"""Cells a side of the coarse colours."""
_EDGE_SIZE = 64
"""Pixels a side of the images whose edges are measured, if they are larger."""
_EDGE_CELLS = 8
_EDGE_ROUNDING = 1e-3
"""Variance of an edge's strength that rounding causes at 64 pixels: 1.4e-3 on ramps and 1.6e-3 on
grey with noise of one level, a fifth of it and less at 256 pixels. Edges of supershapes: 0.04."""
_SHARES = np.array([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
_PLANE_UNITS = (3, 1, 2)
"""Divisors of brightness and of the two differences of colours that give levels of 255."""


@dataclass(frozen=True)
class TwoSampleTest:
    """How well a classifier separates targets and renders.

    Attributes
    ----------
    accuracy
        Share of images that it judged rightly; a half is chance.
    low, high
        Approximate 95 % confidence interval of the accuracy.
    p_value
        Probability, under the null hypothesis, of a test statistic as high as this one. It is the
        mean margin of the judgements by their root mean square, which has more power than the
        number of right judgements.
    count
        Images of each kind.
    """

    accuracy: float
    low: float
    high: float
    p_value: float
    count: int


class _View(NamedTuple):
    """Features ``(N, D)`` of images, and the variance that each has by rounding to 8 bits."""

    features: torch.Tensor
    rounding: float


def compare(
    targets: np.ndarray, renders: np.ndarray, generator: torch.Generator | None = None
) -> TwoSampleTest:
    """Test whether two sets of images come from one distribution.

    Parameters
    ----------
    targets, renders
        ``(N, S, S, 3)`` and ``(M, S, S, 3)`` uint8; of the larger set a random part is used.
    generator
        Source of that part, of the pairs and of the permutations.

    Raises
    ------
    ValueError
        Fewer than :data:`MIN_COUNT` images of a kind.
    """
    count = min(len(targets), len(renders), MAX_COUNT)
    if count < MIN_COUNT:
        raise ValueError(f"A comparison needs {MIN_COUNT} images of each kind, not {count}.")
    images = np.concatenate(
        [
            kind[torch.randperm(len(kind), generator=generator)[:count].numpy()]
            for kind in (targets, renders)
        ]
    )
    return compare_pairs(_kernel(images), _equal(images), generator)


def compare_pairs(
    kernel: torch.Tensor, equal: torch.Tensor, generator: torch.Generator | None = None
) -> TwoSampleTest:
    """Test targets and renders by what the test takes from their pixels.

    Parameters
    ----------
    kernel
        ``(2n, 2n)`` float64; row ``k`` is a target and row ``n + k`` the render that it is paired
        with, at random.
    equal
        ``(2n,)`` int64, the same number for equal images.
    generator
        Source of the permutations.
    """
    count = len(kernel) // 2
    labels = _labels(count, generator)
    judgements = _mean_of_equals(_judge_pairs(kernel, labels), equal)
    accuracies, statistics = _score(judgements, labels)
    as_high = int((statistics[1:] >= statistics[0] - _TIE).sum())
    accuracy = accuracies[0].item()
    low, high = wilson(accuracy, _effective_count(accuracies[1:], 2 * count))
    return TwoSampleTest(accuracy, low, high, (1 + as_high) / (1 + PERMUTATIONS), count)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of E. B. Wilson (JASA 22, 1927) for a share of ``count`` trials."""
    square = _NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    inside = share * (1 - share) / count + square / (4 * count**2)
    half = _NORMAL_95 * math.sqrt(inside) / (1 + square / count)
    low = middle - half if share > 0 else 0.0
    high = middle + half if share < 1 else 1.0
    return low, high


def _labels(count: int, generator: torch.Generator | None) -> torch.Tensor:
    """Return the labels ``(2 count, 1 + PERMUTATIONS)``: the true ones, then permuted ones.

    Rows ``k`` and ``count + k`` are a pair, and have opposite labels.
    """
    labels = torch.ones(2 * count, PERMUTATIONS + 1, dtype=torch.float64)
    swaps = torch.randint(0, 2, (count, PERMUTATIONS), generator=generator)
    labels[:, 1:] = (2.0 * swaps - 1.0).repeat(2, 1)
    labels[count:] *= -1.0
    return labels


def _score(judgements: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the accuracy and the test statistic of each column of ``(2n, P)``.

    A margin of the size of rounding is a tie, which counts as half a right judgement.
    """
    margins = torch.where(judgements.abs() > _TIE, judgements * labels, 0.0)
    accuracies = 0.5 + 0.5 * margins.sign().mean(0)
    size = margins.square().mean(0).sqrt().clamp(min=_TIE)
    return accuracies, margins.mean(0) / size


def _equal(images: np.ndarray) -> torch.Tensor:
    """Return a number for each image ``(N, ...)``, the same for equal images alone, ``(N,)``."""
    numbers: dict[bytes, int] = {}
    return torch.tensor([numbers.setdefault(image.tobytes(), len(numbers)) for image in images])


def _mean_of_equals(judgements: torch.Tensor, equal: torch.Tensor) -> torch.Tensor:
    """Return the judgements ``(2n, P)``, each the mean of those of equal images.

    Equal images are indistinguishable, and so they share a judgement: of a target and a render that
    are equal, one is judged rightly. Each alone would be judged by a classifier that was trained on
    the other one, and both wrongly.
    """
    sums = torch.zeros(int(equal.max()) + 1, judgements.shape[1], dtype=judgements.dtype)
    if len(sums) == len(judgements):
        return judgements
    sums.index_add_(0, equal, judgements)
    return (sums / equal.bincount()[:, None])[equal]


def _effective_count(accuracies: torch.Tensor, count: int) -> float:
    """Return how many independent judgements vary about a half as much as these permuted ones.

    Cross-validated judgements are correlated, as their classifiers share most training data.
    """
    variance = (accuracies - 0.5).square().mean().item()
    return min(float(count), 0.25 / max(variance, 1e-12))


def _judge_pairs(kernel: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return each image's judgement ``(2n, P)`` by the classifier of the other pairs.

    ``kernel`` is ``(2n, 2n)``, rows ``k`` and ``n + k`` are a pair, and ``labels`` is ``(2n, P)``.
    """
    n = len(kernel) // 2
    inverse = torch.linalg.inv(kernel + _RIDGE * torch.eye(2 * n, dtype=kernel.dtype))
    rest = inverse @ labels
    aa = inverse.diagonal()[:n, None]
    bb = inverse.diagonal()[n:, None]
    ab = inverse[:n, n:].diagonal()[:, None]
    first = bb * rest[:n] - ab * rest[n:]
    second = aa * rest[n:] - ab * rest[:n]
    return labels - torch.cat((first, second)) / (aa * bb - ab**2).repeat(2, 1)


def _kernel(images: np.ndarray) -> torch.Tensor:
    """Return the kernel ``(N, N)`` float64 of images ``(N, S, S, 3)`` uint8, about 1 in size."""
    views = _views(images)
    return sum(_linear_and_gaussian(*view) for view in views) / (2 * len(views))


def _linear_and_gaussian(features: torch.Tensor, rounding: float) -> torch.Tensor:
    """Return the sum of a linear kernel and a Gaussian one of features ``(N, D)``, ``(N, N)``.

    The linear one has a mean of 1 on its diagonal, and the width of the Gaussian one is the median
    distance, unless the features vary by no more than rounding does.
    """
    centred = features - features.mean(0)
    products = centred @ centred.T
    norms = products.diagonal()
    square = (norms[:, None] + norms - 2 * products).clamp(min=0.0)
    least = rounding * features.shape[1]
    upper = torch.triu_indices(len(square), len(square), offset=1)
    width = square[upper[0], upper[1]].median().clamp(min=2 * least)
    return products / norms.mean().clamp(min=least) + torch.exp(-square / width)


def _views(images: np.ndarray) -> tuple[_View, _View, _View]:
    """Return coarse colours ``D = 768``, edges ``D = 1536`` and statistics ``D = 83``."""
    chunk = max(1, _CHUNK_VALUES // images[0].size)
    parts = [_features(images[k : k + chunk]) for k in range(0, len(images), chunk)]
    colours, edges, statistics = (torch.cat(part).double() for part in zip(*parts, strict=True))
    size = images.shape[1]
    # Of levels a quarter is a matter of rounding, of the logarithms of details a thousandth.
    least = torch.full((statistics.shape[1],), 0.001, dtype=torch.float64)
    least[: 5 * len(_SHARES)] = 0.25
    statistics = (statistics - statistics.mean(0)) / (statistics.std(0) + least)
    return (
        # Rounding has a variance of 1/12, and a mean of pixels that much less.
        _View(colours, 1 / 12 / max(1.0, size / _CELLS) ** 2),
        _View(edges, _EDGE_ROUNDING / max(1.0, size / _EDGE_SIZE) ** 2),
        # Half of the standard deviation that was divided by is rounding.
        _View(statistics, 0.25),
    )


def _features(images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the views are made of, for images ``(n, S, S, 3)``, in levels of 255."""
    channels = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.int16)
    red, green, blue = channels[:, 0], channels[:, 1], channels[:, 2]
    planes = np.stack((red + green + blue, red - green, 2 * blue - red - green), 1)
    colours = functional.adaptive_avg_pool2d(torch.from_numpy(channels).float(), _CELLS).flatten(1)
    return colours, _edges(torch.from_numpy(planes).float()), _statistics(channels, planes)


def _edges(planes: torch.Tensor) -> torch.Tensor:
    """Return how strong edges of eight directions are, in 8 x 8 cells, ``(n, 1536)``.

    ``planes`` is ``(n, 3, S, S)``: brightness and two differences of colours.
    """
    if planes.shape[-1] > _EDGE_SIZE:
        planes = functional.adaptive_avg_pool2d(planes, _EDGE_SIZE)
    planes = planes / torch.tensor(_PLANE_UNITS)[:, None, None]
    across = planes[..., 1:-1, 2:] - planes[..., 1:-1, :-2]
    down = planes[..., 2:, 1:-1] - planes[..., :-2, 1:-1]
    # Less than a level may be rounding, and counts by its square.
    strength = torch.hypot(across, down).clamp(min=1.0)
    rising, falling = math.sqrt(0.5) * (across + down), math.sqrt(0.5) * (across - down)
    along = torch.stack([part * part.abs() / strength for part in (across, rising, down, falling)])
    both = torch.cat((along.clamp(min=0), (-along).clamp(min=0))).transpose(0, 1).flatten(1, 2)
    return functional.adaptive_avg_pool2d(both, _EDGE_CELLS).flatten(1).sqrt()


def _statistics(channels: np.ndarray, planes: np.ndarray) -> torch.Tensor:
    """Return quantiles of levels and, on a logarithmic scale, of fine detail, ``(n, 83)``.

    ``channels`` and ``planes`` are ``(n, 3, S, S)`` integers: red, green and blue, and brightness
    and two differences of colours. Levels are those of the channels and of the differences, detail
    that of the planes at three scales, and its mean.
    """
    units = np.array(_PLANE_UNITS)[:, None]
    levels = np.concatenate((channels, planes[:, 1:]), 1)
    parts = [_quantiles(_thinned(levels), _SHARES) / np.concatenate((np.ones((3, 1)), units[1:]))]
    for scale in (1, 2, 4):
        if scale > 1:
            planes = _halved(planes)
        detail = _detail(planes)
        parts.append(_log(_quantiles(detail, _SHARES[2:]) / (units * scale**2)))
        if scale == 1:
            parts.append(_log(detail.mean(2)[..., None] / units))
    return torch.from_numpy(np.concatenate([part.reshape(len(part), -1) for part in parts], 1))


def _quantiles(values: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return quantiles ``(n, C, Q)`` of integers ``(n, C, P)``, linear between two of them."""
    places = shares * (values.shape[2] - 1)
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, values.shape[2] - 1)
    # A seventh of the time of sorting.
    ordered = np.partition(values, sorted({*below, *above}), axis=2)
    part = places - below
    return (1 - part) * ordered[..., below] + part * ordered[..., above]


def _thinned(levels: np.ndarray) -> np.ndarray:
    """Return ``(n, C, P)``, at most 128 x 128 of the pixels."""
    step = max(1, levels.shape[-1] // 64)
    return levels[..., ::step, ::step].reshape(*levels.shape[:2], -1)


def _halved(planes: np.ndarray) -> np.ndarray:
    """Return the sums ``(n, C, S // 2, S // 2)`` of 2 x 2 pixels."""
    even = planes.shape[-1] // 2 * 2
    rows = planes[..., :even:2, :even].astype(np.int32) + planes[..., 1:even:2, :even]
    return rows[..., ::2] + rows[..., 1::2]


def _detail(planes: np.ndarray) -> np.ndarray:
    """Return the size of the Laplacian, ``(n, C, P)``, at most 128 x 128 places of it."""
    step = max(1, planes.shape[-1] // 64)
    inner, before, after = slice(1, -1, step), slice(0, -2, step), slice(2, None, step)
    sides = planes[..., before, inner] + planes[..., after, inner]
    sides = sides + planes[..., inner, before] + planes[..., inner, after]
    detail = np.abs(4 * planes[..., inner, inner] - sides)
    return detail.reshape(*detail.shape[:2], -1)


def _log(levels: np.ndarray) -> np.ndarray:
    return np.log(levels + 0.5)
