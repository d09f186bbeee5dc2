# SPDX-License-Identifier: GPL-3.0-or-later
"""Give the root folder the package name ``gdr`` where there is no extension to do so.

Inside ``gdr_addon`` neighbours are reached by relative imports (``from ..gdr_core import x``),
so the folder above needs a package name. In Blender's extension that is
``bl_ext.user_default.gdr``; in a render worker, in the benchmarks and in the tests it is made
here. The extension's own ``__init__.py`` is not run.

This file has no parent package when it is needed, so it is loaded by its path::

    load = runpy.run_path("gdr_addon/standalone.py")["load"]
    load()
    from gdr.gdr_addon.worker import main
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

NAME = "gdr"


def load() -> ModuleType:
    """Return the package ``gdr``, whose modules are the root's folders; make it if need be.

    Raises
    ------
    ImportError
        Another package named ``gdr`` is already there.
    """
    root = str(Path(__file__).resolve().parents[1])
    package = sys.modules.get(NAME)
    if package is None:
        spec = ModuleSpec(NAME, None, is_package=True)
        spec.submodule_search_locations = [root]
        package = module_from_spec(spec)
        sys.modules[NAME] = package
    if root not in getattr(package, "__path__", ()):
        raise ImportError(f"The package {NAME!r} is already taken by {package!r}.")
    return package
