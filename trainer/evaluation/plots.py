# SPDX-License-Identifier: GPL-3.0-or-later
"""``plots/parameters.png``: how the distribution moved."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data.targets import Truth


def save_parameters(
    path: Path,
    names: tuple[str, ...],
    steps: np.ndarray,
    means: np.ndarray,
    stds: np.ndarray,
    truth: dict[str, Truth],
) -> None:
    """Draw each parameter's mean with a band of one spread against steps, the truth dashed.

    Parameters
    ----------
    path
        Of the picture.
    names
        Of the ``K`` parameters.
    steps
        ``(T,)``.
    means, stds
        ``(T, K)``, in internal units.
    truth
        By name, where it is known.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import MaxNLocator

    columns = min(3, len(names))
    lines = -(-len(names) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(4.2 * columns, 3.2 * lines), squeeze=False, layout="constrained"
    )
    for k, name in enumerate(names):
        ax = axes.flat[k]
        mean, std = means[:, k], stds[:, k]
        ax.fill_between(steps, mean - std, mean + std, alpha=0.25, color="C0", linewidth=0)
        ax.plot(steps, mean, color="C0", label="mean ± spread")
        if name in truth:
            known = truth[name].distribution
            ax.axhline(known.mean, color="k", linestyle="--", linewidth=1, label="truth ± spread")
            drawn = truth[name].drawn_mean
            ax.axhline(drawn, color="C1", linestyle="-.", linewidth=1, label="mean of the targets")
            for edge in (known.mean - known.std, known.mean + known.std):
                ax.axhline(edge, color="k", linestyle=":", linewidth=0.8)
        _leave_out_excursions(ax, mean, std, truth.get(name))
        ax.set_title(name)
        ax.set_xlabel("step")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(fontsize="small")
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _leave_out_excursions(ax, mean: np.ndarray, std: np.ndarray, truth: Truth | None) -> None:
    """Keep what was far from start, end and truth on the way from flattening all the rest."""
    ends = [(mean[0], std[0]), (mean[-1], std[-1])]
    if truth is not None:
        ends.append((truth.distribution.mean, truth.distribution.std))
    low, high = min(m - s for m, s in ends), max(m + s for m, s in ends)
    bottom, top = ax.get_ylim()
    ax.set_ylim(max(bottom, low - (high - low)), min(top, high + (high - low)))
