# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops channels without closing them, while two others of this process go on."""

import gc
import sys
import threading

from blendtorch import btb, btt


def pair():
    """Return two channels that have spoken with each other."""
    server = btb.DuplexChannel("tcp://127.0.0.1:*")
    client = btt.DuplexChannel(server.address)
    client.send(hello=True)
    assert server.recv(10_000)["hello"]
    return [server, client]


def drop_in_another_thread(channels):
    thread = threading.Thread(target=channels.clear)
    thread.start()
    thread.join()


def drop_in_a_cycle(channels):
    channels.append(channels)  # until the garbage collector comes by


WAYS = [list.clear, list.pop, drop_in_another_thread, drop_in_a_cycle]
server, client = pair()
for i in range(100):
    WAYS[i % len(WAYS)](pair())
    if i % 10 == 9:
        gc.collect()
    server.send(i=i)
    if client.recv(10_000) is None:
        sys.exit(f"No socket of this process works after {i + 1} pairs of channels were dropped.")
print("all work", flush=True)
pair().pop()  # and one more at the end of the process
