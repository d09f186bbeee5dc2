# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of the system, where that is Debian or a relative: what is missing, installing it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_updated = False


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def is_debian() -> bool:
    return sys.platform == "linux" and shutil.which("apt-get") is not None


def can_install() -> bool:
    return is_debian() and os.geteuid() == 0


def missing(packages: Sequence[str]) -> list[str]:
    """Those of the packages that are not installed."""
    status = "${db:Status-Status}"
    return [
        package
        for package in packages
        if subprocess.run(
            ["dpkg-query", "--show", f"--showformat={status}", package],
            capture_output=True,
            text=True,
        ).stdout
        != "installed"
    ]


def install(packages: Sequence[str]) -> None:
    """Install the packages that are missing, by a fresh list of what there is."""
    global _updated
    needed = missing(packages)
    if not needed:
        return
    say(f"Installing {' '.join(needed)} ...")
    if not _updated:
        run_quietly(["apt-get", "update"], timeout=300)
        _updated = True
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run_quietly(
        ["apt-get", "install", "-y", "--no-install-recommends", *needed],
        timeout=900,
        env=environment,
    )


def mirror() -> str | None:
    """The archive that this system's own packages come from; None where that is not Debian's."""
    release = Path("/etc/os-release").read_text().splitlines()
    if "ID=debian" not in release:
        return None
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME)", "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in targets.splitlines():
        site, _, codename = line.partition(" ")
        if site and "-" not in codename:  # Not bookworm-updates, not bookworm-security.
            return site
    return None


def run_quietly(
    command: Sequence[str],
    *,
    timeout: float,
    check: bool = True,
    env: dict[str, str] | None = None,
) -> None:
    """Run a command; what it says is shown, its end at least, only where it fails."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=timeout, env=env
        )
        if result.returncode and check:
            log.seek(0)
            say("".join(log.readlines()[-30:]))
    if check:
        result.check_returncode()
