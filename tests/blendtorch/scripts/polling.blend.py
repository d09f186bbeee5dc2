# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for messages before each frame and publishes each frame, as scripts for the original do."""

from blendtorch import btb

args, _ = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, send_hwm=1)
duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
state = {"number": 0}


def pre_frame():
    message = duplex.recv(timeoutms=0)
    if message is not None:
        state["number"] = message["number"]


def post_frame(anim):
    publisher.publish(number=state["number"], frame=anim.frameid)


anim = btb.AnimationController()
anim.pre_frame.add(pre_frame)
anim.post_frame.add(post_frame, anim)
anim.play(frame_range=(1, 100))
