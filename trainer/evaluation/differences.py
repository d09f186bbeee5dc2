# SPDX-License-Identifier: GPL-3.0-or-later
"""What of the targets the renders do not match: light, noise, framing, in sentences.

Each image is measured in a few ways that a person has a name for. A difference between targets and
renders is told where it is both beyond doubt (Welch's test, Biometrika 34, 1947, at a level for all
statistics together) and large enough to matter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

MIN_COUNT = 4
"""Images of each kind below which no spread can be told."""
CERTAIN = 3.5
"""Standard errors from which a difference is beyond doubt: one in two thousand by chance."""
_OBJECT = 10.0 / 255.0
"""How far from the background a smoothed pixel is the object's."""
_REACH = 8
"""Pixels over which an edge is looked for."""
_COLOURS = ("red", "green", "blue")
_STATISTICS = (*_COLOURS, "brightness", "contrast", "noise", "edge", "right", "down", "area")


@dataclass(frozen=True)
class _Compared:
    """Means of one statistic, and whether they differ beyond doubt."""

    target: float
    render: float
    certain: bool

    def by(self, least: float, share: float = 0.0) -> bool:
        """Whether they differ for certain, and by at least this much and this share."""
        apart = abs(self.target - self.render)
        return self.certain and apart >= max(least, share * max(self.target, self.render))


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
    ours, theirs = measure(targets), measure(renders)
    found = {name: _compared(ours[:, k], theirs[:, k]) for k, name in enumerate(_STATISTICS)}
    sentences = (
        _tell_background(*(found[name] for name in _COLOURS)),
        _tell_brightness(found["brightness"]),
        _tell_contrast(found["contrast"]),
        _tell_noise(found["noise"]),
        _tell_sharpness(found["edge"]),
        _tell_position(found["right"], found["down"], targets.shape[1]),
        _tell_size(found["area"]),
    )
    return tuple(sentence for sentence in sentences if sentence)


def measure(images: np.ndarray) -> np.ndarray:
    """Return the statistics ``(N, 10)`` of images ``(N, S, S, 3)`` uint8.

    Background red, green and blue (the border's median), the object's brightness and contrast,
    and the noise, all in levels of 255; the width of edges in pixels; the object's centre to the
    right and down in pixels from the image's, and its share of the image. NaN where there is no
    object.
    """
    return np.concatenate([_measure(images[k : k + 32]) for k in range(0, len(images), 32)])


def _measure(images: np.ndarray) -> np.ndarray:
    full = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255.0
    scale = max(1, full.shape[-1] // 64)
    pixels = functional.avg_pool2d(full, scale) if scale > 1 else full
    grey = pixels.mean(1, keepdim=True)
    background = _border(pixels).median(-1).values
    weight = _object_weight(pixels, background)
    outside = (weight == 0).float()
    # Smoothing has spread the object by a pixel, and the next one may be half background.
    inside = 1 - functional.max_pool2d(outside, 5, stride=1, padding=2)
    brightness = (grey * inside).sum((1, 2, 3)) / inside.sum((1, 2, 3))
    spread = (grey - brightness[:, None, None, None]).square() * inside
    spread = spread.sum((1, 2, 3)) / inside.sum((1, 2, 3))
    area = 1 - outside.mean((1, 2, 3))
    place = scale * (torch.arange(pixels.shape[-1]) - (pixels.shape[-1] - 1) / 2)
    across, down = (weight.sum(axis)[:, 0] @ place / weight.sum((1, 2, 3)) for axis in (2, 3))
    levels = 255.0 * torch.stack((brightness, spread.sqrt(), _noise_level(full, scale)), 1)
    rest = torch.stack((_edge_width(full[:, :, ::scale]), across, down, area), 1)
    return torch.cat((255.0 * background, levels, rest), 1).double().numpy()


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

    At the image's strongest rises over eight pixels: the rise by the steepest pixel in it.
    """
    grey = rows.mean(1)
    rise = (grey[..., _REACH:] - grey[..., :-_REACH]).abs()
    steepest = functional.max_pool1d((grey[..., 1:] - grey[..., :-1]).abs(), _REACH, stride=1)
    rise, steepest = rise.flatten(1), steepest.flatten(1)
    strongest = rise.kthvalue(max(1, round(0.995 * rise.shape[1])), 1).values[:, None]
    edges = torch.where(rise > 0.5 * strongest, rise / steepest, math.nan)
    return edges.nanmedian(1).values


def _compared(ours: np.ndarray, theirs: np.ndarray) -> _Compared:
    """Compare one statistic of targets and of renders, ``(N,)`` and ``(M,)``, by Welch's test."""
    ours, theirs = ours[np.isfinite(ours)], theirs[np.isfinite(theirs)]
    if min(len(ours), len(theirs)) < MIN_COUNT:
        return _Compared(math.nan, math.nan, certain=False)
    target, render = float(ours.mean()), float(theirs.mean())
    parts = [values.var(ddof=1) / len(values) for values in (ours, theirs)]
    variance = sum(parts)
    if variance < 1e-12:
        return _Compared(target, render, certain=target != render)
    freedom = variance**2 / sum(
        part**2 / (len(values) - 1) for part, values in zip(parts, (ours, theirs), strict=True)
    )
    errors = _as_normal(abs(target - render) / math.sqrt(variance), freedom)
    return _Compared(target, render, certain=errors > CERTAIN)


def _as_normal(t: float, freedom: float) -> float:
    """Return the normal deviate as improbable as Student's ``t`` (D. L. Wallace, 1959)."""
    return (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t**2 / freedom))


def _tell_background(red: _Compared, green: _Compared, blue: _Compared) -> str:
    channels = (red, green, blue)
    if not any(channel.by(4.0) for channel in channels):
        return ""
    apart = [channel.target - channel.render for channel in channels]
    if max(apart) - min(apart) > 10.0:
        ours = ", ".join(f"{channel.target:.0f}" for channel in channels)
        theirs = ", ".join(f"{channel.render:.0f}" for channel in channels)
        return (
            f"The targets' background has another colour: red, green, blue {ours} "
            f"against {theirs} of 255."
        )
    target = sum(channel.target for channel in channels) / 3
    render = sum(channel.render for channel in channels) / 3
    return (
        f"The targets' background is {_more(target, render, 'brighter', 'darker')}: "
        f"{target:.0f} against {render:.0f} of 255."
    )


def _tell_brightness(found: _Compared) -> str:
    if not found.by(5.0):
        return ""
    return (
        f"The targets' object is {_more(found.target, found.render, 'brighter', 'darker')}: "
        f"{found.target:.0f} against {found.render:.0f} of 255 on average."
    )


def _tell_contrast(found: _Compared) -> str:
    if not found.by(2.0, 0.08):
        return ""
    return (
        f"The targets' object has {_more(found.target, found.render, 'more', 'less')} contrast: "
        f"its levels spread by {found.target:.0f} against {found.render:.0f} of 255."
    )


def _tell_noise(found: _Compared) -> str:
    if not found.by(0.5, 0.1):
        return ""
    return (
        f"The targets are {_more(found.target, found.render, 'noisier', 'less noisy')}: "
        f"by {found.target:.1f} against {found.render:.1f} of 255."
    )


def _tell_sharpness(found: _Compared) -> str:
    if not found.by(0.1, 0.15):
        return ""
    return (
        f"The targets are {_more(found.target, found.render, 'less sharp', 'sharper')}: "
        f"their edges are {found.target:.1f} pixels wide against {found.render:.1f}."
    )


def _tell_position(right: _Compared, down: _Compared, size: int) -> str:
    parts = []
    for found, more, less in ((right, "to the right", "to the left"), (down, "down", "up")):
        if found.by(size / 100):
            apart = abs(found.target - found.render)
            parts.append(
                f"{apart:.1f} pixels further {_more(found.target, found.render, more, less)}"
            )
    return f"The targets' object is {' and '.join(parts)}." if parts else ""


def _tell_size(found: _Compared) -> str:
    if not found.by(0.005, 0.1):
        return ""
    return (
        f"The targets' object is {_more(found.target, found.render, 'larger', 'smaller')}: "
        f"it covers {100 * found.target:.0f} % of the picture against {100 * found.render:.0f} %."
    )


def _more(target: float, render: float, more: str, less: str) -> str:
    return more if target > render else less
