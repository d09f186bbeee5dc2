# SPDX-License-Identifier: GPL-3.0-or-later
"""Publishes what the launcher passed, and ends."""

from blendtorch import btb


def main():
    args, remainder = btb.parse_blendtorch_args()
    publisher = btb.DataPublisher(args.btsockets["DATA"], args.btid, lingerms=10_000)
    publisher.publish(btargs=vars(args), remainder=remainder)


main()
