# SPDX-License-Identifier: GPL-3.0-or-later
"""Find, and on Debian fetch, the Blender that the tests in a real window use.

The order: the executable that GDR_BLENDER names; a Debian root in the cache; and, as root on Debian
or a relative of it, a new Debian root made by debootstrap, which holds Blender and the X programs
that a test needs and touches nothing of the system. A test wants one version, so this order is not
that of trainer.rendering.blender.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import debian

SUITES = {"4.3": "trixie", "5.2": "sid"}
PACKAGES = (
    "blender",
    "ca-certificates",
    "libegl1",
    "libgl1-mesa-dri",
    "openbox",
    "procps",
    # Every Blender from its makers brings these; Debian's only suggests some of them.
    "python3-cattr",
    "python3-numpy",
    "python3-requests",
    "python3-zstandard",
    "xdotool",
    "xvfb",
)
BOOTSTRAP_SECONDS = 1500


class NoBlender(Exception):
    """There is no Blender for the window tests; the message says what to do about it."""


@dataclass(frozen=True)
class TestBlender:
    """A Blender with a window: its executable, and the Debian root it lives in, if any."""

    __test__ = False  # Not a test case, whatever pytest makes of the name.

    executable: str
    root: Path | None = None


def cache_folder() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("GDR_CACHE") or base / "gdr").absolute()


def find(version: str) -> TestBlender:
    """The Blender at hand; raises NoBlender with a sentence to show where there is none."""
    named = os.environ.get("GDR_BLENDER")
    if named:
        found = shutil.which(named)
        if found is None:
            raise NoBlender(f"GDR_BLENDER is {named!r}, which is not an executable.")
        return TestBlender(str(Path(found).absolute()))
    root = cache_folder() / f"blender-{version}"
    if (root / "usr/bin/blender").exists():
        return TestBlender("/usr/bin/blender", root)
    raise NoBlender(
        f"No Blender for the window tests: install Blender {version} (and, on Linux, Xvfb "
        "and xdotool) and set GDR_BLENDER to its executable; on Debian as root, "
        f"'python tools/blender_for_tests.py {version}' fetches one."
    )


def fetch(version: str) -> TestBlender:
    """The Blender at hand, or a new Debian root with one."""
    try:
        return find(version)
    except NoBlender:
        if os.environ.get("GDR_BLENDER") or not debian.can_install():
            raise
    import fcntl  # Windows has none, and never comes here.

    cache_folder().mkdir(parents=True, exist_ok=True)
    with (cache_folder() / f"blender-{version}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = cache_folder() / f"blender-{version}"
        if not root.exists():
            _bootstrap(version, root)
    return find(version)


def _bootstrap(version: str, root: Path) -> None:
    debian.install(["debootstrap", "debian-archive-keyring", "util-linux", "ca-certificates"])
    for attempt in (1, 2):
        partial = root.with_name(f"{root.name}.partial")
        _remove(partial)
        try:
            _fill(version, partial)
        except (NoBlender, subprocess.SubprocessError) as error:
            if attempt == 2:
                raise NoBlender(f"Could not fetch Blender {version}: {error}") from error
            debian.say(f"That failed ({error}); once more.")
        else:
            partial.rename(root)
            return


def _fill(version: str, root: Path) -> None:
    suite = SUITES[version]
    debian.say(f"Fetching Blender {version} into {root} (Debian {suite}, 1.8 GB on disk) ...")
    bootstrap = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    bootstrap += ["--keyring=/usr/share/keyrings/debian-archive-keyring.gpg", suite, str(root)]
    mirror = debian.mirror()
    # debootstrap cannot order every dependency of Blender; apt puts right what it leaves.
    _isolated([*bootstrap, *([mirror] if mirror else [])], check=False)
    if not (root / "usr/bin/apt-get").exists():
        raise NoBlender("debootstrap stopped before there was a system to go on with")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    inside = ["chroot", str(root)]
    _isolated([*inside, "apt-get", "-y", "-f", "install"], env=environment)
    _isolated([*inside, "apt-get", "-y", "install", *PACKAGES], env=environment)
    _isolated([*inside, "apt-get", "clean"])
    answer = subprocess.run(
        [*inside, "blender", "--version"], capture_output=True, text=True, timeout=120, check=True
    )
    # sid moves on; testing with a later Blender beats testing with none, but not silently.
    if f"Blender {version}." not in answer.stdout:
        debian.say(f"NOTE: Debian {suite} has {answer.stdout.split(chr(10))[0]}, not {version}.")


def _isolated(command: list[str], check: bool = True, env: dict[str, str] | None = None) -> None:
    """Run a command in a mount namespace of its own, so that no mount of it stays behind."""
    debian.run_quietly(
        ["unshare", "--mount", *command], timeout=BOOTSTRAP_SECONDS, check=check, env=env
    )


def _remove(root: Path) -> None:
    if any(f" {root}/" in line for line in Path("/proc/mounts").read_text().splitlines()):
        raise NoBlender(f"Something is still mounted under {root}; unmount it and try again.")
    if root.exists():
        shutil.rmtree(root)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version", choices=SUITES, nargs="?", default="4.3")
    version = parser.parse_args().version
    try:
        blender = fetch(version)
    except NoBlender as error:
        debian.say(str(error))
        # Where CI runs a missing Blender is a failure; elsewhere pytest skips and says so again.
        return 1 if os.environ.get("CI") else 0
    debian.say(
        f"Window tests use {blender.executable}" + f" in {blender.root}" * bool(blender.root)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
