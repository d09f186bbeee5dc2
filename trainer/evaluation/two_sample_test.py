# SPDX-License-Identifier: GPL-3.0-or-later
"""Classifier two-sample test: can anyone tell the renders from the targets?

A classifier learns to tell the two sets apart and judges images that it has never seen (D.
Lopez-Paz & M. Oquab, *Revisiting Classifier Two-Sample Tests*, arXiv 1610.06545). Where the sets
come from one distribution it is right half of the time.

The classifier is a kernel ridge regression onto the labels 1 and -1. Its kernel is the mean of a
linear and a Gaussian one on each of three views of an image: coarse colours, directions of edges,
and statistics of levels and of fine detail. Targets and renders are paired at random, and every
pair is judged by the classifier of all other pairs, which has a closed form (S. An, W. Liu & S.
Venkatesh, *Fast cross-validation algorithms for least squares support vector machine and kernel
ridge regression*, Pattern Recognition 40, 2007). As it needs one inverse whatever the labels are,
labels exchanged within pairs cost next to nothing; these permutations give the p-value, and say how
much less is known from cross-validated judgements than from as many independent ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

MIN_COUNT = 4
"""Images of each kind below which there is nothing to learn from."""
MAX_COUNT = 256
"""Images of each kind that are used at most."""
PERMUTATIONS = 999
_RIDGE = 1.0
_NORMAL_95 = 1.959964
_CHUNK_VALUES = 1 << 25


@dataclass(frozen=True)
class TwoSampleTest:
    """What the classifier could do.

    Attributes
    ----------
    accuracy
        Share of images that it judged rightly; a half is chance.
    low, high
        Approximate 95 % confidence interval of the accuracy.
    p_value
        How often the score (the mean margin of the judgements, which says more than their number)
        is as high where the two kinds are the same.
    count
        Images of each kind.
    """

    accuracy: float
    low: float
    high: float
    p_value: float
    count: int


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
    chosen = [
        images[torch.randperm(len(images), generator=generator)[:count].numpy()]
        for images in (targets, renders)
    ]
    labels = torch.ones(2 * count, PERMUTATIONS + 1, dtype=torch.float64)
    swaps = torch.randint(0, 2, (count, PERMUTATIONS), generator=generator)
    labels[:, 1:] = (2.0 * swaps - 1.0).repeat(2, 1)
    labels[count:] *= -1.0
    margins = labels * _judge_pairs(_kernel(np.concatenate(chosen)), labels)
    accuracy = (margins > 0).double().mean(0) + 0.5 * (margins == 0).double().mean(0)
    score = margins.mean(0) / margins.square().mean(0).sqrt().clamp(min=1e-12)
    as_high = int((score[1:] >= score[0] - 1e-9).sum())
    found = accuracy[0].item()
    low, high = wilson(found, _independent(accuracy[1:], 2 * count))
    return TwoSampleTest(found, low, high, (1 + as_high) / (1 + PERMUTATIONS), count)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Return the 95 % interval of E. B. Wilson (JASA 22, 1927) for a share of ``count`` trials."""
    square = _NORMAL_95**2
    middle = (share + square / (2 * count)) / (1 + square / count)
    inside = share * (1 - share) / count + square / (4 * count**2)
    half = _NORMAL_95 * math.sqrt(inside) / (1 + square / count)
    low = middle - half if share > 0 else 0.0
    high = middle + half if share < 1 else 1.0
    return low, high


def _independent(accuracies: torch.Tensor, count: int) -> float:
    """Return how many independent judgements vary as much as these did under permutation.

    Cross-validated judgements hang together, as their classifiers share most of what they learnt.
    """
    variance = accuracies.var(unbiased=False).item()
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
    chunk = max(1, _CHUNK_VALUES // images[0].size)
    parts = [_views(images[k : k + chunk]) for k in range(0, len(images), chunk)]
    colours, edges, statistics = (torch.cat(part).double() for part in zip(*parts, strict=True))
    # A quarter of a level: less is a matter of rounding.
    statistics = (statistics - statistics.mean(0)) / (statistics.std(0) + 0.001)
    views = (colours, edges, statistics)
    return sum(_linear(view) + _gaussian(view) for view in views) / (2 * len(views))


def _linear(view: torch.Tensor) -> torch.Tensor:
    centred = view - view.mean(0)
    kernel = centred @ centred.T
    return kernel / kernel.diagonal().mean().clamp(min=1e-12)


def _gaussian(view: torch.Tensor) -> torch.Tensor:
    """Return the Gaussian kernel whose width is the median distance."""
    square = torch.cdist(view, view).square()
    upper = torch.triu_indices(len(view), len(view), offset=1)
    return torch.exp(-square / square[upper[0], upper[1]].median().clamp(min=1e-12))


def _views(images: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return coarse colours ``(n, 768)``, edges ``(n, 512)`` and statistics ``(n, 39)``."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255.0
    colours = functional.adaptive_avg_pool2d(pixels, 16).flatten(1)
    return colours, _edges(pixels), _statistics(pixels)


def _edges(pixels: torch.Tensor) -> torch.Tensor:
    """Return how strong edges of eight directions are, in 8 x 8 cells."""
    grey = pixels.mean(1, keepdim=True)
    if grey.shape[-1] > 64:
        grey = functional.adaptive_avg_pool2d(grey, 64)
    across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
    down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
    angles = [k * math.pi / 4 for k in range(8)]
    along = torch.cat([math.cos(a) * across + math.sin(a) * down for a in angles], 1).clamp(min=0)
    strength = torch.hypot(across, down).clamp(min=1e-6)
    return functional.adaptive_avg_pool2d(along.square() / strength, 8).flatten(1).sqrt()


def _statistics(pixels: torch.Tensor) -> torch.Tensor:
    """Return quantiles of the levels, and of fine detail at three scales on a logarithmic one."""
    shares = torch.tensor([0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98])
    grey = pixels.mean(1, keepdim=True)
    found = [torch.quantile(_thinned(pixels), shares, dim=2).permute(1, 0, 2).flatten(1)]
    for scale in (1, 2, 4):
        detail = _detail(functional.avg_pool2d(grey, scale) if scale > 1 else grey)
        found.append(_log(torch.quantile(detail.flatten(1), shares[2:], dim=1).T))
    found.append(_log(_detail(pixels).mean((2, 3))))
    return torch.cat(found, 1)


def _thinned(pixels: torch.Tensor) -> torch.Tensor:
    """Return ``(n, C, P)``, at most 128 x 128 of the pixels."""
    step = max(1, pixels.shape[-1] // 64)
    return pixels[..., ::step, ::step].flatten(2)


def _detail(pixels: torch.Tensor) -> torch.Tensor:
    """Return the size of the Laplacian, ``(n, C, h, w)``, at most 128 x 128 places of it."""
    step = max(1, pixels.shape[-1] // 64)
    inner, before, after = slice(1, -1, step), slice(0, -2, step), slice(2, None, step)
    sides = pixels[..., before, inner] + pixels[..., after, inner]
    sides = sides + pixels[..., inner, before] + pixels[..., inner, after]
    return (4 * pixels[..., inner, inner] - sides).abs()


def _log(values: torch.Tensor) -> torch.Tensor:
    return (values + 0.5 / 255.0).log()
