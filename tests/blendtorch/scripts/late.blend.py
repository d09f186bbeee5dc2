# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens its second socket only once something has come of the first.

``message``: DATA after a message on CTRL. ``reader``: CTRL after all of DATA was read. ``again``:
CTRL after DATA was opened twice. ``error``: never, because of an error.
"""

import sys
import time

from blendtorch import btb

args, _ = btb.parse_blendtorch_args()
if sys.argv[-1] == "message":
    duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
    message = duplex.recv()
    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
    publisher.publish(got=message["number"])
elif sys.argv[-1] == "reader":
    # One message lies in the queue here and one in the reader's.
    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, send_hwm=1)
    for i in range(10):
        publisher.publish(i=i, much=bytes(10_000_000))
    duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
    publisher.publish(got=duplex.recv()["number"])
elif sys.argv[-1] == "again":
    with btb.DataPublisher(args.btsockets["DATA"], args.btid):
        pass
    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid)
    duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
    publisher.publish(got="the second one")
else:
    duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
    raise RuntimeError("the lamp is missing")
time.sleep(60)
