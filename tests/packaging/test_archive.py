# SPDX-License-Identifier: GPL-3.0-or-later
"""What Blender's users install: nothing more than runs, and Blender agrees with all of it."""

import re
import tomllib
import zipfile

import build_addon
import pytest
from harness import install_extension, run_blender

import gdr_core

ROOT = build_addon.ROOT
LARGEST_MB = 12


def test_the_archive_holds_what_runs_and_nothing_else(archive):
    with zipfile.ZipFile(archive) as opened:
        names = opened.namelist()
    assert {name.partition("/")[0] for name in names} == build_addon.CONTENTS
    strangers = [
        name
        for name in names
        if not re.fullmatch(r".*\.(py|glsl)|wheels/.*\.whl|\w+\.toml|LICENSE", name)
    ]
    assert strangers == []
    folders = {part for name in names for part in name.split("/")[:-1]}
    assert not folders & {"tests", "benchmarks", "tools", "docs", "__pycache__"}
    assert not [name for name in names if name.rsplit("/", 1)[-1].startswith(("test_", "conftest"))]
    size = archive.stat().st_size / 1e6
    print(f"{archive.name}: {size:.1f} MB")
    assert size < LARGEST_MB


def test_the_archive_names_no_path_of_this_machine(archive):
    homes = {str(ROOT).encode(), b"/root/", b"/home/"}
    with zipfile.ZipFile(archive) as opened:
        for name in opened.namelist():
            if not name.endswith(".whl"):
                assert not [home for home in homes if home in opened.read(name)], name


def test_the_versions_agree(archive):
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert manifest["version"] == project["version"] == gdr_core.__version__
    assert archive.name == f"gdr-{manifest['version']}.zip"


def test_every_platform_gets_both_wheels_for_every_python():
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text())
    for package in build_addon.PACKAGES:
        wheels = [wheel for wheel in manifest["wheels"] if f"/{package}-" in wheel]
        for platform in ("linux", "macos", "win"):
            of_platform = [wheel for wheel in wheels if platform in wheel.rpartition("-")[2]]
            for python in build_addon.PYTHONS:
                tag = "cp" + python.replace(".", "")
                fitting = [
                    wheel
                    for wheel in of_platform
                    if f"-{tag}-" in wheel or ("-abi3-" in wheel and tag != "cp311")
                ]
                assert len(fitting) == 1, (package, platform, python, fitting)


def test_the_archive_is_built_twice_the_same(archive):
    with zipfile.ZipFile(archive) as opened:
        before = {entry.filename: entry.CRC for entry in opened.infolist()}
    with zipfile.ZipFile(build_addon.build()) as opened:
        assert {entry.filename: entry.CRC for entry in opened.infolist()} == before


def test_wheels_that_do_not_fit_the_pins_are_told(monkeypatch, tmp_path):
    (tmp_path / "constraints.txt").write_text("pyzmq==1.0\nmsgspec==2.0  # old\n")
    monkeypatch.setattr(build_addon, "ROOT", tmp_path)
    monkeypatch.setattr(build_addon, "WHEELS", tmp_path / "wheels")

    def download(command):
        (tmp_path / "wheels").mkdir(exist_ok=True)
        (tmp_path / "wheels/pyzmq-1.0-cp311-cp311-win_amd64.whl").touch()

    monkeypatch.setattr(build_addon, "_call", download)
    with pytest.raises(build_addon.CannotBuild, match=r"must read:\nwheels = \[\n.*pyzmq-1\.0-cp"):
        build_addon._provide_wheels(["pyzmq-0.9-cp311-cp311-win_amd64.whl"])


def test_blender_finds_nothing_wrong(blender, archive, tmp_path):
    command = ["--command", "extension", "validate", archive]
    result = run_blender(blender, *command, folder=tmp_path).check()
    assert "Success" in result.log
    # That a Debian root has no list of its mounts is no fault of the archive.
    lines = [line for line in result.log.lower().splitlines() if "mounted file-systems" not in line]
    assert not [line for line in lines if "warning" in line or "error" in line]


def test_blender_installs_and_enables_it(blender, archive, tmp_path):
    settings = tmp_path / "settings"
    install_extension(blender, archive, settings)
    say = (
        "import bpy, importlib; name = 'bl_ext.user_default.gdr'; "
        "assert name in bpy.context.preferences.addons; "
        "importlib.import_module(name); import zmq, msgspec; "
        "assert str(zmq.__file__).startswith(bpy.utils.user_resource('EXTENSIONS')), zmq; "
        "print('enabled', zmq.zmq_version(), msgspec.__version__)"
    )
    command = ["--background", "--python-exit-code", "1", "--python-expr", say]
    result = run_blender(blender, *command, folder=tmp_path, user_resources=settings).check()
    assert "enabled" in result.log
