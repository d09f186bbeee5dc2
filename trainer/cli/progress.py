# SPDX-License-Identifier: GPL-3.0-or-later
"""A run on the terminal: a progress bar where there is one, lines where there is none."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from rich.console import Console, RenderableType
from rich.logging import RichHandler
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.text import Text

from gdr_core import messages, sentences
from gdr_core.families import Distribution

from ..run.outcome import Outcome

LINE_EVERY = 10


class Progress:
    """Shows the messages of a run; a context manager that owns the terminal meanwhile."""

    def __init__(self, quiet: bool, verbose: bool):
        self._console = Console(stderr=True, quiet=quiet, markup=False)
        self._bar = _BarOverState(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[steps]}"),
            expand=True,
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._verbose = verbose
        self._task = self._bar.add_task("Starting", total=None, steps="", state="")
        level = logging.INFO if verbose else logging.WARNING
        self._handler = RichHandler(
            level, console=self._console, show_time=False, show_level=False, show_path=False
        )
        # Why it failed is the command's own last line.
        self._handler.addFilter(lambda record: record.levelno < logging.ERROR)

    def __enter__(self) -> Progress:
        logging.getLogger().addHandler(self._handler)
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()
        logging.getLogger().removeHandler(self._handler)

    def observe(self, message: messages.Message) -> None:
        """Take one message of the run."""
        if isinstance(message, messages.Status):
            self._bar.update(self._task, description=message.text)
            if not self._console.is_terminal:
                self._say(message.text)
        elif isinstance(message, messages.Notice):
            self._say(f"{message.text}.")
        elif isinstance(message, messages.Progress):
            state, steps = _state(message), _steps(message)
            # An estimator that ends the run is at the end before the last step.
            total = message.step if message.converged else message.steps
            self._bar.update(
                self._task, completed=message.step, total=total, steps=steps, state=state
            )
            last = message.step == total
            if not self._console.is_terminal and (message.step % LINE_EVERY == 0 or last):
                self._console.print(f"{steps}, {state}", soft_wrap=True)

    def _say(self, text: str) -> None:
        """Print a line, above the bar; the log's lines show it already where they are shown."""
        if not self._verbose:
            self._console.print(text, soft_wrap=True, highlight=False)

    def conclude(self, outcome: Outcome, folder: Path) -> None:
        """Print the result and where its files are."""
        conclusion = outcome.conclusion
        self._console.print(f"{outcome.text}.")
        for line in table(outcome.parameters, conclusion):
            self._console.print(f"  {line}", soft_wrap=True, highlight=False)
        said = [sentences.undetermined(conclusion.undetermined)]
        said += [sentences.trade_off(group) for group in conclusion.trade_offs]
        said += [sentences.comparison(conclusion), *conclusion.differences]
        for sentence in filter(None, said):
            self._console.print(sentence, soft_wrap=True, highlight=False)
        self._console.print(f"Run folder: {folder}", soft_wrap=True, highlight=False)
        if not outcome.parameters:
            return  # It ended before it began; there are no pictures.
        pictures = "  images/real.png and images/result.png: targets, and renders of the result"
        if not (folder / "images" / "result.png").is_file():
            pictures = "  images/real.png and images/sim_samples_*.png: targets and renders"
        self._console.print(
            f"{pictures}\n  plots/parameters.png: how the distribution moved", highlight=False
        )


class _BarOverState(Bar):
    """A bar with the run's state below it, so that neither squeezes the other on 80 columns."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        for task in self.tasks:
            if task.fields["state"]:
                yield Text(task.fields["state"])


def table(parameters: dict[str, Distribution], conclusion: messages.Conclusion) -> list[str]:
    """Return a line for each distribution, below a heading: in internal and in readable units."""
    if not parameters:
        return []
    rows = [("", "family", "mean", "spread", "that is")]
    for name, distribution in parameters.items():
        low, middle, high = distribution.readable()
        readable = f"{middle:.3g} ({low:.3g} to {high:.3g})"
        mean = _with_error(distribution.mean, conclusion.mean_error.get(name))
        spread = _with_error(distribution.std, conclusion.std_error.get(name))
        if name in conclusion.undetermined:
            readable += ", undetermined"
        rows.append((name, distribution.family, mean, spread, readable))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _with_error(value: float, error: float | None) -> str:
    return f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"


def _steps(message: messages.Progress) -> str:
    if message.converged is not None:
        return f"{message.step} of at most {message.steps} steps"
    return f"{message.step}/{message.steps} steps{_left(message.eta_seconds)}"


def _left(seconds: float) -> str:
    return f", {timedelta(seconds=round(seconds))} left" if seconds > 0 else ""


def _state(message: messages.Progress) -> str:
    means = " ".join(
        f"{name} {message.mean[name]:.2f}±{message.std[name]:.2f}" for name in message.mean
    )
    return f"{message.renders} renders  {means}"
