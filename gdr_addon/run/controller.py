# SPDX-License-Identifier: GPL-3.0-or-later
"""Controls the run in the window: a timer polls its session, keeps its state, moves the preview.

There is at most one run. It belongs to this Blender and not to a file: it goes on through undo, and
when another file is opened it is asked to stop and ends on its own.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import bpy

from ...gdr_core.messages import Finished, Notice, RunStatus, Samples, Targets
from ...gdr_core.settings import RunSettings
from .. import redraw, registration, scenes
from . import contact_sheet, kept_trainer, trainer_process
from .run_state import RunState
from .session import Session
from .trainer_link import Launch

log = logging.getLogger(__name__)

INTERVAL_S = 0.03
REFRESH_S = 0.3
"""Between two refreshes of the preview."""
_RECEIVE_S = 0.0015
_BUDGET_S = 0.003
"""Seconds of one timer call after which what remains is left for the next."""

durations: deque[tuple[float, float]] = deque(maxlen=100_000)
"""How long the newest timer calls took, in seconds by the wall and of the thread; to measure."""


@dataclass
class _Run:
    session: Session
    state: RunState
    scene_uid: int
    rows: int
    keep_preview: bool
    show_preview: bool
    preview: ModuleType
    newest: Samples | None = None
    refreshed: float = 0.0
    rebuild: bool = False
    detached: bool = False

    def __post_init__(self) -> None:
        self.updates = self.preview.Updates()

    @property
    def scene(self) -> bpy.types.Scene | None:
        """The scene that the run was started in, also under another name; None if it is gone."""
        if self.detached:
            return None
        return next((s for s in bpy.data.scenes if s.session_uid == self.scene_uid), None)


_run: _Run | None = None
_newest = RunState()
"""The state of the newest run; it outlives undo and the opening of another file."""


def active() -> bool:
    """Whether a run is at work."""
    return _run is not None


def newest() -> RunState:
    """Return the state of the newest run of this Blender, also as ``window_manager.gdr_run``."""
    return _newest


def start(
    context: bpy.types.Context,
    settings: RunSettings,
    python: str,
    runs: Path,
    keep: float = 0.0,
    ray_address: str = "",
) -> None:
    """Start a run of the context's scene.

    Parameters
    ----------
    python
        The trainer's.
    runs
        Where the run gets its folder.
    keep
        Seconds for which the trainer stays afterwards, for the next run.
    ray_address
        Of the cluster to render on; empty for that of the environment.

    Raises
    ------
    OSError
        The run folder cannot be made, or the trainer's Python cannot be started.
    blendtorch.errors.BlendtorchError
        There is no channel to be had.
    """
    global _run, _newest
    if _run is not None:
        raise RuntimeError("A run is at work already.")
    folder = trainer_process.new_run_folder(runs)
    # What is for this Blender is not for those of a cluster.
    on_cluster = settings.rendering.pool == "ray"
    launch = Launch(
        python=python,
        settings=settings,
        folder=folder,
        worker_packages=() if on_cluster else trainer_process.worker_packages(),
        ray_address=ray_address,
        # Nobody clicks there, and no timer would look after it.
        keep=0.0 if bpy.app.background else keep,
    )
    gdr = context.scene.gdr
    try:
        state = RunState.starting(settings, str(folder))
        preview = scenes.module(settings.scene.name).preview_module()
        session = Session(launch, link=kept_trainer.take(launch))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _run = _Run(
        session=session,
        state=state,
        scene_uid=context.scene.session_uid,
        rows=gdr.preview_rows,
        keep_preview=gdr.preview_keep,
        show_preview=gdr.use_preview and not bpy.app.background,
        preview=preview,
    )
    _newest = _run.state
    # First of all: whatever fails below, the run is watched and can be stopped.
    if not bpy.app.background:
        bpy.app.timers.register(_tick, first_interval=INTERVAL_S, persistent=True)
    contact_sheet.clear()
    if _run.show_preview:
        _run.preview.build(context.scene, _run.rows)
    else:
        _run.preview.remove(context.scene)
    redraw.sidebars()


def pause() -> None:
    """Ask the run to hold."""
    _run.session.pause()


def resume() -> None:
    """Ask the run to go on."""
    _run.session.resume()


def stop(text: str = "") -> None:
    """Ask the run to save and end; ``text`` is the reason, if it is not the Stop button."""
    if _run is None:
        return
    _run.session.stop(text)
    _run.state.status = _run.session.status
    _run.state.message = text or "Stopping"
    redraw.sidebars()


def kill() -> None:
    """End the run and the trainer now; waits for at most two seconds."""
    global _run
    registration.remove_timer(_tick)
    kept_trainer.kill()
    if _run is not None:
        run, _run = _run, None
        run.session.kill()
        run.state.status = run.session.status


def file_changed() -> None:
    """Another file was opened: the run's scene is gone, so it ends."""
    kept_trainer.let_go()
    if _run is None:
        return
    _run.detached = True
    _run.updates.clear()
    stop("Another file was opened, so the run was stopped.")


def undone() -> None:
    """Undo may have taken the preview away with what came after it; bring it back."""
    if _run is not None:
        _run.rebuild = True


def poll_blocking(report: Callable[[RunState], None]) -> RunState:
    """Poll until the run is over, for ``blender --background``; ``report`` gets each change."""
    while active():
        if _poll():
            report(_newest)
        time.sleep(INTERVAL_S)
    return _newest


def _tick() -> float | None:
    wall, thread = time.perf_counter(), time.thread_time()
    try:
        _poll()
    except Exception as error:
        # A timer that raises is not called again: without this the trainer would go on unseen.
        log.exception("The run's timer failed.")
        _fail(f"The extension failed unexpectedly ({type(error).__name__}: {error}).")
    durations.append((time.perf_counter() - wall, time.thread_time() - thread))
    return INTERVAL_S if _run is not None else None


def _fail(text: str) -> None:
    kill()
    _newest.status, _newest.message = RunStatus.FAILED, text
    redraw.sidebars()


def _poll() -> bool:
    """Do one round of the run's work; return whether the panels have something new to show."""
    run = _run
    until = time.perf_counter() + _BUDGET_S
    changed = False
    for event in run.session.poll(_RECEIVE_S):
        if isinstance(event, Samples):
            run.newest = event
            continue
        changed |= run.state.apply(event)
        if isinstance(event, Targets):
            _show(run, _targets_known, run)
        elif isinstance(event, Finished):
            _end(run, event)
    if _run is run and run.show_preview:
        changed |= not _show(run, _refresh, run, until)
    if changed:
        redraw.sidebars()
    return changed


def _show(run: _Run, action: Callable[..., None], *arguments: object) -> bool:
    """Do something for the preview; return whether it went well. A run needs none to go on."""
    try:
        action(*arguments)
    except Exception as error:
        log.exception("The preview failed.")
        run.show_preview = False
        text = f"{type(error).__name__}: {error}".rstrip(".")
        notice = f"The preview failed and is left alone; the run goes on ({text})"
        run.state.apply(Notice(text=notice))
        return False
    return True


def _refresh(run: _Run, until: float) -> None:
    scene = run.scene
    if scene is None:
        return
    if run.rebuild:
        run.rebuild = False
        if run.preview.find(scene) is None:
            run.preview.build(scene, run.rows)
            _add_sheet(run, scene)
            run.refreshed = 0.0
    now = time.monotonic()
    if run.newest is not None and not run.updates.pending and now - run.refreshed >= REFRESH_S:
        run.updates.show(run.newest.rows, run.rows**2)
        run.newest = None
        run.refreshed = now
    if run.updates.pending and run.updates.work(scene, time.perf_counter, until):
        redraw.viewports()


def _targets_known(run: _Run) -> None:
    contact_sheet.show(run.state.folder)
    scene = run.scene
    if scene is not None and run.show_preview:
        _add_sheet(run, scene)


def _add_sheet(run: _Run, scene: bpy.types.Scene) -> None:
    path = contact_sheet.path_in(run.state.folder)
    if path is not None:
        run.preview.add_sheet(scene, path)


def _end(run: _Run, event: Finished) -> None:
    global _run
    _run = None
    log.info("Run ended %s: %s", event.status, event.text)
    link = run.session.release()
    if link is not None:
        kept_trainer.keep(link, run.session.launch.keep)
        if run.detached:  # Its file is closed, and the person at something else.
            kept_trainer.let_go()
    scene = run.scene
    if scene is None or not run.show_preview:
        return
    if not run.keep_preview:
        run.preview.remove(scene)
        return
    if run.newest is not None:
        # The very last samples are what stays.
        run.updates.show(run.newest.rows, run.rows**2)
    run.updates.work(scene, lambda: 0.0, 1.0)


def register(stack: ExitStack) -> None:
    """Add ``window_manager.gdr_run``; make sure that no run outlives the extension or Blender."""
    state = property(lambda window_manager: _newest)
    registration.attribute(stack, bpy.types.WindowManager, "gdr_run", state)
    atexit.register(kill)
    stack.callback(atexit.unregister, kill)
    stack.callback(_forget)


def _forget() -> None:
    global _newest
    kill()
    _newest = RunState()
