# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs first in every launched instance, before the user's script.

With a Blender program: ``blender ... --python bootstrap.py --python SCRIPT -- ARGS``. With the bpy
module: ``python bootstrap.py --bpy-module [--factory-startup] [--enable-autoexec] [--scene FILE]
SCRIPT -- ARGS``, where it also opens the scene and runs the script. Standard library only until the
dependencies are checked.
"""

import importlib
import importlib.util
import os
import shutil
import sys
from pathlib import Path

ENV_PYTHON_PATH = "BLENDTORCH_PYTHON_PATH"
EXIT_CODE = 255
_PACKAGE = Path(__file__).resolve().parents[1]


def _load_blendtorch() -> None:
    """Make ``import blendtorch`` give this package, whatever lies on ``sys.path``."""
    init = _PACKAGE / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        "blendtorch", init, submodule_search_locations=[str(_PACKAGE)]
    )
    module = importlib.util.module_from_spec(spec)
    for name in [n for n in sys.modules if n == "blendtorch" or n.startswith("blendtorch.")]:
        del sys.modules[name]
    sys.modules["blendtorch"] = module
    spec.loader.exec_module(module)


def _remove_temporary_files() -> None:
    bpy = sys.modules.get("bpy")
    folder = bpy.app.tempdir if bpy is not None else ""
    if folder and Path(folder).name.startswith("blender_"):
        shutil.rmtree(folder, ignore_errors=True)


def _check_dependencies() -> None:
    for name, package in (("zmq", "pyzmq"), ("msgspec", "msgspec"), ("numpy", "numpy")):
        try:
            importlib.import_module(name)
        except ImportError as err:
            sys.stderr.write(
                f"blendtorch: this Blender's Python ({sys.executable}) cannot import {name} "
                f"({err}). Install {package} into it, or name a folder that has it with "
                "BlenderLauncher(python_path=[...]).\n"
            )
            sys.stderr.flush()
            sys.exit(EXIT_CODE)


def _run_with_bpy_module(argv: list[str]) -> None:
    import runpy

    own = argv[: argv.index("--")]
    scene = own[own.index("--scene") + 1] if "--scene" in own else None
    script = own[-1]
    import bpy

    if "--factory-startup" in own:
        bpy.ops.wm.read_factory_settings()
    # What the option of Blender's command line does, for files that the script opens as well.
    bpy.context.preferences.filepaths.use_scripts_auto_execute = "--enable-autoexec" in own
    if scene is not None:
        bpy.ops.wm.open_mainfile(filepath=scene)
    runpy.run_path(script, run_name="__main__")


def main() -> None:
    """Prepare this process; with the bpy module also run the script."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    _load_blendtorch()
    from blendtorch import lifeline

    if lifeline.launched():
        lifeline.watch(on_end=_remove_temporary_files)
    for folder in os.environ.get(ENV_PYTHON_PATH, "").split(os.pathsep):
        if folder and folder not in sys.path:
            sys.path.append(folder)
    _check_dependencies()
    if "--bpy-module" not in sys.argv[1:2]:
        return
    try:
        _run_with_bpy_module(sys.argv[1:])
    except Exception:
        import traceback

        traceback.print_exc()
        sys.exit(EXIT_CODE)


main()
