# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports the order of the signals of two episodes."""

import bpy

from blendtorch import btb

args, _ = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, lingerms=10_000)
anim = btb.AnimationController()
calls = []


def note(name):
    calls.append([name, anim.frameid])


for name in ("pre_play", "pre_animation", "pre_frame", "post_frame", "post_animation"):
    getattr(anim, name).add(note, name)
anim.post_play.add(lambda: publisher.publish(calls=calls, background=bpy.app.background))
anim.play(frame_range=(1, 3), num_episodes=2)
