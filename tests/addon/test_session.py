# SPDX-License-Identifier: GPL-3.0-or-later
"""The session against real children: good ones, and ones that misbehave in every way."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import psutil
import pytest
from gdr.gdr_addon.run import session as session_module
from gdr.gdr_addon.run import trainer_process
from gdr.gdr_addon.run.session import TRANSITIONS, Deadlines, Event, Phase, Session
from gdr.gdr_addon.run.trainer_link import Launch
from gdr.gdr_core.families import Distribution
from gdr.gdr_core.messages import (
    Conclusion,
    Finished,
    Progress,
    RunStatus,
    Samples,
    Status,
    Targets,
)
from gdr.gdr_core.settings import RunSettings, TargetSettings

SCRIPT = Path(__file__).with_name("scripted_trainer.py")
SETTINGS = RunSettings(targets=TargetSettings(hidden={"m1": Distribution(mean=2.25, std=0.1)}))
QUICK = Deadlines(handshake=20.0, stop=0.5, leave=0.5, lost=0.5, terminate=0.3)


@pytest.fixture
def start(tmp_path):
    sessions = []

    def start(behaviour, deadlines=QUICK, link=None, **changes):
        launch = Launch(
            python=sys.executable,
            settings=SETTINGS,
            folder=tmp_path,
            arguments=(str(SCRIPT), behaviour),
            **changes,
        )
        session = Session(launch, deadlines, link=link)
        sessions.append(session)
        return session

    yield start
    for session in sessions:
        session.kill()
        if (link := session.release()) is not None:
            link.kill()
        assert session.process.poll() is not None


def run(session, until=None, timeout=30.0):
    """Poll as the timer does; return all events, up to the end or until a condition holds."""
    events = []
    deadline = time.monotonic() + timeout
    while session.active and not (until and until(events)):
        assert time.monotonic() < deadline, (session.status, events[-3:])
        began = time.perf_counter()
        events += session.poll()
        assert time.perf_counter() - began < 3.0
        time.sleep(0.01)
    return events


def end_of(events):
    finished = [event for event in events if isinstance(event, Finished)]
    assert len(finished) == 1
    assert events[-1] is finished[0]
    return finished[0]


def path(session):
    return " ".join(phase.name for phase in session.phases)


def has(kind):
    return lambda events: any(isinstance(event, kind) for event in events)


def said(status):
    return lambda events: any(isinstance(e, Status) and e.status == status for e in events)


def test_the_phases_are_drawn_as_they_are():
    lines = session_module.__doc__.splitlines()
    table = [line.split() for line in lines if line.startswith("    ")]
    header, rows = table[0], {row[0]: row[1:] for row in table[1:]}
    assert header == [event.name for event in Event]
    assert rows.keys() == {phase.name for phase in Phase} - {"OVER"}
    for phase, row in rows.items():
        nexts = [TRANSITIONS[Phase[phase]].get(event) for event in Event]
        assert row == [phase.name if phase else "." for phase in nexts]


def test_a_run_from_start_to_end(start, tmp_path):
    session = start("good")
    assert session.status == RunStatus.STARTING
    events = run(session)
    end = end_of(events)
    assert (end.status, session.status) == (RunStatus.DONE, RunStatus.DONE)
    assert end.truth == {"m1": (2.25, 0.1), "m2": (2.25, 0.1)}
    assert end.folder == str(tmp_path)
    assert [e.step for e in events if isinstance(e, Progress)] == list(range(6))
    assert sum(isinstance(e, Samples) for e in events) == 6
    assert next(e for e in events if isinstance(e, Targets)).count == 64
    assert isinstance(events[-2], Conclusion)
    assert events[-2].differences == ("The targets are noisier.",)
    # DONE means that the process is gone.
    assert session.process.poll() == 0
    assert session.poll() == []
    assert path(session) == "HANDSHAKE RUNNING LEAVING OVER"


def test_pause_and_resume(start):
    session = start("slow")
    run(session, has(Progress))
    session.pause()
    run(session, said(RunStatus.PAUSED))
    assert session.status == RunStatus.PAUSED
    session.resume()
    run(session, said(RunStatus.RUNNING))
    session.pause()
    run(session, said(RunStatus.PAUSED))
    session.stop()
    assert session.status == RunStatus.STOPPING
    assert end_of(run(session)).status == RunStatus.IDLE


def test_pause_before_the_trainer_is_there(start):
    session = start("slow")
    session.pause()
    events = run(session, said(RunStatus.PAUSED))
    assert not any(isinstance(event, Progress) and event.step > 1 for event in events)


def test_stop_says_why(start):
    session = start("slow")
    run(session, has(Progress))
    session.stop("Another file was opened, so the run was stopped.")
    session.stop()
    end = end_of(run(session))
    assert end.text.startswith("Another file was opened, so the run was stopped. Stopped after")


def test_stop_of_one_that_has_just_ended(start):
    session = start("good")
    run(session, has(Progress))
    session.process.wait(30)
    # The window was busy meanwhile: all that the trainer said is still unread.
    time.sleep(0.3)
    session.stop()
    assert end_of(run(session)).text.startswith("Done after 5 steps")


def test_stop_before_the_trainer_is_there(start):
    session = start("never-connects")
    time.sleep(0.1)
    session.stop()
    end = end_of(run(session))
    assert (end.status, end.text) == (RunStatus.IDLE, "Stopped.")
    assert path(session) == "HANDSHAKE TERMINATING EXITED OVER"


def test_stop_of_one_that_ignores_everything(start):
    session = start("never-connects-and-ignores-terminate")
    time.sleep(1.5)
    session.stop()
    assert end_of(run(session)).status == RunStatus.IDLE
    assert session.process.returncode == -signal.SIGKILL
    assert path(session) == "HANDSHAKE TERMINATING KILLING EXITED OVER"


def test_stop_of_one_that_hangs(start, tmp_path):
    session = start("hangs-at-stop")
    run(session, lambda _: (tmp_path / "hanging").exists())
    session.stop()
    began = time.monotonic()
    end = end_of(run(session))
    assert end.status == RunStatus.IDLE
    assert "had to be ended" in end.text
    assert time.monotonic() - began < 10
    assert session.process.returncode == -signal.SIGKILL
    assert path(session) == "HANDSHAKE RUNNING STOPPING TERMINATING KILLING EXITED OVER"


def test_stop_of_one_that_finishes_only_when_it_is_terminated(start, tmp_path):
    session = start("finishes-when-terminated")
    run(session, lambda _: (tmp_path / "hanging").exists())
    session.stop("Another file was opened.")
    end = end_of(run(session))
    assert (end.status, end.text) == (RunStatus.IDLE, "Another file was opened. Saved")
    assert path(session) == "HANDSHAKE RUNNING STOPPING TERMINATING LEAVING OVER"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_stop_of_one_that_dies_meanwhile(start, tmp_path):
    session = start("hangs-at-stop", Deadlines())
    run(session, lambda _: (tmp_path / "hanging").exists())
    session.stop()
    session.process.kill()
    session.process.wait(5)
    end = end_of(run(session, timeout=5))
    assert end.status == RunStatus.IDLE
    assert "had to be ended" in end.text
    assert path(session) == "HANDSHAKE RUNNING STOPPING EXITED OVER"


def test_stop_of_one_that_hangs_up(start):
    session = start("hangs-up-at-stop", Deadlines(lost=0.3, terminate=0.3))
    run(session, has(Targets))
    session.stop()
    end = end_of(run(session, timeout=10))
    assert end.status == RunStatus.IDLE
    assert "had to be ended" in end.text
    assert path(session) == "HANDSHAKE RUNNING STOPPING LOST TERMINATING EXITED OVER"


def test_one_that_dies_at_the_start(start):
    session = start("dies-at-start")
    end = end_of(run(session))
    assert path(session) == "HANDSHAKE EXITED OVER"
    assert end.status == RunStatus.FAILED
    assert end.text == (
        "The trainer ended unexpectedly (exit code 1): ImportError: No module named 'torch'"
    )


def test_one_that_came_and_went_while_the_window_was_busy(start):
    session = start("speaks-unasked-and-dies")
    session.process.wait(30)
    time.sleep(0.3)
    events = run(session)
    assert said(RunStatus.RUNNING)(events)
    assert end_of(events).text == "The trainer ended unexpectedly (exit code 5)."
    assert path(session) == "HANDSHAKE RUNNING EXITED OVER"


def test_one_that_hung_up_while_the_window_was_busy(start):
    session = start("hangs-up-at-the-start")
    deadline = time.monotonic() + 30
    while not session._link.channel.peer_lost:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    end = end_of(run(session, timeout=10))
    assert end.text == "The connection to the trainer was lost."
    assert path(session) == "HANDSHAKE LOST TERMINATING EXITED OVER"


@pytest.mark.parametrize(
    ("behaviour", "status", "phases"),
    [
        ("exits-first", RunStatus.DONE, "HANDSHAKE RUNNING EXITED LEAVING OVER"),
        ("exits-first-too-late", RunStatus.FAILED, "HANDSHAKE RUNNING EXITED OVER"),
    ],
)
def test_last_words_that_come_after_the_end(start, behaviour, status, phases):
    session = start(behaviour)
    assert end_of(run(session)).status == status
    assert path(session) == phases


def test_one_that_dies_in_the_middle(start):
    end = end_of(run(start("dies-mid-run")))
    assert end.status == RunStatus.FAILED
    assert end.text == ("The trainer ended unexpectedly (exit code 3): MemoryError: out of memory")


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_one_that_is_killed(start):
    session = start("slow")
    run(session, has(Progress))
    session.process.kill()
    end = end_of(run(session, timeout=5))
    assert end.status == RunStatus.FAILED
    assert end.text == "The trainer ended unexpectedly (killed by SIGKILL)."


def test_one_that_never_answers(start):
    session = start("never-connects", Deadlines(handshake=0.5, terminate=0.3))
    end = end_of(run(session, timeout=5))
    assert end.status == RunStatus.FAILED
    assert "did not answer" in end.text
    assert path(session) == "HANDSHAKE TERMINATING EXITED OVER"


def test_one_that_loses_the_connection(start):
    session = start("closes-the-channel")
    end = end_of(run(session, timeout=10))
    assert path(session) == "HANDSHAKE RUNNING LOST TERMINATING EXITED OVER"
    assert (end.status, end.text) == (
        RunStatus.FAILED,
        "The connection to the trainer was lost.",
    )


def test_one_that_loses_the_connection_and_leaves(start):
    session = start("hangs-up-and-leaves", Deadlines())
    end = end_of(run(session, timeout=10))
    assert end.text == "The trainer ended unexpectedly (exit code 4)."
    assert path(session) == "HANDSHAKE RUNNING LOST OVER"


def test_one_that_does_not_leave(start):
    session = start("hangs-after-finish")
    assert end_of(run(session)).status == RunStatus.DONE
    assert session.process.returncode == -signal.SIGTERM
    assert path(session) == "HANDSHAKE RUNNING LEAVING TERMINATING EXITED OVER"


def test_the_trainers_own_failure_is_told_as_it_is(start):
    end = end_of(run(start("fails")))
    assert (end.status, end.text) == (
        RunStatus.FAILED,
        "The folder is empty; put images into it.",
    )


def test_nonsense_is_passed_over(start):
    assert end_of(run(start("talks-nonsense"))).status == RunStatus.DONE


def test_a_flood_is_taken_in_sips(start):
    session = start("floods")
    largest, events = 0, []
    deadline = time.monotonic() + 60
    while session.active:
        assert time.monotonic() < deadline
        sip = session.poll(budget=0.002)
        largest = max(largest, len(sip))
        events += sip
        time.sleep(0.002)
    assert end_of(events).status == RunStatus.DONE
    assert sum(isinstance(e, Progress) for e in events) == 5001
    # Two milliseconds are too few for a fifth of them, on any machine.
    assert largest < 1000


def stay(start, behaviour="stays", **changes):
    """Make a run after which the trainer stays; return the trainer's link."""
    session = start(behaviour, keep=60.0, **changes)
    assert end_of(run(session)).status == RunStatus.DONE
    link = session.release()
    assert link.well
    assert session.release() is None
    assert session.poll() == []
    session.kill()  # Of a run that is over: the trainer is somebody else's.
    assert link.well
    return link


def test_a_trainer_that_stays_makes_the_next_run(start):
    link = stay(start)
    session = start("stays", link=link, keep=0.0)
    assert link.fits(session.launch)
    assert end_of(run(session)).status == RunStatus.DONE
    assert session.process is link.process
    assert session.release() is None
    assert session.process.poll() == 0
    assert path(session) == "ANSWERING RUNNING LEAVING OVER"


def test_what_was_asked_of_the_last_run_does_not_reach_the_next(start):
    session = start("stays", keep=60.0)
    # Its end is on its way while Stop is pressed.
    run(session, lambda events: any(isinstance(e, Progress) and e.step == 5 for e in events))
    session.stop()
    assert end_of(run(session)).status in (RunStatus.DONE, RunStatus.IDLE)
    session = start("stays", link=session.release())
    assert end_of(run(session)).status == RunStatus.DONE


def test_a_trainer_that_stays_and_fits_no_more(start, tmp_path):
    link = stay(start)
    launch = Launch(python=sys.executable, settings=SETTINGS, folder=tmp_path)
    assert not link.fits(launch)  # Other arguments.
    link.let_go()
    link.process.wait(10)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_trainer_that_died_while_it_stayed_is_started_anew(start):
    link = stay(start)
    link.process.kill()
    link.process.wait(5)
    # The session notices, where nobody looked before.
    session = start("good", link=link)
    assert end_of(run(session)).status == RunStatus.DONE
    assert session.process is not link.process
    assert not link.well
    assert path(session) == "ANSWERING HANDSHAKE RUNNING LEAVING OVER"


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
@pytest.mark.parametrize("behaviour", ["stays-and-is-deaf", "stays-and-hangs-up"])
def test_a_trainer_that_does_not_answer_any_more_is_started_anew(start, behaviour):
    link = stay(start, behaviour)
    deadlines = Deadlines(answer=0.3) if behaviour == "stays-and-is-deaf" else Deadlines()
    session = start("good", deadlines, link=link)
    assert end_of(run(session)).status == RunStatus.DONE
    assert session.process is not link.process
    link.process.wait(15)


def test_a_trainer_that_can_be_replaced_by_no_other(start, tmp_path):
    link = stay(start)
    link.process.kill()
    link.process.wait(5)
    session = start("good", link=link)
    launch = session.launch
    session.launch = Launch(str(tmp_path / "none"), launch.settings, launch.folder)
    end = end_of(run(session))
    assert end.status == RunStatus.FAILED
    assert end.text.startswith("The trainer cannot be started: ")
    assert path(session) == "ANSWERING OVER"


@pytest.mark.parametrize("loss", ["stays-and-is-deaf", "stays-and-hangs-up", "killed"])
def test_stop_of_a_run_that_a_trainer_has_not_begun(start, loss):
    if loss == "killed" and os.name == "nt":
        pytest.skip("POSIX signals")
    link = stay(start, "stays-and-is-deaf" if loss == "killed" else loss)
    session = start(
        "good", Deadlines(stop=0.3) if loss == "stays-and-is-deaf" else QUICK, link=link
    )
    session.stop()
    if loss == "killed":
        link.process.kill()
    end = end_of(run(session))
    assert (end.status, end.text) == (RunStatus.IDLE, "Stopped.")
    assert path(session) == "ANSWERING CANCELLING OVER"
    link.process.wait(15)


def test_stop_of_a_run_before_the_trainers_first_message(start):
    session = start("good", Deadlines(), link=stay(start, "stays-and-is-slow"))
    session.stop()
    end = end_of(run(session))
    assert end.text.startswith("Stopped after")
    assert path(session) == "ANSWERING CANCELLING STOPPING LEAVING OVER"


def test_kill_is_bounded_and_leaves_nothing(start):
    session = start("hangs-at-stop")
    run(session, has(Targets))
    began = time.monotonic()
    session.kill()
    assert time.monotonic() - began < 5.0
    assert not psutil.pid_exists(session.process.pid)
    assert session.poll() == []
    session.kill()


def test_a_python_that_cannot_be_started(tmp_path):
    launch = Launch(python=str(tmp_path / "none"), settings=SETTINGS, folder=tmp_path)
    with pytest.raises(OSError, match="none"):
        Session(launch)


def test_the_environment_has_nothing_of_blenders_python(tmp_path):
    base = {
        "PATH": "/bin",
        "PYTHONHOME": "/blender",
        "PYTHONPATH": "/blender/lib",
        "PYTHONNOUSERSITE": "1",
        "BLENDER_USER_RESOURCES": "/resources",
    }
    env = trainer_process.environment(
        tmp_path, {"GDR_ADDRESS": "tcp://x"}, [Path("/a"), Path("/b")], base
    )
    assert env["PYTHONPATH"] == str(tmp_path)
    assert not {"PYTHONHOME", "PYTHONNOUSERSITE"} & env.keys()
    assert env["BLENDER_USER_RESOURCES"] == "/resources"
    assert env["GDR_WORKER_SITE_PACKAGES"] == f"/a{os.pathsep}/b"
    assert env["GDR_ADDRESS"] == "tcp://x"


def test_the_trainer_imports_nothing_from_its_folder(tmp_path):
    (tmp_path / "trainer.py").write_text("print('mine')")
    root = trainer_process.root_folder()
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "--help"],
        env=trainer_process.environment(root),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "optimize" in done.stdout


def test_run_folders_never_collide(tmp_path):
    first, second = (trainer_process.new_run_folder(tmp_path / "runs") for _ in range(2))
    assert first != second
    assert first.is_dir()
    assert second.is_dir()


def test_the_last_line_of_a_log(tmp_path):
    path = tmp_path / "log"
    assert trainer_process.last_line(path) == ""
    path.write_text("x" * 10_000 + "\nTraceback\n  last words \n\n")
    assert trainer_process.last_line(path) == "last words"
    assert trainer_process.tail(path, 8) == "words \n\n"


def test_events_are_messages(start):
    for event in run(start("good")):
        assert isinstance(event, msgspec.Struct)
