# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a virtual display, from the file in which Xvfb keeps its pixels.

That file is an X window dump: a header of big-endian 32-bit numbers, a colour map, and the rows.
"""

import struct
import zlib
from pathlib import Path


def read_screen(folder: Path) -> tuple[int, int, bytes]:
    """Width, height and the RGB bytes of the display whose Xvfb writes to this folder."""
    dump = (Path(folder) / "Xvfb_screen0").read_bytes()
    header = struct.unpack(">25I", dump[:100])
    header_size, width, height, bits, stride, colors = (
        header[0],
        header[4],
        header[5],
        header[11],
        header[12],
        header[19],
    )
    if bits != 32:
        raise ValueError(f"expected a display of 32 bits a pixel, not {bits}")
    start = header_size + colors * 12
    rgb = bytearray(width * height * 3)
    for row in range(height):
        line = dump[start + row * stride : start + row * stride + width * 4]
        here = slice(row * width * 3, (row + 1) * width * 3)
        pixels = bytearray(width * 3)
        pixels[0::3], pixels[1::3], pixels[2::3] = line[2::4], line[1::4], line[0::4]
        rgb[here] = pixels
    return width, height, bytes(rgb)


def save_screen(folder: Path, path: Path) -> Path:
    """Write the display's picture to a PNG file."""
    width, height, rgb = read_screen(folder)
    stride = width * 3
    rows = b"".join(b"\0" + rgb[row * stride : (row + 1) * stride] for row in range(height))
    chunks = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows, 1)),
        (b"IEND", b""),
    )
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in chunks:
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    path = Path(path)
    path.write_bytes(data)
    return path
