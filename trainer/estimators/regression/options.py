# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of the posterior regression, with one set of defaults for all tasks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RegressionOptions:
    """Settings of the posterior regression.

    "Target variance" is the variance of the targets' pictures. "Picture change" is the root mean
    square change of a picture over the root of the target variance.

    Attributes
    ----------
    first
        Renders for each parameter that cover the box before the first regression; 40 at least in
        all.
    half
        Half the side of the box, in spreads of the start.
    jitter
        Spread of the proposals around a target's prediction, in spreads of the predictions.
    width
        Width of the weights of renders, over that of the predictions.
    share_nearest
        Share of a batch around the renders nearest to all targets.
    share_box
        Share of a batch in the whole box, at least one render.
    precision
        Converged, without an emulator, when the error of the predictions is below this, in spreads
        of the predictions.
    explained
        The emulator is accepted when it explains this share of the variance of pictures ...
    misfit
        ... and its median misfit of the targets is below this; 1 is expected.
    picture_precision
        Converged, with an emulator, when the posterior uncertainty is a picture change below
        this ...
    mean_shift
        ... and no mean moved by more since the round before, in units of
        :meth:`.Prediction.shift_from`. Where pictures hardly distinguish some parameters, all
        predictions can be wrong in the same way, and a moving mean is the sign of it.
    emulated_jitter
        As ``jitter``, with the emulator, and in spreads of the population.
    emulated_weak
        Directions are weak in which a spread is a picture change below this.
    emulated_widening
        Proposals are wider in weak directions, by this factor at most.
    emulated_next
        Renders before the emulator's next prediction, as a share of all renders; a batch at least.
    mismatch_ratio
        A mismatch needs a larger ratio of the targets' distance from renders to the distance
        between renders (:attr:`.Distances.ratio`), and one of two conditions:
    mismatch_outside
        The targets' distance from renders exceeds this, in units of the distance between renders
        that cover the box.
    mismatch_explained, mismatch_uncertainty
        The emulator explains more than the first share of the variance of pictures, and the
        posterior uncertainty changes a picture by less than the second share of its distance from
        the nearest render.
    ambiguous_from, ambiguous_to
        A mismatch is ambiguous, and takes more rounds, between these distances, in the unit of
        ``mismatch_outside``. Pictures of different parameters are as far from each other.
    network_first, network_next
        Renders in random light before the first training of the network, and before each later one.
    network_box
        Share of the latter in the whole box.
    network_precision
        As ``precision``, for the network.
    network_jitter
        As ``jitter``, for the network.
    """

    first: int = 20
    half: float = 4.5
    jitter: float = 1.0
    width: float = 3.5
    share_nearest: float = 0.15
    share_box: float = 0.05
    precision: float = 0.1
    explained: float = 0.8
    misfit: float = 4.0
    picture_precision: float = 0.045
    mean_shift: float = 0.06
    emulated_jitter: float = 0.7
    emulated_weak: float = 0.1
    emulated_widening: float = 3.0
    emulated_next: float = 0.06
    mismatch_ratio: float = 6.0
    mismatch_outside: float = 2.0
    mismatch_explained: float = 0.9
    mismatch_uncertainty: float = 0.5
    ambiguous_from: float = 0.4
    ambiguous_to: float = 1.1
    network_first: int = 300
    network_next: int = 150
    network_box: float = 0.15
    network_precision: float = 0.5
    network_jitter: float = 0.5
