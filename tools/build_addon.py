# SPDX-License-Identifier: GPL-3.0-or-later
"""Build dist/gdr-VERSION.zip, the extension that Blender installs, and validate it.

The wheels that the manifest lists are fetched from the package index at the versions that
constraints.txt pins. Building and validating is Blender's own command, which comes with the bpy
module too.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

from gdr_core.errors import GdrError
from trainer.rendering import blender

ROOT = Path(__file__).resolve().parent.parent
WHEELS = ROOT / "wheels"
PACKAGES = ("msgspec", "pyzmq")
PYTHONS = ("3.11", "3.13", "3.14")
PLATFORMS = (
    ("manylinux_2_28_x86_64", "manylinux_2_26_x86_64", "manylinux2014_x86_64"),
    ("macosx_11_0_arm64", "macosx_11_0_universal2", "macosx_10_15_universal2"),
    ("win_amd64",),
)
CONTENTS = {
    "LICENSE",
    "__init__.py",
    "blender_manifest.toml",
    "blendtorch",
    "gdr_addon",
    "gdr_core",
    "trainer",
    "wheels",
}


class CannotBuild(Exception):
    """The archive cannot be made; the message says what to do."""


def build() -> Path:
    """Build and validate the archive; its path."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text(encoding="utf-8"))
    _provide_wheels([Path(wheel).name for wheel in manifest["wheels"]])
    archive = ROOT / "dist" / f"{manifest['id']}-{manifest['version']}.zip"
    archive.parent.mkdir(exist_ok=True)
    archive.unlink(missing_ok=True)
    command = _extension_command()
    _call([*command, "build", "--source-dir", str(ROOT), "--output-filepath", str(archive)])
    _call([*command, "validate", str(archive)])
    _check_contents(archive)
    return archive


def _provide_wheels(listed: list[str]) -> None:
    """See to it that the listed wheels are there, and that they are the pinned ones."""
    pins = _pins()
    wanted = {f"{name}-{pins[name]}" for name in PACKAGES}
    if {"-".join(wheel.split("-")[:2]) for wheel in listed} == wanted and all(
        (WHEELS / wheel).exists() for wheel in listed
    ):
        return
    shutil.rmtree(WHEELS, ignore_errors=True)
    for python in PYTHONS:
        for platform in PLATFORMS:
            _call(
                [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
                + ["--dest", str(WHEELS), "--only-binary", ":all:", "--no-deps"]
                + ["--python-version", python]
                + [word for tag in platform for word in ("--platform", tag)]
                + [f"{name}=={pins[name]}" for name in PACKAGES]
            )
    fetched = sorted(wheel.name for wheel in WHEELS.glob("*.whl"))
    if fetched != sorted(listed):
        lines = "\n".join(f'    "./wheels/{wheel}",' for wheel in fetched)
        raise CannotBuild(
            "The wheels of blender_manifest.toml are not those of the versions in constraints.txt."
            f" Its list must read:\nwheels = [\n{lines}\n]"
        )


def _pins() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==([\w.+-]+)", text, re.MULTILINE))


def _extension_command() -> list[str]:
    """Blender's command for extensions: out of the bpy module, or a Blender's."""
    bpy = importlib.util.find_spec("bpy")  # Found, not imported: that would take a second.
    for folder in bpy.submodule_search_locations or () if bpy else ():
        for script in Path(folder).glob("*/scripts/addons_core/bl_pkg/cli/blender_ext.py"):
            return [sys.executable, str(script)]
    try:
        executable = blender.find(module=False)
    except GdrError as error:
        raise CannotBuild(
            f"Building the extension takes the bpy module, or a Blender. {error}"
        ) from error
    return [executable, "--factory-startup", "--command", "extension"]


def _check_contents(archive: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        found = {name.partition("/")[0] for name in opened.namelist()}
    if found != CONTENTS:
        raise CannotBuild(
            f"The archive's contents are not as expected: {sorted(found ^ CONTENTS)}; see "
            "paths_exclude_pattern in blender_manifest.toml."
        )


def _call(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        raise CannotBuild(f"This failed: {' '.join(command)}")


def main() -> int:
    try:
        archive = build()
    except CannotBuild as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{archive.relative_to(ROOT)}: {archive.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
