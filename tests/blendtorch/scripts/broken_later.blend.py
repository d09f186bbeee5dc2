# SPDX-License-Identifier: GPL-3.0-or-later
"""Fails while frames are played."""

from blendtorch import btb


def fail(duplex):
    if duplex.recv(timeoutms=0) is not None:
        raise RuntimeError("the lamp has fallen")


args, _ = btb.parse_blendtorch_args()
anim = btb.AnimationController()
anim.pre_frame.add(fail, btb.DuplexChannel(args.btsockets["CTRL"], args.btid))
anim.play(frame_range=(1, 100))
