# SPDX-License-Identifier: GPL-3.0-or-later
"""Deadlines, keys and lost peers, between real processes."""

import contextlib
import os
import signal
import statistics
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest
import zmq
from channel_helpers import ROOT, wait_for

from blendtorch import btb, btt
from blendtorch.credentials import ENV_CREDENTIALS, Credentials
from blendtorch.errors import CannotOpen, ChannelTimeout, CredentialsError, PeerLost
from blendtorch.wire import Limits


def test_recv_returns_none_in_time(pair):
    for channel in pair:
        assert channel.recv(timeoutms=0) is None
        started = time.monotonic()
        assert channel.recv(timeoutms=200) is None
        assert 0.15 < time.monotonic() - started < 5.0


def test_looking_costs_next_to_nothing(pair):
    server, _ = pair
    costs = []
    for _ in range(2000):
        started = time.perf_counter()
        server.recv(timeoutms=0)
        costs.append(time.perf_counter() - started)
    assert statistics.median(costs) < 1e-4


def test_send_without_a_peer_times_out(keys):
    with (
        btb.DuplexChannel("tcp://127.0.0.1:*", timeoutms=200, credentials=keys) as server,
        pytest.raises(ChannelTimeout, match="has not connected"),
    ):
        server.send(a=1)


def test_publish_without_a_reader_times_out(keys):
    with (
        btb.DataPublisher("tcp://127.0.0.1:*", timeoutms=200, credentials=keys) as publisher,
        pytest.raises(ChannelTimeout),
    ):
        publisher.publish(a=1)


def test_a_literal_port(keys):
    probe = btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys)
    address = probe.address
    probe.close()

    def bind():
        try:
            return btb.DuplexChannel(address, credentials=keys)
        except CannotOpen:  # closing goes on in the background
            return None

    made = []
    wait_for(lambda: made.append(bind()) or made[-1] is not None)
    with made[-1] as server, btt.DuplexChannel(address, credentials=keys) as client:
        client.send(a=1)
        assert server.recv(5000)["a"] == 1
        with pytest.raises(CannotOpen, match=address):
            btb.DuplexChannel(address, credentials=keys)


def test_a_frame_beyond_the_limit_is_not_even_received(keys):
    limits = Limits(max_bytes=100_000)
    with (
        btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys, limits=limits) as server,
        btt.DuplexChannel(server.address, credentials=keys) as client,
    ):
        client.send(fits=np.zeros(99_000, np.uint8))
        assert server.recv(5000)["fits"].size == 99_000
        client.send(too_large=np.zeros(200_000, np.uint8))
        with pytest.raises(PeerLost):
            server.recv(5000)


@pytest.mark.parametrize("address", ["ipc:///tmp/x", "tcp://127.0.0.1", "tcp://127.0.0.1:*/a b"])
def test_nonsense_addresses(address, keys):
    with pytest.raises(ValueError, match="address"):
        btb.DuplexChannel(address, credentials=keys)


def test_close_returns_with_messages_unsent(keys):
    client = btt.DuplexChannel("tcp://127.0.0.1:9", credentials=keys, lingerms=-1)
    client.send(a=1)
    started = time.monotonic()
    client.close()
    client.close()
    assert time.monotonic() - started < 5.0
    with pytest.raises(ValueError, match="closed"):
        client.recv(0)


def test_channels_that_are_dropped_without_close_freeze_nothing(start):
    """The original has no ``close``, so a program for it drops its channels."""
    child = start("dropped.py")
    assert child.wait(60) == 0
    assert child.stdout.read() == b"all work\n"


def leave(server):
    """A client of `server` comes, says something and goes."""
    with btt.DuplexChannel(server.address, lingerms=5000) as client:
        client.send(last="words")
        wait_for(lambda: server.connected)
    wait_for(lambda: server.peer_lost)


def test_a_channel_as_the_original_has_it_goes_on_without_its_client(keys, monkeypatch):
    monkeypatch.setenv(ENV_CREDENTIALS, keys.dumps())
    server = btb.DuplexChannel("tcp://127.0.0.1:*", timeoutms=200)
    for _ in range(2):
        leave(server)
        assert server.recv(5000)["last"] == "words"
        for timeoutms in (0, 300):
            used, started = time.process_time(), time.monotonic()
            assert server.recv(timeoutms) is None
            assert timeoutms / 1000 - 0.05 < time.monotonic() - started < 5.0
            assert time.process_time() - used < 0.1  # it sleeps meanwhile
        with pytest.raises(ChannelTimeout):
            server.send(a=1)
    with btt.DuplexChannel(server.address) as client:
        client.send(i=1)
        assert server.recv()["i"] == 1
        server.send(i=2)
        assert client.recv(5000)["i"] == 2
    server.close()


@pytest.mark.parametrize("how", ["with", "credentials", "raise_lost"])
def test_a_channel_tells_of_the_loss_of_its_client(keys, monkeypatch, how):
    monkeypatch.setenv(ENV_CREDENTIALS, keys.dumps())
    kwargs = {"with": {}, "credentials": {"credentials": keys}, "raise_lost": {"raise_lost": True}}
    server = btb.DuplexChannel("tcp://127.0.0.1:*", **kwargs[how])
    with server if how == "with" else contextlib.nullcontext():
        leave(server)
        assert server.recv(5000)["last"] == "words"
        for timeoutms in (None, 300, 0):
            with pytest.raises(PeerLost):
                server.recv(timeoutms)
        with pytest.raises(PeerLost):
            server.send(a=1)
    server.close()


def test_a_block_may_go_on_as_well(keys):
    with btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys, raise_lost=False) as server:
        with btt.DuplexChannel(server.address, credentials=keys):
            wait_for(lambda: server.connected)
        wait_for(lambda: server.peer_lost)
        assert server.recv(100) is None


# --- keys ----------------------------------------------------------------------------------------


def test_no_keys_no_channel(monkeypatch):
    monkeypatch.delenv(ENV_CREDENTIALS, raising=False)
    with pytest.raises(CredentialsError, match="BlenderLauncher"):
        btb.DuplexChannel("tcp://127.0.0.1:*")
    with pytest.raises(CredentialsError, match="loopback"):
        btb.DuplexChannel("tcp://0.0.0.0:*", insecure=True)
    with (
        btb.DuplexChannel("tcp://127.0.0.1:*", insecure=True) as server,
        btt.DuplexChannel(server.address, insecure=True) as client,
    ):
        client.send(a=1)
        assert server.recv(5000)["a"] == 1


def test_keys_stay_out_of_sight(keys):
    for secret in (keys.server_secret, keys.client_secret, keys.server_public):
        assert secret not in repr(keys)
    assert Credentials.loads(keys.dumps()) == keys
    for text in ("", "{}", "[]", keys.dumps().replace(keys.client_secret, "short")):
        with pytest.raises(CredentialsError):
            Credentials.loads(text)


def strangers(address, keys):
    """Sockets without the run's keys: plain, with keys of their own, and with half of the run's."""
    other = Credentials.new()
    for server_key, client in (
        (None, None),
        (other.server_public, other),
        (keys.server_public, other),
    ):
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.linger = 0
        if client is not None:
            socket.curve_serverkey = server_key.encode()
            socket.curve_publickey = client.client_public.encode()
            socket.curve_secretkey = client.client_secret.encode()
        socket.connect(address)
        yield socket


@pytest.mark.parametrize("strangers_first", [True, False])
def test_strangers_are_not_answered_and_disturb_nobody(keys, strangers_first):
    with btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys) as server:
        intruders = []
        if strangers_first:
            intruders = list(strangers(server.address, keys))
            time.sleep(0.3)
            assert not server.connected
        with btt.DuplexChannel(server.address, credentials=keys) as client:
            client.send(i=-1)
            assert server.recv(5000)["i"] == -1
            intruders = intruders or list(strangers(server.address, keys))
            for i in range(20):
                for intruder in intruders:
                    if intruder.poll(0, zmq.POLLOUT):
                        with suppress(zmq.Again):  # Thrown out between the two.
                            intruder.send(b"let me in", zmq.NOBLOCK)
                client.send(i=i)
                assert server.recv(5000)["i"] == i
                server.send(i=i)
                assert client.recv(5000)["i"] == i
                time.sleep(0.02)
            assert server.recv(0) is None
            assert all(not intruder.poll(0) for intruder in intruders)
            assert server.connected
            assert not server.peer_lost
        for intruder in intruders:
            intruder.close()


def test_the_newest_client_takes_the_place(keys):
    with (
        btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys) as server,
        btt.DuplexChannel(server.address, credentials=keys) as first,
    ):
        first.send(i=1)
        assert server.recv(5000)["i"] == 1
        with btt.DuplexChannel(server.address, credentials=keys) as second:
            second.send(i=2)
            assert server.recv(5000)["i"] == 2
            with pytest.raises(PeerLost, match="place"):
                first.recv(5000)
            with pytest.raises(PeerLost, match="place"):
                first.send(i=3)
            server.send(i=4)
            assert second.recv(5000)["i"] == 4
            first.close()
            time.sleep(0.1)
            assert server.connected
            assert not server.peer_lost
        wait_for(lambda: server.peer_lost)


def test_the_binding_side_may_speak_first(keys):
    with btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys) as server:
        for i in range(3):
            with btt.DuplexChannel(server.address, credentials=keys) as client:
                wait_for(lambda: server.connected)
                server.send(i=i)
                assert client.recv(5000)["i"] == i
            wait_for(lambda: server.peer_lost)


def test_a_stopped_peer_may_come_back(start, keys):
    channel, child = connect(start, keys, "bind")
    with channel:
        os.kill(child.pid, signal.SIGSTOP)
        wait_for(lambda: channel.peer_lost)
        os.kill(child.pid, signal.SIGCONT)
        wait_for(lambda: channel.connected)


# --- lost peers ----------------------------------------------------------------------------------


def connect(start, keys, side):
    """Return the channel of this process and the child behind the other side."""
    if side == "bind":
        child = start("peer.py", "bind")
        channel = btt.DuplexChannel(child.stdout.readline().decode().strip(), credentials=keys)
        channel.send(hello=True)
    else:
        channel = btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys)
        child = start("peer.py", "connect", channel.address)
    assert channel.recv(20_000)
    return channel, child


@pytest.mark.parametrize("side", ["bind", "connect"])
def test_a_killed_peer_is_noticed(start, keys, side):
    channel, child = connect(start, keys, side)
    with channel:
        started = time.monotonic()
        child.kill()
        with pytest.raises(PeerLost):
            channel.recv()
        assert time.monotonic() - started < 5.0
        assert channel.peer_lost
        assert not channel.connected
        with pytest.raises(PeerLost):
            channel.send(a=1)
        with pytest.raises(PeerLost):
            channel.recv(timeoutms=0)


@pytest.mark.parametrize("side", ["bind", "connect"])
def test_a_stopped_peer_is_noticed(start, keys, side):
    channel, child = connect(start, keys, side)
    with channel:
        started = time.monotonic()
        os.kill(child.pid, signal.SIGSTOP)
        with pytest.raises(PeerLost):
            channel.recv()
        assert time.monotonic() - started < 5.0


@pytest.mark.parametrize("side", ["bind", "connect"])
def test_what_a_lost_peer_had_sent_is_delivered_first(start, keys, side):
    channel, child = connect(start, keys, side)
    with channel:
        channel.send(count=200)
        lines = iter(child.stdout.readline, b"")
        assert any(line == b"sent\n" for line in lines)
        time.sleep(0.3)
        child.kill()
        child.wait()
        assert [channel.recv(5000)["i"] for _ in range(200)] == list(range(200))
        with pytest.raises(PeerLost):
            channel.recv(5000)


@pytest.mark.parametrize("side", ["bind", "connect"])
def test_looking_at_a_peer_that_has_just_died_does_not_wait(start, keys, side):
    channel, child = connect(start, keys, side)
    looks = 0

    def look():
        nonlocal looks
        lost = channel.peer_lost
        try:
            assert channel.recv(timeoutms=0) is None
        except PeerLost:
            return True
        looks += lost
        return False

    with channel:
        child.kill()
        wait_for(look, 5.0)
    # It gave last messages time to come in, between the looks and not within one.
    assert looks > 1


def test_a_busy_peer_is_not_lost(pair):
    server, client = pair
    for i in range(100):  # more than any queue of the original
        client.send(i=i, data=b"x" * 100_000)
    deadline = time.monotonic() + 4.0  # beyond the heartbeats' time-out
    while time.monotonic() < deadline:
        pass
    assert [server.recv(5000)["i"] for _ in range(100)] == list(range(100))
    assert not server.peer_lost
    assert not client.peer_lost


ECHO = """
import sys; sys.path.insert(0, sys.argv[1])
from blendtorch import btb
with btb.DuplexChannel("tcp://127.0.0.1:*") as channel:
    print(channel.address, flush=True)
    while True:
        channel.send(**channel.recv())
"""
ASK = """
import sys, time; sys.path.insert(0, sys.argv[1])
from blendtorch import btt
with btt.DuplexChannel(sys.argv[2]) as channel:
    for number in range(4):
        channel.send(number=number)
        assert channel.recv(10_000)["number"] == number
        print(number, flush=True)
        time.sleep(3.0 if number == 1 else 0.0)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="Processes cannot be stopped here")
def test_a_computer_may_sleep(keys):
    """Both sides stand still for longer than any time-out, while the clock goes on."""
    env = {**os.environ, **keys.to_env()}

    def start(code, *arguments):
        command = [sys.executable, "-c", code, str(ROOT), *arguments]
        return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)

    with start(ECHO) as echo:
        try:
            with start(ASK, echo.stdout.readline().strip()) as ask:
                for _ in range(2):
                    ask.stdout.readline()
                time.sleep(2.0)  # Nothing but heartbeats.
                for process in (ask, echo):
                    process.send_signal(signal.SIGSTOP)
                time.sleep(4.0)
                for process in (echo, ask):
                    process.send_signal(signal.SIGCONT)
                assert ask.stdout.read().split()[-1] == "3"
            assert ask.returncode == 0
        finally:
            echo.kill()


def test_a_peer_may_come_back(keys):
    with btb.DuplexChannel("tcp://127.0.0.1:*", credentials=keys) as server:
        for i in range(20):
            with btt.DuplexChannel(server.address, credentials=keys) as client:
                client.send(i=i)
                assert server.recv(5000)["i"] == i
                assert not server.peer_lost
            wait_for(lambda: server.peer_lost)
