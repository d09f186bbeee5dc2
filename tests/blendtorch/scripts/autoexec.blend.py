# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes which Python of the open file has run, and of one that is opened later."""

import sys

import bpy

from blendtorch import btb


def ran():
    bpy.context.view_layer.update()
    driven = bpy.data.objects["Driven"]
    return {
        "driver": driven.evaluated_get(bpy.context.evaluated_depsgraph_get()).location.x == 4.0,
        "text": bpy.app.driver_namespace.pop("the text has run", False),
    }


args, _ = btb.parse_blendtorch_args()
publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, lingerms=10_000)
first = ran()
bpy.ops.wm.open_mainfile(filepath=sys.argv[-1])
publisher.publish(first=first, later=ran())
