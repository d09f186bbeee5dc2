# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers on CTRL who it is; DATA is opened late, if at all."""

import os
import sys

import bpy

from blendtorch import btb

args, remainder = btb.parse_blendtorch_args()
duplex = btb.DuplexChannel(args.btsockets["CTRL"], args.btid)
while True:
    msg = duplex.recv()
    duplex.send(
        seed=args.btseed,
        remainder=remainder,
        argv=sys.argv,
        path=sys.path,
        variable=os.environ.get("MY_VARIABLE"),
        background=bpy.app.background,
        file=bpy.data.filepath,
        objects=list(bpy.data.objects.keys()),
    )
