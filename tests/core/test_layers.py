# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may import whom: what the architecture promises, read off the code."""

import ast
from pathlib import Path

import pytest

from gdr_core.scenes import DEFINITIONS

ROOT = Path(__file__).parents[2]
PACKAGES = ("gdr_core", "gdr_addon", "trainer", "blendtorch")
REGISTRIES = {"gdr_core/scenes.py", "gdr_addon/scenes/__init__.py"}
"""Where scenes are known by name; nothing else outside their folders knows any."""


def sources(*packages: str) -> list[Path]:
    return [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """Return the modules and names that a file imports, as dotted paths from the root."""
    place = path.relative_to(ROOT).with_suffix("").parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = place[: len(place) + 1 - node.level] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            found |= {f"{module}.{alias.name}" for alias in node.names} | {module}
    return found


def test_only_the_registries_know_a_scene():
    strangers = []
    for path in sources(*PACKAGES):
        name = path.relative_to(ROOT).as_posix()
        if any(f"/{scene}/" in name for scene in DEFINITIONS) or name in REGISTRIES:
            continue
        known = {what for what in imported(path) if DEFINITIONS.keys() & set(what.split("."))}
        strangers += [f"{name}: {what}" for what in known]
    assert strangers == []


def test_the_test_of_the_registries_sees_what_they_import():
    assert any("supershape" in what for what in imported(ROOT / "gdr_core" / "scenes.py"))


@pytest.mark.parametrize(
    ("package", "never"),
    [
        ("gdr_core", {"bpy", "torch", "trainer", "gdr_addon", "blendtorch"}),
        ("blendtorch", {"gdr_core", "gdr_addon", "trainer"}),
        ("trainer", {"bpy", "gdr_addon"}),
        ("gdr_addon", {"torch", "trainer"}),
    ],
)
def test_packages_do_not_import_what_is_above_or_beside_them(package, never):
    wrong = [
        f"{path.relative_to(ROOT)}: {what}"
        for path in sources(package)
        for what in imported(path)
        if what.split(".")[0] in never
    ]
    assert wrong == []
