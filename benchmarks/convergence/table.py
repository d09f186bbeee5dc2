# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables: one to compare, one with what else there is to know."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from .contestants import CONTESTANTS
from .score import Score
from .tasks import TASKS, Task

Scores = Mapping[tuple[str, str], Sequence[Score]]
"""The scores of all seeds, by task and contestant."""

LEGEND = """\
In each cell: renders after which the estimate was first within the tolerance and stayed so to the
end of the run, the median over all seeds (a failure counts as infinitely many), and how many seeds
succeeded. The tolerance is about the mean and spread of the parameters that the targets were drawn
with. Where pictures judge, an estimate is good when a classifier cannot tell clean renders of it
from fresh ones of the truth. {budgets}"""


def comparison(scores: Scores, limits: Mapping[tuple[str, str], int]) -> str:
    """Return the table of tasks by contestants."""
    tasks, contestants = _both(scores)
    lines = _head("Task", "Asked of ours", *contestants)
    for task in tasks:
        cells = [
            _cell(scores.get((task, name), ()), limits.get((task, name))) for name in contestants
        ]
        lines.append(_row(f"`{task}`: {TASKS[task].says}", asked(TASKS[task]), *cells))
    legend = LEGEND.format(budgets=_budgets(contestants, limits))
    return "\n".join([*lines, "", legend]) + "\n"


def details(scores: Scores) -> str:
    """Return the table with a line for each task and contestant."""
    lines = _head(
        "Estimator",
        "Task",
        "As asked",
        "Kept after, median (worst)",
        "First touched, median",
        "Renders made, median",
        "Stopped by itself",
        "Stopped wrongly",
        "Mean off, median (worst)",
        "Spread off, median (worst)",
        "95 % intervals that hold",
        "Classifier accuracy, median",
        "Differences told",
        "Seconds, median (worst)",
    )
    tasks, contestants = _both(scores)
    for name in contestants:
        for task in tasks:
            if scores.get((task, name)):
                lines.append(
                    _row(name, f"`{task}`", *_details(TASKS[task], name, scores[task, name]))
                )
    return "\n".join([*lines, "", DETAILS_LEGEND]) + "\n"


DETAILS_LEGEND = """\
Means are off in internal units (logarithms), spreads in per cent of the drawn ones, each the worst
parameter's. Stopped wrongly: the estimator said that it had arrived and had not. The classifier
(nearest to 0.5 is best) tells clean renders of what was found from clean fresh renders of the
truth. Differences told: for how many seeds the program names something of the targets that clean
renders of the result do not match. Seconds are those spent in the estimator over its first 300
renders, or all if fewer, with one thread."""


def asked(task: Task) -> str:
    """Say what is asked of our estimators."""
    share = f"{100 * task.needed:.0f} %"
    if task.by_pictures:
        what = "pictures not to be told apart"
    else:
        what = f"means within {task.mean_within:g}"
        if task.std_within is not None:
            what += f", spreads within {100 * task.std_within:.0f} %"
    median = "" if task.median is None else f", the median within {task.median} renders"
    return f"{what}{median}, {share} of seeds within {task.within}"


def meets(task: Task, scores: Sequence[Score]) -> bool:
    """Return whether an estimator does what the task asks, and never claims what it has not."""
    if any(score.false_stop for score in scores):
        return False
    share = sum(score.success for score in scores) / len(scores)
    return share >= task.needed and (task.median is None or _median_kept(scores) <= task.median)


def alike(scores: Scores) -> str:
    """Say where different parameters gave the same pictures, and what estimators say of it."""
    lines = []
    for (task, name), found in scores.items():
        good = [score for score in found if score.success]
        if TASKS[task].by_pictures and good:
            off = _counted(name for score in good for name in score.off)
            lines.append(
                f"- `{task}`, {name}: of {len(good)} seeds with pictures that could not be told "
                f"apart, parameters were off (mean by {TASKS[task].mean_within:g} or spread by "
                f"{100 * (TASKS[task].std_within or 0):.0f} %) as often as: {off or 'never'}."
            )
        best = _ceilings(found)
        if best and len(best) == max(
            len(_ceilings(s)) for (t, _), s in scores.items() if t == task
        ):
            accuracy = statistics.median(ceiling["accuracy"] for ceiling in best)
            passed = sum(ceiling["low"] <= 0.5 for ceiling in best)
            lines.append(
                f"- `{task}`: the distribution with the mean and spread of the targets' own "
                f"parameters, the best that can be found, is told from the truth with an accuracy "
                f"of {accuracy:.2f} in the median, and passes for {passed} of {len(best)} seeds."
            )
        said = _counted(name for score in found for name in score.undetermined)
        if said:
            lines.append(f"- `{task}`, {name} calls undetermined, in so many seeds: {said}.")
        said = _counted(group for score in found for group in score.trade_offs)
        if said:
            lines.append(f"- `{task}`, {name} calls exchangeable, in so many seeds: {said}.")
    return "\n".join(lines) + "\n" if lines else ""


def told(scores: Scores) -> str:
    """Say what the program tells a person of targets that are seen through something."""
    lines = []
    for (task, name), found in scores.items():
        if TASKS[task].seen_through and CONTESTANTS[name].budget is None:
            says = " ".join(found[0].differences) or "nothing."
            lines.append(f"- `{task}`, {name}, of the first seed: {says}")
    return "\n".join(lines) + "\n" if lines else ""


def noticed(scores: Scores) -> str:
    """Say how soon targets are taken for differently lit, rightly or wrongly."""
    lines = []
    for (task, name), found in scores.items():
        renders = [score.noticed for score in found if score.noticed is not None]
        if renders:
            wrongly = "" if TASKS[task].seen_through else "wrongly "
            lines.append(
                f"- `{task}`, {name}: {len(renders)} of {len(found)} seeds are {wrongly}taken for "
                f"differently lit, after {statistics.median(renders):.0f} renders in the median "
                f"and {max(renders)} at most."
            )
    return "\n".join(lines) + "\n" if lines else ""


def broken(scores: Scores) -> str:
    """Say which runs broke off, which are failures too."""
    lines = []
    for (task, name), found in scores.items():
        errors = [score.error for score in found if score.error]
        if errors:
            lines.append(f"- `{task}`, {name}: {len(errors)} seeds broke off, one by: {errors[0]}")
    return "\n".join(lines) + "\n" if lines else ""


def _ceilings(found: list[Score]) -> list[dict]:
    return [score.ceiling for score in found if score.ceiling]


def _counted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}` {count}" for name, count in Counter(names).most_common())


def _cell(scores: Sequence[Score], limit: int | None) -> str:
    if not scores:
        return "not run"
    return f"{_count(_median_kept(scores), limit)} ({sum(s.success for s in scores)}/{len(scores)})"


def _details(task: Task, name: str, scores: Sequence[Score]) -> list[str]:
    ours = CONTESTANTS[name].budget is None
    kept = [_or_infinite(score.kept) for score in scores]
    intervals = sum(score.intervals for score in scores)
    covered = sum(score.covered for score in scores)
    accuracies = [score.accuracy for score in scores if score.accuracy is not None]
    return [
        ("yes" if meets(task, scores) else "no") if ours else "",
        f"{_count(statistics.median(kept))} ({_count(max(kept))})",
        _count(statistics.median(_or_infinite(score.touched) for score in scores)),
        f"{statistics.median(score.renders for score in scores):.0f}",
        f"{sum(score.stopped for score in scores)}/{len(scores)}",
        f"{sum(score.false_stop for score in scores)}",
        _worst([score.mean_error for score in scores], "{:.3f}"),
        _worst([100 * score.std_error for score in scores], "{:.0f} %"),
        f"{100 * covered / intervals:.0f} % of {intervals}" if intervals else "",
        f"{statistics.median(accuracies):.2f}" if accuracies else "",
        f"{sum(bool(score.differences) for score in scores)}/{len(scores)}",
        _worst([score.seconds for score in scores], "{:.1f}"),
    ]


def _worst(values: Sequence[float], form: str) -> str:
    return f"{form.format(statistics.median(values))} ({form.format(max(values))})"


def _median_kept(scores: Sequence[Score]) -> float:
    return statistics.median(_or_infinite(score.kept) for score in scores)


def _or_infinite(count: int | None) -> float:
    return math.inf if count is None else count


def _count(count: float, limit: int | None = None) -> str:
    if math.isfinite(count):
        return f"{count:.0f}"
    return "never" if limit is None else f"> {limit}"


def _budgets(contestants: Sequence[str], limits: Mapping[tuple[str, str], int]) -> str:
    """Say how many renders each was given at most."""
    given = []
    for name in contestants:
        own = {task: limit for (task, other), limit in limits.items() if other == name}
        usual = statistics.mode(own.values())
        rest = [f"{limit} for `{task}`" for task, limit in own.items() if limit != usual]
        given.append(f"{name} {usual}" + (f" ({', '.join(rest)})" if rest else ""))
    return f"Renders given at most: {', '.join(given)}."


def _both(scores: Scores) -> tuple[list[str], list[str]]:
    """Return the tasks and the contestants that there are scores of, in the table's order."""
    return (
        [name for name in TASKS if any(task == name for task, _ in scores)],
        [name for name in CONTESTANTS if any(other == name for _, other in scores)],
    )


def _head(*cells: str) -> list[str]:
    return [_row(*cells), _row(*("---" for _ in cells))]


def _row(*cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
