# SPDX-License-Identifier: GPL-3.0-or-later
"""For scripts that run inside Blender and drive its window as a person would.

A script defines a generator and hands it to `run`. Whatever the generator yields lets Blender go on
with its own work for a while: `seconds(0.5)`, `until(lambda: ...)`. What it returns becomes the
test's `Result.report`; an exception becomes its `Result.error`. Blender quits in either case.

    from drive import click_button, run, screenshot, show_sidebar, until

    def steps():
        yield from show_sidebar("GDR")
        yield from click_button("gdr.start_optimization")
        yield from until(lambda: bpy.context.scene.gdr.running, 20, "the run starts")
        screenshot("running.png")
        return {"renders": 64}

    run(steps)
"""

import json
import os
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import bpy
from screen import save_screen

FOLDER = Path(os.environ["GDR_TEST_FOLDER"])
POLL_SECONDS = 0.02
# A click needs Blender to handle one event before it sees the next.
EVENT_SECONDS = 0.05


def run(steps: Callable[[], Generator[float, None, object]], keep_open: bool = False) -> None:
    """Drive Blender with the generator from when its window has been drawn, then quit.

    The result is in a file before Blender quits, so that an error while quitting takes nothing.
    With `keep_open` Blender stays, for a test that ends it by other means.
    """
    generator: Generator[float, None, object] | None = None

    def advance() -> float | None:
        nonlocal generator
        try:
            if generator is None:
                generator = _after_first_drawing(steps)
            with bpy.context.temp_override(window=main_window()):
                return next(generator)
        except StopIteration as end:
            _finish({"report": end.value, "error": None})
        except BaseException:
            _finish({"report": None, "error": traceback.format_exc()})
        if not keep_open:
            # Leaving through the operator unregisters everything, as when a person quits.
            with bpy.context.temp_override(window=main_window()):
                bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(advance, first_interval=0.1, persistent=True)


def _after_first_drawing(steps: Callable[[], Generator[float, None, object]]) -> Iterator[float]:
    """What comes before the first drawing meets no buttons; in software that takes seconds."""
    drawn = []
    handler = bpy.types.SpaceView3D.draw_handler_add(drawn.append, (True,), "WINDOW", "POST_PIXEL")
    try:
        yield from until(lambda: drawn, 60, "the first drawing of the 3D view")
        yield EVENT_SECONDS
    finally:
        bpy.types.SpaceView3D.draw_handler_remove(handler, "WINDOW")
    return (yield from steps())


def seconds(duration: float) -> float:
    """`yield seconds(0.5)`: let Blender go on for so long."""
    return duration


def until(
    condition: Callable[[], object], timeout: float = 30.0, what: str = "the condition"
) -> Iterator[float]:
    """`yield from until(...)`: wait till the condition holds, and give back its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain: {what}")
        yield POLL_SECONDS
    return value


def main_window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def area(kind: str) -> bpy.types.Area:
    """The largest area of a type, such as VIEW_3D."""
    areas = [found for found in main_window().screen.areas if found.type == kind]
    if not areas:
        raise LookupError(f"the screen has no area of the type {kind}")
    return max(areas, key=lambda found: found.width * found.height)


def region(area_kind: str, region_kind: str) -> bpy.types.Region:
    """A region of the largest area of a type, such as VIEW_3D and UI; x, y are the window's."""
    return next(found for found in area(area_kind).regions if found.type == region_kind)


def show_sidebar(category: str) -> Iterator[float]:
    """`yield from show_sidebar("GDR")`: open the 3D view's sidebar at a tab."""
    area("VIEW_3D").spaces.active.show_region_ui = True
    yield EVENT_SECONDS * 4
    # The tab exists only once the sidebar has been drawn.
    sidebar = region("VIEW_3D", "UI")
    yield from until(lambda: sidebar.width > 1, 5, "the sidebar opens")
    sidebar.active_panel_category = category
    sidebar.tag_redraw()
    yield EVENT_SECONDS * 4


def move(x: float, y: float, pause: float = EVENT_SECONDS) -> Iterator[float]:
    """Put the pointer at a place of the window, counted in pixels from its lower left corner."""
    main_window().event_simulate(type="MOUSEMOVE", value="NOTHING", x=round(x), y=round(y))
    yield pause


def click(x: float, y: float, button: str = "LEFTMOUSE") -> Iterator[float]:
    """`yield from click(x, y)`: press and release a mouse button there."""
    # Buttons react to a pointer that came to them, so it comes from a little way off.
    yield from move(x - 3, y - 1)
    yield from move(x, y)
    for value in ("PRESS", "RELEASE"):
        main_window().event_simulate(type=button, value=value, x=round(x), y=round(y))
        yield EVENT_SECONDS


def press(key: str, x: float, y: float, **modifiers: bool) -> Iterator[float]:
    """`yield from press("ESC", x, y)`: a key, with the pointer at that place."""
    yield from move(x, y)
    for value in ("PRESS", "RELEASE"):
        main_window().event_simulate(type=key, value=value, x=round(x), y=round(y), **modifiers)
        yield EVENT_SECONDS


def find_button(operator: str, where: bpy.types.Region | None = None) -> Iterator[float]:
    """`x, y = yield from find_button("gdr.start_optimization")`: where an operator's button is.

    Blender tells nobody where its buttons are, but it does copy the Python command of the one under
    the pointer; so the pointer goes over the region (the 3D view's sidebar unless given) till then.
    """
    command = f"bpy.ops.{operator}("

    def is_here() -> bool:
        if not bpy.ops.ui.copy_python_command_button.poll():
            return False
        bpy.ops.ui.copy_python_command_button()
        return bpy.context.window_manager.clipboard.startswith(command)

    return (yield from _search(is_here, where, f"a button of {operator}"))


def find_property(name: str, where: bpy.types.Region | None = None) -> Iterator[float]:
    """`x, y = yield from find_property("batch_size")`: where a property can be edited."""

    def is_here() -> bool:
        found = bpy.context.property
        return found is not None and found[1].rpartition(".")[2] == name

    return (yield from _search(is_here, where, f"the property {name}"))


def click_button(operator: str, where: bpy.types.Region | None = None) -> Iterator[float]:
    """`yield from click_button("gdr.start_optimization")`: find an operator's button, click it."""
    x, y = yield from find_button(operator, where)
    yield from click(x, y)


def _search(
    is_here: Callable[[], bool], where: bpy.types.Region | None, what: str
) -> Iterator[float]:
    where = where or region("VIEW_3D", "UI")
    owner = next(a for a in main_window().screen.areas if where in list(a.regions))
    for column in (0.5, 0.75, 0.25, 0.9, 0.1):
        x = where.x + where.width * column
        for y in range(where.y + where.height - 6, where.y, -9):
            # The first event leaves the button before, the second enters this one.
            for offset in (1, 0):
                yield from move(x - offset, y, 0.01)
            with bpy.context.temp_override(window=main_window(), area=owner, region=where):
                if is_here():
                    # Not at its very edge, where the search comes upon it.
                    return round(x), y - 5
    screenshot("not-found.png")
    raise LookupError(f"the region does not show {what}; see not-found.png")


def screenshot(name: str) -> Path:
    """Save the whole display as a PNG file in the test's folder; its path."""
    return save_screen(FOLDER, FOLDER / name)


def _finish(result: dict) -> None:
    partial = FOLDER / "result.json.partial"
    partial.write_text(json.dumps(result, default=str))
    partial.rename(FOLDER / "result.json")
