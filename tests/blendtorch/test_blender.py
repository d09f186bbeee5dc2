# SPDX-License-Identifier: GPL-3.0-or-later
"""Animation, camera and pictures, in a real Blender without a window."""

import bpy
import numpy as np
import pytest
import supershape as sshape
from torch.utils.data import DataLoader

from blendtorch import btb, btt


@pytest.fixture
def scene():
    bpy.ops.wm.read_factory_settings()
    return bpy.context.scene


# --- animation -----------------------------------------------------------------------------------


def recorded(controller):
    calls = []
    for name in (
        "pre_play",
        "pre_animation",
        "pre_frame",
        "post_frame",
        "post_animation",
        "post_play",
    ):
        getattr(controller, name).add(lambda name=name: calls.append((name, controller.frameid)))
    return calls


@pytest.mark.parametrize("use_animation", [True, False])
def test_the_order_of_the_signals(scene, use_animation):
    controller = btb.AnimationController()
    calls = recorded(controller)
    controller.play(frame_range=(1, 3), num_episodes=2, use_animation=use_animation)
    episode = [("pre_animation", 1)]
    for frame in (1, 2, 3):
        episode += [("pre_frame", frame), ("post_frame", frame)]
    episode += [("post_animation", 3)]
    assert calls == [("pre_play", calls[0][1]), *episode, *episode, ("post_play", 3)]
    assert not controller.playing
    assert not bpy.app.handlers.frame_change_pre
    assert not bpy.app.handlers.frame_change_post


def test_one_frame_and_a_second_play(scene):
    controller = btb.AnimationController()
    frames = []
    controller.post_frame.add(lambda: frames.append(controller.frameid))
    controller.play(frame_range=(5, 5), num_episodes=3)
    controller.play(frame_range=(1, 2), num_episodes=1)
    assert frames == [5, 5, 5, 1, 2]


def test_rewind(scene):
    controller = btb.AnimationController()
    frames = []

    def post_frame():
        frames.append(controller.frameid)
        if len(frames) == 3:
            controller.rewind()

    controller.post_frame.add(post_frame)
    controller.play(frame_range=(1, 4), num_episodes=1)
    assert frames == [1, 2, 3, 1, 2, 3, 4]


def test_an_error_in_a_callback_leaves_play(scene):
    controller = btb.AnimationController()

    def fail():
        if controller.frameid == 2:
            raise ZeroDivisionError("on purpose")

    controller.pre_frame.add(fail)
    with pytest.raises(ZeroDivisionError):
        controller.play(frame_range=(1, 10))
    assert not controller.playing
    assert not bpy.app.handlers.frame_change_pre


def test_the_frame_range_reaches_the_physics(scene):
    bpy.ops.rigidbody.world_add()
    btb.AnimationController().play(frame_range=(3, 4), num_episodes=1)
    assert (scene.frame_start, scene.frame_end) == (3, 4)
    cache = scene.rigidbody_world.point_cache
    assert (cache.frame_start, cache.frame_end) == (3, 4)


def test_signal():
    signal = btb.Signal()
    got = []
    handle = signal.add(lambda *args, **kwargs: got.append((args, kwargs)), 1, b=2)
    signal.invoke(3, c=4)
    signal.remove(handle)
    signal.invoke(5)
    assert got == [((1, 3), {"b": 2, "c": 4})]


# --- camera --------------------------------------------------------------------------------------


def test_projection_of_a_cube(scene):
    cube = bpy.data.objects["Cube"]
    camera = btb.Camera(shape=(480, 640))
    camera.look_at(look_at=(0, 0, 0), look_from=(0, -7, 0))
    pixels, depth = camera.object_to_pixel(cube, return_depth=True)
    assert pixels.shape == (8, 2)
    np.testing.assert_allclose(sorted(depth), [6] * 4 + [8] * 4, atol=1e-5)
    # A pinhole: focal length 50 mm on a sensor of 36 mm, 640 pixels wide.
    focal = 50 / 36 * 640
    xyz = btb.utils.world_coordinates(cube)
    expected = np.stack([320 + focal * xyz[:, 0] / depth, 240 - focal * xyz[:, 2] / depth], 1)
    np.testing.assert_allclose(pixels, expected, atol=1e-2)
    np.testing.assert_allclose(camera.bbox_object_to_pixel(cube).mean(0), [320, 240], atol=1e-2)
    lower = camera.ndc_to_pixel(camera.world_to_ndc([[0, 0, 1]]), origin="lower-left")
    assert lower[0, 1] > 240


def test_an_orthographic_camera(scene):
    scene.camera.data.type = "ORTHO"
    scene.camera.data.ortho_scale = 8
    camera = btb.Camera(shape=(480, 640))
    camera.look_at(look_from=(0, -7, 0))
    xy = camera.ndc_to_pixel(camera.world_to_ndc([[1, 0, 1], [-1, 0, -1]]))
    np.testing.assert_allclose(xy, [[400, 160], [240, 320]], atol=1e-2)


def test_shape_comes_from_the_render_settings(scene):
    scene.render.resolution_x, scene.render.resolution_y = 200, 100
    scene.render.resolution_percentage = 50
    assert btb.Camera().shape == (50, 100)


# --- pictures ------------------------------------------------------------------------------------


def renderer(**kwargs):
    off = btb.OffScreenRenderer(btb.Camera(shape=(48, 64)), **kwargs)
    off.set_render_style(shading="SOLID", overlays=False)
    return off


def test_modes_and_origins(scene):
    pictures = {
        (mode, origin): renderer(mode=mode, origin=origin).render().copy()
        for mode in ("rgb", "rgba")
        for origin in ("upper-left", "lower-left")
    }
    for (mode, _), picture in pictures.items():
        assert picture.shape == (48, 64, len(mode))
        assert picture.dtype == np.uint8
    upper, lower = pictures["rgb", "upper-left"], pictures["rgb", "lower-left"]
    np.testing.assert_array_equal(upper, lower[::-1])
    np.testing.assert_array_equal(upper, pictures["rgba", "upper-left"][..., :3])
    # The cube is where the camera says.
    camera = btb.Camera(shape=(48, 64))
    x, y = camera.object_to_pixel(bpy.data.objects["Cube"]).mean(0)
    background = upper[0, 0].astype(int)
    assert abs(upper[int(y), int(x)] - background).max() > 10


def test_a_picture_follows_the_scene(scene):
    off = renderer(mode="rgb")
    before = off.render().copy()
    bpy.data.objects["Cube"].location.x += 1.0
    after = off.render().copy()
    assert (before != after).any()
    bpy.data.objects["Cube"].location.x -= 1.0
    np.testing.assert_array_equal(off.render(), before)


def test_the_throw_away_render_leaves_the_scene_as_it_was(scene):
    renderer()
    assert list(bpy.data.scenes) == [scene]
    assert [o.name for o in bpy.data.objects] == ["Camera", "Cube", "Light"]
    assert bpy.data.cameras.keys() == ["Camera"]


@pytest.mark.parametrize("kwargs", [{"mode": "bgr"}, {"origin": "middle"}])
def test_unknown_modes_are_refused(scene, kwargs):
    with pytest.raises(ValueError, match="not"):
        btb.OffScreenRenderer(**kwargs)


# --- a script of the original, from end to end ----------------------------------------------------


def item_transform(item):
    x = item["image"].astype(np.float32)
    x = (x - 127.5) / 127.5
    return np.transpose(x, (2, 0, 1)), item["shape_id"]


def test_a_script_for_the_original_runs_unchanged(scripts, scene):
    count = 12
    params = np.tile(np.array([[0, 1, 1, 3, 3, 3]], np.float32), (count, 2, 1))
    params[:, 0, 0] = np.arange(count)
    with btt.BlenderLauncher(
        scene="",
        script=scripts / "supershape.blend.py",
        num_instances=2,
        named_sockets=["DATA", "CTRL"],
        blend_path="bpy",
    ) as bl:
        dataset = btt.RemoteIterableDataset(
            bl.launch_info.addresses["DATA"], item_transform=item_transform, timeoutms=30_000
        )
        loader = DataLoader(dataset, batch_size=count, num_workers=0, shuffle=False)
        remotes = [btt.DuplexChannel(a) for a in bl.launch_info.addresses["CTRL"]]
        images = {}
        for batch in range(2):  # the second one of the same shapes, to other instances
            halves = [np.arange(count)[batch::2], np.arange(count)[1 - batch :: 2]]
            for remote, ids in zip(remotes, halves, strict=True):
                remote.send(shape_params=params[ids], shape_ids=ids)
            image, ids = next(iter(loader))
            assert image.shape == (count, 3, 64, 64)
            assert sorted(ids.tolist()) == list(range(count))
            images[batch] = image[ids.argsort()].numpy()
        for remote in remotes:
            remote.close()
        bl.assert_alive()
    # Who draws a shape makes no difference, and the shape does.
    np.testing.assert_array_equal(images[0], images[1])
    for i in range(count - 1):
        assert (images[0][i] != images[0][i + 1]).any()

    # The picture is the shape's: the same, drawn here.
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    mesh = sshape.make_bpy_mesh((40, 40))
    sshape.update_bpy_mesh(*sshape.supercoords(params[7], shape=(40, 40)), mesh)
    off = btb.OffScreenRenderer(btb.Camera(shape=(64, 64)), mode="rgb")
    off.set_render_style(shading="SOLID", overlays=False)
    here = (off.render().astype(np.float32) - 127.5) / 127.5
    assert np.abs(here.transpose(2, 0, 1) - images[0][7]).mean() < 0.01


def test_playback_in_a_launched_instance(scripts):
    with btt.BlenderLauncher(
        "",
        scripts / "animation.blend.py",
        named_sockets=["DATA"],
        blend_path="bpy",
        background=True,
    ) as bl:
        (item,) = btt.RemoteIterableDataset(
            bl.launch_info.addresses["DATA"], max_items=1, timeoutms=30_000
        )
    assert item["background"]
    names = [name for name, _ in item["calls"]]
    assert names[0] == "pre_play"
    assert names[1:] == 2 * ["pre_animation", *3 * ["pre_frame", "post_frame"], "post_animation"]
