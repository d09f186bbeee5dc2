# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that a test starts in order to have a Blender with a window, and nothing after it.

It reads one JSON line with its plan from standard input, prepares the namespaces it was started in
(a Debian root to change into, a loopback device), starts Xvfb, openbox and Blender, and then
answers requests line by line: to run a program beside Blender, or to list the processes. It ends
Blender and all that Blender started when its standard input ends, however the test ended.

Only the standard library, and all of it imported up here: after the change of root there is none.
"""

import array
import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path


def main():
    plan = json.loads(sys.stdin.readline())
    if plan["isolated"]:
        raise_loopback()
        enter_root(Path(plan["root"] or "/"), plan["binds"])
    environment = plan["environment"]
    with contextlib.ExitStack() as open_files:
        log = open_files.enter_context(open(plan["log"], "w"))
        if plan["screen"]:
            environment["DISPLAY"] = start_display(plan, log)
        blender = subprocess.Popen(
            plan["command"],
            cwd=plan["folder"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        say({"started": True})
        threading.Thread(target=report_exit, args=(blender,), daemon=True).start()
        answer_requests(environment, plan["folder"])
    if not plan["isolated"]:  # Otherwise the end of this process is the end of its namespace.
        os.killpg(0, signal.SIGKILL)


def raise_loopback():
    """Bring up 127.0.0.1 in the new network namespace, which has nothing else."""
    get_flags, set_flags, up = 0x8913, 0x8914, 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = array.array("B", struct.pack("16sh14x", b"lo", 0))
        fcntl.ioctl(probe, get_flags, request)
        flags = struct.unpack("16sh14x", request.tobytes())[1]
        fcntl.ioctl(probe, set_flags, struct.pack("16sh14x", b"lo", flags | up))


def enter_root(root, binds):
    """Show the binds at their own paths under the root, and change into it."""
    inside = str(root).rstrip("/")
    if inside:
        for path in ("/dev", "/sys", *binds):
            target = Path(inside + path)
            if Path(path).is_dir():
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.touch()
            mount("--rbind", path, str(target))
    mount("-t", "proc", "proc", f"{inside}/proc")
    # An X server looks for free display numbers here: this one need not see the system's.
    Path(f"{inside}/tmp/.X11-unix").mkdir(parents=True, exist_ok=True)
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{inside}/tmp/.X11-unix")
    if inside:
        os.chroot(inside)
        os.chdir("/")


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True, stdin=subprocess.DEVNULL)


def start_display(plan, log):
    """Start an X server and a window manager; the name of the display."""
    read, write = os.pipe()
    size = "x".join(map(str, plan["screen"]))
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{size}x24"]
    command += ["-fbdir", plan["folder"], "-nolisten", "tcp", "-noreset"]
    if plan["isolated"]:
        command += ["-nolock"]
    options = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
    subprocess.Popen(command, env=plan["environment"], pass_fds=[write], **options)
    os.close(write)
    with open(read) as numbers:
        display = ":" + numbers.readline().strip()
    if display == ":":
        raise RuntimeError("Xvfb did not start")
    environment = {**plan["environment"], "DISPLAY": display}
    # Without a window manager xdotool's keys go nowhere, but the script's own clicks arrive.
    with contextlib.suppress(FileNotFoundError):
        subprocess.Popen(["openbox", "--sm-disable"], env=environment, **options)
    return display


def report_exit(blender):
    say({"exited": blender.wait()})


def answer_requests(environment, folder):
    # Unbuffered: a line that is in Python's buffer already would not wake the selector.
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        pending = b""
        while True:
            selector.select()
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                say({"answer": answer(json.loads(line), environment, folder)})


def answer(request, environment, folder):
    if "processes" in request:
        return processes()
    try:
        done = subprocess.run(
            request["run"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=request["timeout"],
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"returncode": -1, "stdout": "", "stderr": str(error)}
    return {"returncode": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


def processes():
    """The command lines of the living processes here, less those of the session itself."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state = (folder / "stat").read_text().rpartition(") ")[2][0]
            words = (folder / "cmdline").read_bytes().split(b"\0")
            own = int(folder.name) == os.getpid() or Path(os.fsdecode(words[0])).name in (
                "Xvfb",
                "openbox",
            )
            if state != "Z" and not own:
                found.append(b" ".join(words).decode(errors="replace").strip())
    return found


_speaking = threading.Lock()


def say(message):
    with _speaking, contextlib.suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
