# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes N numbered pictures, or for ever; prints its address."""

import itertools
import sys
import time

import numpy as np

from blendtorch import btb, lifeline

lifeline.watch()
publisher = btb.DataPublisher("tcp://127.0.0.1:*", btid=int(sys.argv[1]), lingerms=10_000)
print(publisher.address, flush=True)
image = np.zeros((64, 64, 3), np.uint8)
for i in itertools.count() if sys.argv[2] == "forever" else range(int(sys.argv[2])):
    image[:] = i % 256
    publisher.publish(image=image, i=i)
if sys.argv[2] == "0":
    time.sleep(60)
