# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things that the tests of this folder use; makes the repository's packages importable."""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))


def wait_for(condition, seconds: float = 20.0) -> float:
    """Wait until the condition holds; return how long it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "the condition did not come about in time"
        time.sleep(0.01)
    return time.monotonic() - started


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
