# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the posterior regression; the defaults serve all tasks that were tried."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RegressionOptions:
    """Settings of the posterior regression.

    Attributes
    ----------
    first
        Renders a parameter that cover the box before the first regression, 40 at least in all.
    half
        From the start to a side of the box, in spreads of the start.
    jitter
        Spread of the renders around a target's predicted parameters, in spreads of the model.
    width
        How much wider than the targets' predictions the renders are weighted.
    share_alike
        Share of a batch that is drawn around the renders most like the targets.
    share_wide
        Share of a batch that is drawn from the box, at least one.
    precision
        Without an emulator, converged when the error of the predictions is below so many spreads
        of the model.
    explained
        The emulator serves when it foresees this share of the variance of pictures.
    misfit
        And when it misses half of the targets by no more than so many times the expected square.
    picture_precision
        With it, converged when what is not known of the parameters changes a picture by less than
        this share of what targets differ by ...
    still
        ... and when the mean of no parameter moved by more since the reading before, in standard
        deviations of the targets and of what is not known of them: where pictures hardly tell some
        parameters apart, all that is read off them can be wrong in the same way, and a mean that
        still moves is the sign of it.
    emulated_jitter
        As ``jitter``, with the emulator.
    emulated_seen, emulated_farthest
        Farther, by at most that factor, along directions in which a spread changes a picture by
        less than this share of what targets differ by.
    emulated_next
        Renders before its next reading, over those made: a batch at least.
    mismatch
        How much farther from renders than these from each other targets are that no render can
        be like, where ...
    outside
        ... they are so many times as far from every render as renders from all over the box are
        from their nearest, or ...
    closed_in, unknown
        ... an emulator foresees the one share of the variance of pictures near what is believed of
        them, and what is not known of their parameters changes a picture by less than the other
        share of its distance from the nearest render.
    related, unrelated
        Between so many times that distance, targets are as far as pictures of other parameters are,
        and it takes more rounds to believe that the search has closed in.
    network_first, network_next
        Renders in random light before the network's first training, and before each next one.
    network_wide
        Share of the latter that is drawn from the box.
    network_precision
        As ``precision``, for the network.
    network_jitter
        As ``jitter``, for the network.
    """

    first: int = 20
    half: float = 4.5
    jitter: float = 1.0
    width: float = 3.5
    share_alike: float = 0.15
    share_wide: float = 0.05
    precision: float = 0.1
    explained: float = 0.8
    misfit: float = 4.0
    picture_precision: float = 0.045
    still: float = 0.06
    emulated_jitter: float = 0.7
    emulated_seen: float = 0.1
    emulated_farthest: float = 3.0
    emulated_next: float = 0.06
    mismatch: float = 6.0
    outside: float = 2.0
    closed_in: float = 0.9
    unknown: float = 0.5
    related: float = 0.4
    unrelated: float = 1.1
    network_first: int = 300
    network_next: int = 150
    network_wide: float = 0.15
    network_precision: float = 0.5
    network_jitter: float = 0.5
