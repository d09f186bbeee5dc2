# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer in a process of its own: `peer.py bind`, or `peer.py connect ADDRESS`. Echoes."""

import sys

from blendtorch import btb, btt, lifeline
from blendtorch.errors import PeerLost

lifeline.watch()
if sys.argv[1] == "bind":
    channel = btb.DuplexChannel("tcp://127.0.0.1:*")
else:
    channel = btt.DuplexChannel(sys.argv[2])
    channel.send(hello=True)
print(channel.address, flush=True)
while True:
    try:
        message = channel.recv()
    except PeerLost:  # another may come
        continue
    if message.get("count"):
        for i in range(message["count"]):
            channel.send(i=i)
        print("sent", flush=True)
    else:
        channel.send(echo=message)
