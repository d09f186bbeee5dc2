# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts Blender instances and ends them."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import endpoint, lifeline, registry
from .. import rendezvous as rendezvous_
from ..credentials import Credentials
from ..errors import LaunchError
from .finder import discover_blender
from .launch_info import DEFAULT_STARTUP_TIMEOUT_S, Addresses, LaunchInfo

logger = logging.getLogger(__name__)

_BOOTSTRAP = Path(__file__).resolve().parents[1] / "btb" / "bootstrap.py"
_ENV_PYTHON_PATH = "BLENDTORCH_PYTHON_PATH"
_SCRIPT_ERROR = "255"
_TAIL_BYTES = 4000


class BlenderLauncher:
    """Opens Blender instances in a ``with`` block and closes them at its end.

    Each instance runs `script` with ``-btid``, ``-btseed`` and ``-btsockets`` after ``--``, and
    ends when the block is left or this process ends, however it ends.

    Parameters
    ----------
    scene
        .blend file to open; None or "" for Blender's start-up scene.
    script
        Python file to run. An error in it ends its Blender.
    num_instances
        How many.
    named_sockets
        Names of the sockets that the script opens; see ``launch_info.addresses``.
    start_port
        Ignored; ports are chosen by the system.
    bind_addr
        Interface of the sockets; ``"primaryip"`` for the one with the default route.
    instance_args
        For each instance a list of further arguments.
    proto
        Only ``"tcp"``.
    blend_path
        Blender program, folder with one, or ``"bpy"``; see :func:`.discover_blender`.
    seed
        Seed of instance 0; the others follow. Random by default.
    background
        Whether without a window. The bpy module never has one.
    factory_startup
        Whether to ignore the person's settings.
    env
        Variables to add to the instances' environment.
    python_path
        Folders to append to the instances' ``sys.path``.
    blender_args
        Further arguments of the Blender program, before ``--python``.
    autoexec
        Whether Python that lies in .blend files runs when they are opened: drivers, and text blocks
        with *Register*. The original always ran it. It may do whatever the person who starts the
        launcher may do, so switch it on for files that you trust. By default it is off whatever the
        person's settings say, and such drivers keep the value that they were saved with; drivers
        that only calculate run in any case.
    startup_timeout
        Seconds that a look at ``launch_info.addresses`` waits for the instances.
    log_dir
        Folder for the instances' output, ``blender-0.log`` and so on; by default a temporary one
        that goes at the end.

    Attributes
    ----------
    launch_info : LaunchInfo or None
        Within the block.
    """

    def __init__(
        self,
        scene: str | Path | None,
        script: str | Path,
        num_instances: int = 1,
        named_sockets: Sequence[str] | None = None,
        start_port: int = 11000,
        bind_addr: str = "127.0.0.1",
        instance_args: Sequence[Sequence[Any]] | None = None,
        proto: str = "tcp",
        blend_path: str | Path | None = None,
        seed: int | None = None,
        background: bool = False,
        *,
        factory_startup: bool = False,
        env: Mapping[str, str] | None = None,
        python_path: Sequence[str | Path] = (),
        blender_args: Sequence[str] = (),
        autoexec: bool = False,
        startup_timeout: float = DEFAULT_STARTUP_TIMEOUT_S,
        log_dir: str | Path | None = None,
    ) -> None:
        if num_instances < 1:
            raise ValueError("num_instances is at least 1.")
        if proto != "tcp":
            raise ValueError(f"proto is 'tcp', not {proto!r}.")
        self.scene = _existing(scene, "scene") if scene is not None and str(scene) else None
        self.script = _existing(script, "script")
        self.num_instances = num_instances
        self.named_sockets = list(named_sockets or [])
        self.start_port = start_port
        self.bind_addr = bind_addr
        self.instance_args = [
            [str(a) for a in args] for args in instance_args or [[]] * num_instances
        ]
        if len(self.instance_args) != num_instances:
            raise ValueError("instance_args has one list for each instance.")
        self.proto = proto
        self.blend_path = blend_path
        self.seed = seed
        self.background = background
        self.factory_startup = factory_startup
        self.env = dict(env or {})
        self.python_path = [str(p) for p in python_path]
        self.blender_args = list(blender_args)
        self.autoexec = autoexec
        self.startup_timeout = startup_timeout
        self.log_dir = Path(log_dir) if log_dir is not None else None

        self.blender_info = discover_blender(blend_path, background=background)
        if self.blender_info is None:
            raise ValueError(
                "No Blender was found: pass blend_path, set GDR_BLENDER, or install `bpy` here."
            )
        self.launch_info: LaunchInfo | None = None
        self._processes: list[subprocess.Popen] = []
        self._log_files: list[Path] = []
        self._server: rendezvous_.Server | None = None
        self._temporary: Path | None = None

    # --- life cycle ------------------------------------------------------------------------------

    def __enter__(self) -> BlenderLauncher:
        if self.launch_info is not None:
            raise RuntimeError("Already launched.")
        try:
            self._launch()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._end()

    def assert_alive(self) -> None:
        """Raise :class:`.LaunchError`, with the end of its output, if an instance has ended."""
        for index, process in enumerate(self._processes):
            if process.poll() is not None:
                raise LaunchError(self._obituary(index, ""))

    def wait(self, timeout: float | None = None) -> None:
        """Wait until all instances have ended, at most `timeout` seconds (TimeoutExpired then)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        for process in self._processes:
            process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))

    def _launch(self) -> None:
        keys = Credentials.new()
        host = _primary_ip() if self.bind_addr == "primaryip" else self.bind_addr
        self._server = rendezvous_.Server(keys, host)
        self._server.failure = self._failure
        if self.log_dir is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="blendtorch-"))
        folder = self._temporary or self.log_dir
        folder.mkdir(parents=True, exist_ok=True)
        seed = self.seed
        if seed is None:
            seed = int(np.random.default_rng().integers(2**31 - 1 - self.num_instances))
        commands = []
        for btid in range(self.num_instances):
            sockets = [
                f"{n}={endpoint.named_address(self._server.reserve(n, btid), n)}"
                for n in self.named_sockets
            ]
            # Sockets first: as they take any number of values they would swallow bare arguments.
            args = ["-btsockets", *sockets, "-btid", str(btid), "-btseed", str(seed + btid)]
            command = self._command([*args, *self.instance_args[btid]])
            log_file = folder / f"blender-{btid}.log"
            self._log_files.append(log_file)
            with log_file.open("wb") as log:
                process = lifeline.spawn(
                    command,
                    env=self._environment(btid, keys),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._processes.append(process)
            commands.append(shlex.join(command))
            logger.info("Started instance %d: %s", btid, commands[-1])
        self.launch_info = LaunchInfo(
            Addresses(self.named_sockets, self._resolve),
            commands,
            list(self._processes),
            credentials=keys,
            rendezvous=self._server.address,
            startup_timeout=self.startup_timeout,
            log_files=self._log_files,
        )

    def _end(self) -> None:
        lifeline.stop(self._processes)
        if self._server is not None:
            self._server.close()
            registry.unregister(self._server.credentials)
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        self.launch_info = self._server = self._temporary = None
        self._processes, self._log_files = [], []

    # --- what is run -----------------------------------------------------------------------------

    def _command(self, script_args: list[str]) -> list[str]:
        info = self.blender_info
        startup = ["--factory-startup"] if self.factory_startup else []
        startup.append("--enable-autoexec" if self.autoexec else "--disable-autoexec")
        if info["kind"] == "module":
            if self.blender_args:
                logger.warning("blender_args are ignored with the bpy module.")
            # -P: the bootstrap's folder has a signal.py, which is not the standard library's.
            command = [str(info["path"]), "-P", str(_BOOTSTRAP), "--bpy-module", *startup]
            if self.scene is not None:
                command += ["--scene", str(self.scene)]
            return [*command, str(self.script), "--", *script_args]
        command = [str(info["path"]), *startup, "--offline-mode"]
        if self.background:
            command.append("--background")
        if self.scene is not None:
            command.append(str(self.scene))
        command += [*self.blender_args, "--python-exit-code", _SCRIPT_ERROR]
        for script in (_BOOTSTRAP, self.script):
            command += ["--python", str(script)]
        return [*command, "--", *script_args]

    def _environment(self, btid: int, keys: Credentials) -> dict[str, str]:
        env = {k: v for k, v in os.environ.items() if not k.startswith("BLENDTORCH_")}
        env.pop("PYTHONHOME", None)
        if self.blender_info["kind"] == "binary":
            env.pop("PYTHONPATH", None)  # of another Python than Blender's
        env.update(self.env)
        env.update(keys.to_env())
        env[rendezvous_.ENV_RENDEZVOUS] = self._server.address
        env[rendezvous_.ENV_BTID] = str(btid)
        if self.python_path:
            env[_ENV_PYTHON_PATH] = os.pathsep.join(self.python_path)
        return env

    # --- where it answers ------------------------------------------------------------------------

    def _resolve(self, name: str) -> list[str]:
        server = self._server
        if server is None:
            raise LaunchError("The instances have been closed.")
        deadline = time.monotonic() + self.startup_timeout
        while True:
            if self._server is not server:
                raise LaunchError("The instances were closed while their address was asked for.")
            failure = self._failure(name)  # before the look at the reports, which come first
            found = server.get(name)
            if len(found) == self.num_instances:
                for index, address in found.items():
                    registry.register(address, server.credentials, partial(self._ended, index))
                return [found[i] for i in sorted(found)]
            if failure is not None:
                raise LaunchError(failure)
            if time.monotonic() > deadline:
                missing = sorted(set(range(self.num_instances)) - set(found))
                raise LaunchError(
                    f"Instances {missing} did not open socket {name!r} within "
                    f"{self.startup_timeout:.0f} s.{self._tail(missing[0])}"
                )
            server.wait(0.1)

    def _failure(self, name: str) -> str | None:
        """Say which instance ended without having opened the socket, if any did."""
        server = self._server
        for index, process in enumerate(list(self._processes)):
            if process.poll() is not None and index not in server.reported(name):
                return self._obituary(index, f" before it opened socket {name!r}")
        return None

    def _ended(self, index: int) -> str | None:
        if index >= len(self._processes) or self._processes[index].poll() is None:
            return None
        return self._obituary(index, "")

    def _obituary(self, index: int, when: str) -> str:
        code = self._processes[index].returncode
        return f"Instance {index} ended with exit code {code}{when}.{self._tail(index)}"

    def _tail(self, index: int) -> str:
        try:
            with self._log_files[index].open("rb") as log:
                log.seek(0, os.SEEK_END)
                log.seek(max(0, log.tell() - _TAIL_BYTES))
                text = log.read().decode("utf-8", "replace").strip()
        except OSError:
            return ""
        return f" The end of its output:\n{text}" if text else " It wrote nothing."


def _existing(path: str | Path, what: str) -> Path:
    absolute = Path(path).expanduser().absolute()
    if not absolute.is_file():
        raise FileNotFoundError(f"The {what} {absolute} does not exist.")
    return absolute


def _primary_ip() -> str:
    """Return the address of the interface with the default route; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 1))
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"
