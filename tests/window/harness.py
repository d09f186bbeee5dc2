# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a Blender with a window on a display that nobody sees.

`run_script` opens Blender, lets a script drive it from inside (see `drive.py`) and gives back what
that script reported. `BlenderWindow` is the same in steps, for a test that also acts from outside:
pictures, xdotool, killing Blender. Every Blender has its own home, its own settings, its own
display and (as root on Linux) its own processes and network, and ends with the test.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blender_for_tests import TestBlender
from screen import read_screen, save_screen

HERE = Path(__file__).parent
REPOSITORY = HERE.parent.parent
SIZE = (1600, 1000)


@dataclass(frozen=True)
class Result:
    """How a Blender ended.

    Attributes
    ----------
    returncode
        Blender's own exit status; negative for a signal.
    log
        What Blender, and what it started, wrote to standard output and error.
    report
        What the driver script's generator returned.
    error
        The traceback of the exception that ended the generator, if one did.
    survivors
        Command lines of processes that were still there five seconds after Blender had gone.
    seconds
        From the start of Blender to its end.
    """

    returncode: int
    log: str
    report: object
    error: str | None
    survivors: list[str]
    seconds: float

    def check(self) -> Result:
        """Fail the test, with all there is to know, unless everything ended well."""
        if self.error or self.returncode or self.survivors:
            raise AssertionError(
                f"Blender ended with {self.returncode}\n{self.error or ''}\n"
                f"left behind: {self.survivors}\n--- the end of its log ---\n{self.log[-6000:]}"
            )
        return self


class Timeout(AssertionError):
    """Blender, or what was asked of it, took too long."""


class BlenderProcess:
    """A Blender in a sandbox of its own, by its command line; without a display of its own.

    Parameters
    ----------
    blender
        The one to run: the `blender` fixture.
    arguments
        Of Blender's command line.
    folder
        An empty folder of the test's; it holds the log, Blender's home and the pictures.
    environment
        Variables on top of the few that Blender gets.
    user_resources
        The folder of Blender's settings and extensions; a fresh one unless given.
    screen
        Size of the display in pixels, or None for no display.
    """

    def __init__(
        self,
        blender: TestBlender,
        arguments: Sequence[str | Path],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        user_resources: Path | None = None,
        screen: tuple[int, int] | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self._answers: queue.Queue[dict] = queue.Queue()
        self._returncode: int | None = None
        self._ready, self._exited = threading.Event(), threading.Event()
        self._started = time.monotonic()
        self._start(
            {
                "isolated": _can_isolate(),
                "root": str(blender.root) if blender.root else None,
                "binds": _binds(self.folder),
                "environment": self._environment(environment or {}, user_resources),
                "folder": str(self.folder),
                "log": str(self.folder / "blender.log"),
                "screen": screen,
                "command": [blender.executable, *map(str, arguments)],
            }
        )

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        path = self.folder / "blender.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def running(self) -> bool:
        return not self._exited.is_set()

    def run(self, *command: str | Path, timeout: float = 30.0) -> str:
        """Run a program beside Blender, on its display; what it printed."""
        answer = self._ask({"run": list(map(str, command)), "timeout": timeout}, timeout + 5)
        if answer["returncode"]:
            raise AssertionError(f"{command} failed: {answer['stderr'] or answer['stdout']}")
        return answer["stdout"]

    def processes(self) -> list[str]:
        """Command lines of all processes in the sandbox, Blender's own among them."""
        return self._ask({"processes": True}, 10)

    def wait(self, timeout: float = 120.0) -> Result:
        """Wait till Blender has ended by itself; a `Timeout` with its log if it does not."""
        if not self._exited.wait(timeout - (time.monotonic() - self._started)):
            log = self.log
            self.kill()
            raise Timeout(f"Blender still ran after {timeout:g} s; its log:\n{log[-6000:]}")
        elapsed = time.monotonic() - self._started
        survivors: list[str] = []
        if self._returncode is None:
            raise AssertionError(f"the sandbox ended:\n{self.log}\n{self._complaints()}")
        if _can_isolate():
            deadline = time.monotonic() + 5
            while (survivors := self.processes()) and time.monotonic() < deadline:
                time.sleep(0.1)
        outcome = self.folder / "result.json"
        found = json.loads(outcome.read_text()) if outcome.exists() else {}
        self.kill()
        return Result(
            returncode=self._returncode,
            log=self.log,
            report=found.get("report"),
            error=found.get("error"),
            survivors=survivors,
            seconds=elapsed,
        )

    def wait_for(
        self, condition: Callable[[], object], timeout: float = 60.0, what: str = "the condition"
    ) -> object:
        """Wait till something holds, while Blender lives."""
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if not self.running or time.monotonic() > deadline:
                raise Timeout(f"waited in vain: {what}; Blender's log:\n{self.log[-6000:]}")
            time.sleep(0.05)
        return value

    def kill(self) -> None:
        """End Blender and everything in its sandbox at once."""
        # The end of its standard input is the session's sign to go; it takes the rest with it.
        if self._session.stdin and not self._session.stdin.closed:
            self._session.stdin.close()
        try:
            self._session.wait(5)
        except subprocess.TimeoutExpired:
            self._session.kill()
            self._session.wait()

    def _environment(self, extra: Mapping[str, str], user_resources: Path | None) -> dict[str, str]:
        home, settings = self.folder / "home", user_resources or self.folder / "user_resources"
        for path in (home, home / "run", home / "tmp", settings):
            path.mkdir(parents=True, exist_ok=True)
        (home / "run").chmod(0o700)
        environment = {
            "BLENDER_USER_RESOURCES": str(settings),
            "GDR_TEST_FOLDER": str(self.folder),
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TMPDIR": str(home / "tmp"),
            "XDG_RUNTIME_DIR": str(home / "run"),
        }
        return {**environment, **extra}

    def _start(self, plan: dict) -> None:
        command = [sys.executable, "-I", str(HERE / "session.py")]
        if plan["isolated"]:
            namespaces = ["--mount", "--pid", "--net", "--fork", "--kill-child"]
            command = ["unshare", *namespaces, *command]
        with (self.folder / "session.log").open("w") as complaints:
            self._session = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                start_new_session=True,
                text=True,
            )
        threading.Thread(target=self._listen, daemon=True).start()
        self._send(plan)
        if not self._ready.wait(30) or (self._returncode is None and self._exited.is_set()):
            self.kill()
            raise AssertionError(f"the sandbox did not start:\n{self.log}\n{self._complaints()}")

    def _listen(self) -> None:
        for line in self._session.stdout or ():
            message = json.loads(line)
            if "exited" in message:
                self._returncode = message["exited"]
                self._exited.set()
            elif "answer" in message:
                self._answers.put(message["answer"])
            self._ready.set()
        self._exited.set()
        self._ready.set()

    def _send(self, message: dict) -> None:
        stdin = self._session.stdin
        stdin.write(json.dumps(message) + "\n")
        stdin.flush()

    def _ask(self, request: dict, timeout: float):
        try:
            self._send(request)
            return self._answers.get(timeout=timeout)
        except (queue.Empty, OSError) as error:
            raise Timeout(f"no answer from the sandbox: {self._complaints()}") from error

    def _complaints(self) -> str:
        return (self.folder / "session.log").read_text(errors="replace")


class BlenderWindow(BlenderProcess):
    """A Blender with a window that fills its display, driven by a script (see `drive.py`).

    Parameters
    ----------
    script
        Python that Blender runs once its start-up file is loaded.
    blend
        A file to open instead of the start-up file.
    arguments
        For the script, in `sys.argv` after `--`.
    event_simulate
        Whether the script's clicks count. Blender takes either these or the ones from outside, by
        xdotool; never both.
    """

    def __init__(
        self,
        blender: TestBlender,
        script: Path | None = None,
        *,
        folder: Path,
        blend: Path | None = None,
        arguments: Sequence[str | Path] = (),
        environment: Mapping[str, str] | None = None,
        user_resources: Path | None = None,
        size: tuple[int, int] = SIZE,
        event_simulate: bool = True,
    ) -> None:
        # The splash screen would lie over the buttons; the settings are as if untouched.
        prepare = (
            f"import sys, bpy; sys.path.insert(0, {str(HERE)!r}); "
            "preferences = bpy.context.preferences; saved = preferences.is_dirty; "
            "preferences.view.show_splash = False; preferences.is_dirty = saved"
        )
        geometry = ["--window-geometry", "0", "0", str(size[0]), str(size[1])]
        command: list[str | Path] = ["-noaudio", *geometry]
        command += ["--enable-event-simulate"] if event_simulate else []
        command += [blend] if blend else []
        command += ["--python-exit-code", "1", "--python-expr", prepare]
        command += ["--python", script.resolve()] if script else []
        super().__init__(
            blender,
            [*command, "--", *arguments],
            folder=folder,
            environment=environment,
            user_resources=user_resources,
            screen=size,
        )

    def screenshot(self, name: str | Path) -> Path:
        """Save the whole display as a PNG file, in the test's folder unless the path says else."""
        return save_screen(self.folder, self.folder / name)

    def wait_until_drawn(self, timeout: float = 60.0) -> None:
        """Wait till there is more to see than a window's frame; clicks before that are lost."""

        def is_drawn() -> bool:
            rgb = read_screen(self.folder)[2]
            return len({rgb[start : start + 3] for start in range(0, len(rgb), 39)}) > 500

        self.wait_for(is_drawn, timeout, "the first drawing of the window")

    def pixels(self) -> tuple[int, int, bytes]:
        """Width, height and RGB bytes of the display, top row first."""
        return read_screen(self.folder)


def run_script(
    blender: TestBlender, script: Path, *, folder: Path, timeout: float = 120.0, **options
) -> Result:
    """Open a window, let the script drive it, and give back how that went.

    The options are those of `BlenderWindow`. Nothing is checked: see `Result.check`.
    """
    with BlenderWindow(blender, script, folder=folder, **options) as window:
        return window.wait(timeout)


def run_blender(
    blender: TestBlender,
    *arguments: str | Path,
    folder: Path,
    timeout: float = 120.0,
    **options,
) -> Result:
    """Run Blender without a display, by its command line: `--background ...`, `--command ...`."""
    with BlenderProcess(blender, arguments, folder=folder, **options) as process:
        return process.wait(timeout)


def install_extension(blender: TestBlender, archive: Path, user_resources: Path) -> None:
    """Install and enable the extension's zip in the settings of that folder."""
    command = ["--command", "extension", "install-file", "-r", "user_default", "--enable", archive]
    with tempfile.TemporaryDirectory() as folder:
        run_blender(blender, *command, folder=Path(folder), user_resources=user_resources).check()


def missing_programs(blender: TestBlender) -> list[str]:
    """Programs that window tests need of the system, where Blender brings no Debian root."""
    if blender.root:
        return []
    return [name for name in ("Xvfb", "xdotool") if shutil.which(name) is None]


def _can_isolate() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def _binds(folder: Path) -> list[str]:
    """What a Debian root must show of this system: the tests, the trainer's Python, the folder."""
    paths = [REPOSITORY, Path(sys.prefix), folder, Path(tempfile.gettempdir()), Path("/tmp")]
    base = Path(sys.base_prefix)
    if base == Path("/usr"):  # The root has a /usr of its own: only Python's own files then.
        paths += [Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))]
    else:
        paths.append(base)
    # Short paths first: a folder's mount must not hide a mount inside it.
    return sorted({str(path) for path in paths} | {str(path.resolve()) for path in paths}, key=len)
