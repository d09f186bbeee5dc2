# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``gdr``: one module a sub-command, torch imported only by those that need it."""

from __future__ import annotations

import argparse
import os
import sys

from gdr_core import __version__
from gdr_core.errors import BadSettings, GdrError

from . import doctor

COMMANDS = {"doctor": doctor}
_missing = ""
try:
    from . import optimize, render, serve
except ModuleNotFoundError as error:
    # The doctor works in a Python that has none of the packages: it is there to say so.
    _missing = error.name or str(error)
else:
    COMMANDS = {"optimize": optimize, "render": render, "doctor": doctor, "serve": serve}
EXIT_FAILED, EXIT_BAD_ARGUMENTS, EXIT_INTERRUPTED = 1, 2, 130


def main(argv: list[str] | None = None) -> int:
    """Run one command and return the process's exit code.

    0 done, 1 failed, 2 bad arguments, 130 interrupted with everything saved.
    """
    argv = sys.argv[1:] if argv is None else argv
    if _missing and argv[:1] != ["doctor"]:
        return _say_missing(_missing)
    args = _parser().parse_args(argv)
    try:
        return COMMANDS[args.command].run(args)
    except BadSettings as error:
        print(f"gdr: {error}", file=sys.stderr)
        return EXIT_BAD_ARGUMENTS
    except GdrError as error:
        print(f"gdr: {error}", file=sys.stderr)
        return EXIT_FAILED
    except ModuleNotFoundError as error:
        return _say_missing(error.name or str(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output is gone; keep Python from failing once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def _say_missing(package: str) -> int:
    print(
        f"gdr: this Python ({sys.executable}) has no {package}; gdr doctor, or Check in the "
        f"extension's preferences, says what is missing and how to install it.",
        file=sys.stderr,
    )
    return EXIT_FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gdr",
        description="Guided domain randomization: find the distribution over a scene's "
        "parameters that produced your images.",
    )
    parser.add_argument("--version", action="version", version=f"gdr {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        # What is not for people is not in the list.
        listed = {} if module.HELP.endswith("(not for people)") else {"help": module.HELP}
        command = commands.add_parser(
            name,
            **listed,
            description=module.HELP,
            formatter_class=lambda prog: argparse.HelpFormatter(
                prog, max_help_position=34, width=100
            ),
        )
        module.add_arguments(command)
    return parser
