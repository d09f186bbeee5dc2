# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays the scene's frames and calls back around each of them."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy

from .. import lifeline
from .signal import Signal
from .utils import find_first_view3d

logger = logging.getLogger(__name__)

_REDRAW_S = 0.005


@dataclass
class _Play:
    """State of one call of :meth:`AnimationController.play`."""

    frame_range: tuple[int, int]
    num_episodes: int
    use_animation: bool
    use_offline_render: bool
    episode: int = 0
    pending_post_frame: bool = False
    last_post_frame: int | None = None
    allow_events: bool = True
    started: bool = False
    stopping: bool = False
    error: BaseException | None = None
    draw_handler: Any = None

    @contextmanager
    def events(self, allowed: bool) -> Iterator[None]:
        before, self.allow_events = self.allow_events, allowed
        try:
            yield
        finally:
            self.allow_events = before


class AnimationController:
    """Plays frames and tells, through signals, where it is.

    The signals are ``pre_play``, ``pre_animation`` (before the first frame of an episode),
    ``pre_frame``, ``post_frame``, ``post_animation`` (after the last frame) and ``post_play``.

    An exception in a callback ends the playing. It leaves :meth:`play` where that blocks; in a
    window it ends a Blender that the launcher started, with its traceback on stderr.
    """

    def __init__(self) -> None:
        self.pre_play = Signal()
        self.pre_animation = Signal()
        self.pre_frame = Signal()
        self.post_frame = Signal()
        self.post_animation = Signal()
        self.post_play = Signal()
        self._play: _Play | None = None

    @property
    def frameid(self) -> int:
        """The current frame."""
        return bpy.context.scene.frame_current

    @property
    def playing(self) -> bool:
        """Whether :meth:`play` is under way."""
        return self._play is not None

    def play(
        self,
        frame_range: tuple[int, int] | None = None,
        num_episodes: int = -1,
        use_animation: bool = True,
        use_offline_render: bool = True,
        use_physics: bool = True,
    ) -> None:
        """Start playing.

        Parameters
        ----------
        frame_range
            First and last frame, both included; default: the scene's.
        num_episodes
            How often; -1 is for ever.
        use_animation
            Whether frames are stepped at the scene's rate while the window stays usable; the call
            returns at once. When False the call blocks and goes as fast as it can. It
            blocks under ``--background`` in any case.
        use_offline_render
            Whether ``post_frame`` is called from the drawing of a 3D view, where it is safe to use
            :class:`.OffScreenRenderer` in a window. A frame is then left only once it was drawn, so
            every ``pre_frame`` has its ``post_frame``. Blocking play ignores it.
        use_physics
            Whether the frame range is set for the rigid-body simulation too.
        """
        if self._play is not None:
            raise RuntimeError("The animation is already playing.")
        if use_animation and bpy.app.background:
            logger.info("There is no playback in the background; frames are stepped in a loop.")
            use_animation = False
        self._play = _Play(
            frame_range=self.setup_frame_range(frame_range, physics=use_physics),
            num_episodes=num_episodes if num_episodes >= 0 else sys.maxsize,
            use_animation=use_animation,
            use_offline_render=use_offline_render and use_animation,
        )
        try:
            with self._play.events(False):
                self.pre_play.invoke()
            self._connect()
            if use_animation:
                if self._play.use_offline_render:
                    bpy.app.timers.register(self._tick, first_interval=0.0)
                else:
                    bpy.context.scene.frame_set(self._play.frame_range[0])
                    bpy.ops.screen.animation_play()
                return
            self._loop()
        except BaseException:
            self._disconnect()
            self._play = None
            raise
        self._finish()

    @staticmethod
    def setup_frame_range(
        frame_range: tuple[int, int] | None, physics: bool = True
    ) -> tuple[int, int]:
        """Set the scene's frame range (and its rigid bodies') and return it; None keeps it."""
        scene = bpy.context.scene
        first, last = frame_range or (scene.frame_start, scene.frame_end)
        scene.frame_start, scene.frame_end = first, last
        if physics and scene.rigidbody_world:
            cache = scene.rigidbody_world.point_cache
            cache.frame_start, cache.frame_end = first, last
        return first, last

    def rewind(self) -> None:
        """Go back to the first frame; usable in callbacks."""
        if self._play is not None:
            with self._play.events(True):
                bpy.context.scene.frame_set(self._play.frame_range[0])
            if self._play is not None and self._play.error is not None:
                raise self._play.error

    # --- stepping --------------------------------------------------------------------------------

    def _loop(self) -> None:
        play = self._play
        while play.episode < play.num_episodes:
            self._step(play.frame_range[0])
            while self.frameid < play.frame_range[1] and not play.stopping:
                self._step(self.frameid + 1)

    def _step(self, frame: int) -> None:
        bpy.context.scene.frame_set(frame)
        # Blender prints what a handler raises and goes on, so it is carried here by hand.
        if self._play.error is not None:
            raise self._play.error

    def _tick(self) -> float | None:
        """Step one frame in a window, but not before the last one was drawn.

        Blender's own playback does not wait for that: at its start it goes on before the window is
        there, and what ``pre_frame`` had prepared is never rendered.
        """
        play = self._play
        if play is None or play.stopping:
            return None
        if play.pending_post_frame:
            for window in bpy.context.window_manager.windows:
                for area in window.screen.areas:
                    if area.type == "VIEW_3D":
                        area.tag_redraw()
            return _REDRAW_S
        scene = bpy.context.scene
        started = time.monotonic()
        first, last = play.frame_range
        scene.frame_set(self.frameid + 1 if play.started and self.frameid < last else first)
        play.started = True
        interval = scene.render.fps_base / scene.render.fps
        return max(0.0, interval - (time.monotonic() - started))

    def _connect(self) -> None:
        play = self._play
        bpy.app.handlers.frame_change_pre.append(self._on_pre_frame)
        if play.use_offline_render:
            find_first_view3d()  # raises where there is none
            play.draw_handler = bpy.types.SpaceView3D.draw_handler_add(
                self._on_post_frame, (), "WINDOW", "POST_PIXEL"
            )
        else:
            bpy.app.handlers.frame_change_post.append(self._on_post_frame)

    def _disconnect(self) -> None:
        play = self._play
        if self._on_pre_frame in bpy.app.handlers.frame_change_pre:
            bpy.app.handlers.frame_change_pre.remove(self._on_pre_frame)
        if self._on_post_frame in bpy.app.handlers.frame_change_post:
            bpy.app.handlers.frame_change_post.remove(self._on_post_frame)
        if play is not None and play.draw_handler is not None:
            bpy.types.SpaceView3D.draw_handler_remove(play.draw_handler, "WINDOW")
            play.draw_handler = None

    def _finish(self) -> None:
        play = self._play
        if play is None:
            return
        self._disconnect()
        if play.use_animation and not play.use_offline_render:
            bpy.ops.screen.animation_cancel(restore_frame=False)
        try:
            if play.error is None:
                self.post_play.invoke()
        finally:
            self._play = None

    # --- Blender's callbacks ---------------------------------------------------------------------

    def _on_pre_frame(self, *args: Any) -> None:
        play = self._play
        if play is None or play.stopping or not play.allow_events:
            return
        play.last_post_frame = None
        with self._guarded(), play.events(False):
            if self.frameid == play.frame_range[0]:
                self.pre_animation.invoke()
            self.pre_frame.invoke()
        # A 3D view may be drawn several times a frame; the first time counts.
        play.pending_post_frame = True

    def _on_post_frame(self, *args: Any) -> None:
        play = self._play
        if (
            play is None
            or play.stopping
            or not play.allow_events
            or not play.pending_post_frame
            or play.last_post_frame == self.frameid
        ):
            return
        play.pending_post_frame = False
        play.last_post_frame = self.frameid
        with self._guarded(), play.events(False):
            self.post_frame.invoke()
            if self.frameid == play.frame_range[1]:
                self.post_animation.invoke()
                play.episode += 1
                if play.episode >= play.num_episodes:
                    self._end()

    def _end(self) -> None:
        self._play.stopping = True
        if self._play.use_animation:
            # Not from within the drawing whose handler is about to be removed.
            bpy.app.timers.register(self._finish_guarded, first_interval=0.0)

    def _finish_guarded(self) -> None:
        try:
            self._finish()
        except BaseException as err:
            _end_launched_blender(err)
            raise

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except BaseException as err:
            self._play.error = err
            self._end()
            if self._play.use_animation:
                _end_launched_blender(err)
                raise


def _end_launched_blender(err: BaseException) -> None:
    """End this Blender if the launcher started it: nobody would see the error in its window."""
    if lifeline.launched():
        traceback.print_exception(err)
        sys.stderr.flush()
        os._exit(255)
