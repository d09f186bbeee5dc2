# SPDX-License-Identifier: GPL-3.0-or-later
"""How many renders an estimator needs, and whether it is right, on the same targets as others.

    python -m benchmarks.convergence --tasks reference,random --estimators regression --seeds 20

The tasks are in :mod:`.tasks`, what the targets are seen through in :mod:`.nuisances`, who takes
part in :mod:`.contestants`; a run is made by :mod:`.job` and judged by :mod:`.score`.
"""
