# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens CTRL and is busy in Python ever after."""

import os
import subprocess
import sys

from blendtorch import btb

args, _ = btb.parse_blendtorch_args()
duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
if "--with-child" in sys.argv:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    duplex.recv()
    duplex.send(pid=os.getpid(), child=child.pid)
while True:
    pass
