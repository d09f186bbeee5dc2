# SPDX-License-Identifier: GPL-3.0-or-later
"""A script as people wrote them for the original: parameters come in, one picture each goes out."""

import bpy
import supershape as sshape

from blendtorch import btb

SIZE = (40, 40)


class Job:
    """The shapes that are still to be drawn."""

    def __init__(self):
        self.queue = iter(())
        self.current = None


def before_frame(job, duplex, mesh):
    msg = duplex.recv(timeoutms=0)
    if msg is not None:
        job.queue = iter(zip(msg["shape_params"], msg["shape_ids"], strict=True))
    item = next(job.queue, None)
    job.current = None
    if item is not None:
        params, job.current = item
        sshape.update_bpy_mesh(*sshape.supercoords(params, shape=SIZE), mesh)


def after_frame(job, off, pub):
    if job.current is not None:
        pub.publish(image=off.render(), shape_id=job.current)


def main():
    btargs, _ = btb.parse_blendtorch_args()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    mesh = sshape.make_bpy_mesh(SIZE)
    job = Job()

    pub = btb.DataPublisher(btargs.btsockets["DATA"], btargs.btid)
    duplex = btb.DuplexChannel(btargs.btsockets["CTRL"], btargs.btid)

    off = btb.OffScreenRenderer(camera=btb.Camera(shape=(64, 64)), mode="rgb")
    off.set_render_style(shading="SOLID", overlays=False)

    anim = btb.AnimationController()
    anim.pre_frame.add(before_frame, job, duplex, mesh)
    anim.post_frame.add(after_frame, job, off, pub)
    anim.play(frame_range=(0, 10000), num_episodes=-1)


main()
