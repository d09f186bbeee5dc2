# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between targets and renders that a person has a name for, in sentences.

Each image is measured in a few ways: the background's and the object's colours, contrast, noise,
sharpness, place and size. A sentence is given where the means of targets and renders differ
significantly (Welch's test, Biometrika 34, 1947, at a level that allows for their number) and by
enough to matter.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

MIN_COUNT = 4
"""Images of each kind below which their spread is unknown."""
CRITICAL = 3.5
"""Standard errors from which a difference is significant: one in two thousand by chance."""
_OBJECT = 10.0 / 255.0
"""How far from the background a smoothed pixel is the object's."""
_REACH = 8
"""Pixels over which an edge is looked for."""
_CHANNELS = ("red", "green", "blue")
_STATISTICS = (
    *_CHANNELS,
    *(f"object {channel}" for channel in _CHANNELS),
    *(f"{channel} balance" for channel in _CHANNELS),
    *(f"{channel} contrast" for channel in _CHANNELS),
    *(f"{channel} contrast excess" for channel in _CHANNELS),
    *("brightness", "contrast", "noise", "edge", "right", "down", "area"),
)


@dataclass(frozen=True)
class _Comparison:
    """Means of one statistic, and whether they differ significantly."""

    target: float
    render: float
    significant: bool

    @property
    def difference(self) -> float:
        """The targets' mean less the renders'."""
        return self.target - self.render

    def exceeds(self, least: float, share: float = 0.0) -> bool:
        """Whether they differ significantly, and by at least this much and this share."""
        larger = max(self.target, self.render)
        return self.significant and abs(self.difference) >= max(least, share * larger)

    def either(self, more: str, less: str) -> str:
        """Return the word for targets that have more of it, or for targets that have less."""
        return more if self.difference > 0 else less


_Comparisons = Mapping[str, _Comparison]


def describe(targets: np.ndarray, renders: np.ndarray) -> tuple[str, ...]:
    """Return a sentence about each clear difference, none where there is none.

    Parameters
    ----------
    targets, renders
        ``(N, S, S, 3)`` and ``(M, S, S, 3)`` uint8.

    Raises
    ------
    ValueError
        Fewer than :data:`MIN_COUNT` images of a kind.
    """
    if min(len(targets), len(renders)) < MIN_COUNT:
        raise ValueError(f"Differences need {MIN_COUNT} images of each kind.")
    return sentences(measure(targets), measure(renders), targets.shape[1])


def sentences(of_targets: np.ndarray, of_renders: np.ndarray, size: int) -> tuple[str, ...]:
    """Return a sentence about each clear difference of the statistics that :func:`measure` returns.

    Parameters
    ----------
    of_targets, of_renders
        ``(N, 22)`` and ``(M, 22)``.
    size
        Width and height of the images in pixels.
    """
    comparisons = {
        name: _compare(of_targets[:, k], of_renders[:, k]) for k, name in enumerate(_STATISTICS)
    }
    candidates = (
        _background(comparisons),
        _brightness(comparisons["brightness"]),
        _object_colour(comparisons),
        _contrast(comparisons["contrast"]),
        _contrast_by_channel(comparisons),
        _noise(comparisons["noise"]),
        _sharpness(comparisons["edge"]),
        _position(comparisons["right"], comparisons["down"], size),
        _size(comparisons["area"]),
    )
    return tuple(sentence for sentence in candidates if sentence)


def measure(images: np.ndarray) -> np.ndarray:
    """Return the statistics ``(N, 22)`` of images ``(N, S, S, 3)`` uint8.

    ================= ============================================================================
    red, ...          the background: median of the image's border, in levels of 255
    object red, ...   mean of the object, in levels
    red balance, ...  the same by the mean of the three: colour whatever the brightness
    red contrast, ... standard deviation within the object, in levels
    ... excess        the same less the contrast of all channels
    brightness        mean of the object in all channels, in levels
    contrast          root mean square of the channels' contrasts, in levels
    noise             standard deviation of the noise, in levels
    edge              width of edges, in pixels
    right, down       the object's centre from the image's, in pixels
    area              the object's share of the image
    ================= ============================================================================

    Those of the object are NaN where there is none.
    """
    return np.concatenate([_measure(images[k : k + 32]) for k in range(0, len(images), 32)])


def _measure(images: np.ndarray) -> np.ndarray:
    full = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255.0
    scale = max(1, full.shape[-1] // 64)
    pixels = functional.avg_pool2d(full, scale) if scale > 1 else full
    background = _border(pixels).median(-1).values
    weight = _object_weight(pixels, background)
    outside = (weight == 0).float()
    # Smoothing has spread the object by a pixel, and the next one may be half background.
    inside = 1 - functional.max_pool2d(outside, 5, stride=1, padding=2)
    count = inside.sum((2, 3))
    colour = (pixels * inside).sum((2, 3)) / count
    variance = ((pixels - colour[:, :, None, None]).square() * inside).sum((2, 3)) / count
    brightness = colour.mean(1, keepdim=True)
    contrast = variance.mean(1, keepdim=True).sqrt()
    levels = 255.0 * torch.cat((background, colour), 1)
    # The balance of what is all but black is that of rounding.
    balance = colour / brightness.clamp(min=1.0 / 255.0)
    noise = _noise_level(full, scale)[:, None]
    spreads = (variance.sqrt(), variance.sqrt() - contrast, brightness, contrast, noise)
    area = 1 - outside.mean((1, 2, 3))
    place = scale * (torch.arange(pixels.shape[-1]) - (pixels.shape[-1] - 1) / 2)
    across, down = (weight.sum(axis)[:, 0] @ place / weight.sum((1, 2, 3)) for axis in (2, 3))
    rest = torch.stack((_edge_width(full[:, :, ::scale]), across, down, area), 1)
    return torch.cat((levels, balance, 255.0 * torch.cat(spreads, 1), rest), 1).double().numpy()


def _border(pixels: torch.Tensor) -> torch.Tensor:
    """Return the pixels along the four sides, ``(n, 3, P)``."""
    sides = (pixels[..., :2, :], pixels[..., -2:, :], pixels[..., :2], pixels[..., -2:])
    return torch.cat([side.flatten(2) for side in sides], 2)


def _object_weight(pixels: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """Return how far from the background each pixel is, ``(n, 1, s, s)``; 0 where not the object's.

    Smoothed first, so that noise is no object.
    """
    away = (pixels - background[:, :, None, None]).abs().amax(1, keepdim=True)
    smooth = functional.avg_pool2d(away, 3, stride=1, padding=1)
    return torch.where(smooth > _OBJECT, smooth, 0.0)


def _noise_level(pixels: torch.Tensor, step: int) -> torch.Tensor:
    """Return the noise's standard deviation, ``(n,)``, from every so many-th pixel.

    With the operator of J. Immerkaer, *Fast noise variance estimation*, CVIU 64, 1996, which sees
    neither slopes nor edges along the axes; the median keeps to the flat parts.
    """
    line = torch.tensor([1.0, -2.0, 1.0])
    operator = (line[:, None] * line)[None, None] / 6.0
    residual = functional.conv2d(pixels.flatten(0, 1)[:, None], operator, stride=step)
    return residual.abs().flatten(1).median(1).values.view(-1, 3).mean(1) / 0.6745


def _edge_width(rows: torch.Tensor) -> torch.Tensor:
    """Return over how many pixels an edge goes, up to eight, ``(n,)``; NaN without one.

    At the strongest rises over eight pixels of ``rows``, ``(n, 3, h, w)``: the rise by the steepest
    pixel in it. Of the colours that one mixture is taken that rises most.
    """
    rises = (rows[..., _REACH:] - rows[..., :-_REACH]).flatten(2)
    mixture = torch.linalg.eigh(rises @ rises.transpose(1, 2)).eigenvectors[:, :, -1]
    mixed = (rows * mixture[:, :, None, None]).sum(1)
    rise = (mixed[..., _REACH:] - mixed[..., :-_REACH]).abs()
    slope = (mixed[..., 1:] - mixed[..., :-1]).abs()
    steepest = functional.max_pool1d(slope, _REACH, stride=1)
    rise, steepest = rise.flatten(1), steepest.flatten(1)
    strongest = rise.kthvalue(max(1, round(0.995 * rise.shape[1])), 1).values[:, None]
    edges = torch.where(rise > 0.5 * strongest, rise / steepest, math.nan)
    return edges.nanmedian(1).values


def _compare(of_targets: np.ndarray, of_renders: np.ndarray) -> _Comparison:
    """Compare one statistic of targets and of renders, ``(N,)`` and ``(M,)``, by Welch's test."""
    samples = [values[np.isfinite(values)] for values in (of_targets, of_renders)]
    if min(len(values) for values in samples) < MIN_COUNT:
        return _Comparison(math.nan, math.nan, significant=False)
    target, render = (float(values.mean()) for values in samples)
    parts = [values.var(ddof=1) / len(values) for values in samples]
    variance = sum(parts)
    if variance < 1e-12:
        return _Comparison(target, render, significant=target != render)
    freedom = variance**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, samples, strict=True)
    )
    errors = _as_normal(abs(target - render) / math.sqrt(variance), freedom)
    return _Comparison(target, render, significant=errors > CRITICAL)


def _as_normal(t: float, freedom: float) -> float:
    """Return the normal deviate as improbable as Student's ``t`` (D. L. Wallace, 1959)."""
    return (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t**2 / freedom))


def _background(comparisons: _Comparisons) -> str:
    channels = [comparisons[channel] for channel in _CHANNELS]
    if not any(channel.exceeds(4.0) for channel in channels):
        return ""
    differences = [channel.difference for channel in channels]
    mean = _mean(channels)
    unequal = max(differences) - min(differences)
    if unequal > 10.0 or unequal > abs(mean.difference):
        return f"The targets' background has another colour: {_in_channels(channels)}."
    return (
        f"The targets' background is {mean.either('brighter', 'darker')}: "
        f"{mean.target:.0f} against {mean.render:.0f} of 255."
    )


def _brightness(brightness: _Comparison) -> str:
    if not brightness.exceeds(5.0):
        return ""
    return (
        f"The targets' object is {brightness.either('brighter', 'darker')}: "
        f"{brightness.target:.0f} against {brightness.render:.0f} of 255 on average."
    )


def _object_colour(comparisons: _Comparisons) -> str:
    colours = [comparisons[f"object {channel}"] for channel in _CHANNELS]
    balances = {channel: comparisons[f"{channel} balance"] for channel in _CHANNELS}
    mean = _mean(colours)
    # In levels, at the brightness of the darker object.
    least = 5.0 / max(min(mean.target, mean.render), 1.0)
    unlike = {name: balance for name, balance in balances.items() if balance.exceeds(least)}
    if not unlike:
        return ""
    name = max(unlike, key=lambda name: abs(unlike[name].difference))
    more = {"red": "redder", "green": "greener", "blue": "bluer"}
    word = unlike[name].either(more[name], f"less {name}")
    return f"The targets' object is {word}: {_in_channels(colours)}."


def _contrast(contrast: _Comparison) -> str:
    if not contrast.exceeds(2.0, 0.08):
        return ""
    return (
        f"The targets' object has {contrast.either('more', 'less')} contrast: "
        f"its levels spread by {contrast.target:.0f} against {contrast.render:.0f} of 255."
    )


def _contrast_by_channel(comparisons: _Comparisons) -> str:
    least = 0.1 * max(comparisons["contrast"].target, comparisons["contrast"].render)
    excesses = [comparisons[f"{channel} contrast excess"] for channel in _CHANNELS]
    if not any(excess.exceeds(max(4.0, least)) for excess in excesses):
        return ""
    contrasts = [comparisons[f"{channel} contrast"] for channel in _CHANNELS]
    return (
        f"The targets' object varies in other colours: its {_in_channels(contrasts, ' spread by')}."
    )


def _noise(noise: _Comparison) -> str:
    if not noise.exceeds(0.5, 0.1):
        return ""
    return (
        f"The targets are {noise.either('noisier', 'less noisy')}: "
        f"by {noise.target:.1f} against {noise.render:.1f} of 255."
    )


def _sharpness(edge: _Comparison) -> str:
    if not edge.exceeds(0.1, 0.15):
        return ""
    return (
        f"The targets are {edge.either('less sharp', 'sharper')}: "
        f"their edges are {edge.target:.1f} pixels wide against {edge.render:.1f}."
    )


def _position(right: _Comparison, down: _Comparison, size: int) -> str:
    parts = []
    for place, more, less in ((right, "to the right", "to the left"), (down, "down", "up")):
        if place.exceeds(size / 100):
            parts.append(f"{abs(place.difference):.1f} pixels further {place.either(more, less)}")
    return f"The targets' object is {' and '.join(parts)}." if parts else ""


def _size(area: _Comparison) -> str:
    if not area.exceeds(0.005, 0.1):
        return ""
    return (
        f"The targets' object is {area.either('larger', 'smaller')}: "
        f"it covers {100 * area.target:.0f} % of the picture against {100 * area.render:.0f} %."
    )


def _mean(channels: list[_Comparison]) -> _Comparison:
    """Return the mean of the channels, significant if one of them is."""
    return _Comparison(
        target=sum(channel.target for channel in channels) / len(channels),
        render=sum(channel.render for channel in channels) / len(channels),
        significant=any(channel.significant for channel in channels),
    )


def _in_channels(channels: list[_Comparison], verb: str = "") -> str:
    """Return the levels of red, green and blue, of the targets and of the renders."""
    targets = ", ".join(f"{channel.target:.0f}" for channel in channels)
    renders = ", ".join(f"{channel.render:.0f}" for channel in channels)
    return f"red, green, blue{verb} {targets} against {renders} of 255"
