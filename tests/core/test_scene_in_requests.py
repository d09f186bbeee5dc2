# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene of a render request, which travels in one piece."""

import msgspec
import numpy as np
import pytest

from blendtorch import wire
from gdr_core import messages
from gdr_core.scene import Parameter, Scene
from gdr_core.settings import RunSettings

SUPERSHAPE = RunSettings().filled().scene.resolve()
MANY = Scene(
    name="supershape",
    parameters=tuple(
        Parameter(name=f"choice_{i}", kind="choice", items=("one", "two")) for i in range(40)
    ),
    options={"camera": {"view": [[1.0, 0.5]]}, "grid": (3, 4)},
)


def request(scene: Scene, number: int = 1) -> messages.RenderRequest:
    rows = np.arange(2.0 * len(scene.parameters)).reshape(2, -1)
    return messages.RenderRequest(id=number, scene=scene, rows=rows, size=64, renderer="fast")


@pytest.mark.parametrize("scene", [SUPERSHAPE, MANY], ids=["supershape", "many"])
def test_a_request_says_the_same_where_it_arrives(scene):
    frames = wire.encode(messages.pack(request(scene, 7)))
    there = messages.unpack(wire.decode(list(map(bytes, frames))))
    assert type(there) is messages.RenderRequest
    assert (there.id, there.size, there.renderer, there.samples) == (7, 64, "fast", None)
    assert (there.scene.name, there.scene.parameters) == (scene.name, scene.parameters)
    assert there.scene.digest == scene.digest
    np.testing.assert_array_equal(there.rows, request(scene).rows)


def test_requests_for_several_scenes_keep_their_own():
    packed = [messages.pack(request(scene)) for scene in (SUPERSHAPE, MANY, SUPERSHAPE)]
    digests = [messages.unpack(data).scene.digest for data in packed]
    assert digests == [SUPERSHAPE.digest, MANY.digest, SUPERSHAPE.digest]


@pytest.mark.parametrize(
    "scene", [b"", b"\xc1", msgspec.msgpack.encode({"name": 3}), b"\x80", 5, None]
)
def test_what_is_no_scene_is_refused(scene):
    with pytest.raises(msgspec.ValidationError, match=r"scene|name"):
        messages.unpack(messages.pack(request(SUPERSHAPE)) | {"scene": scene})
