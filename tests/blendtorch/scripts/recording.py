# SPDX-License-Identifier: GPL-3.0-or-later
"""Records messages to FILE: for ever, or with `full` on a disk that has hardly any room."""

import itertools
import sys

import numpy as np

from blendtorch import btt, lifeline

lifeline.watch()
recorder = btt.FileRecorder(sys.argv[1])
image = np.zeros((200, 200), np.uint8)

if sys.argv[2] == "full":
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    recorder.save({"i": 0, "image": image})
    recorder.save({"i": 1, "image": image})
    try:
        recorder.save({"i": 2, "image": image})
    except OSError as error:
        print(error.strerror, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    recorder.save({"i": 3, "image": image})
    sys.exit()

for i in itertools.count():
    image[:] = i % 256
    recorder.save({"i": i, "image": image})
    if i == 20:
        print("twenty", flush=True)
