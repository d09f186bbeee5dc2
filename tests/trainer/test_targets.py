# SPDX-License-Identifier: GPL-3.0-or-later
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.roles import Fixed, Optimise
from gdr_core.settings import RunSettings, TargetSettings
from gdr_core.supershape import parameters
from trainer.data import targets
from trainer.run.controls import Stopped

BACKGROUND = (0.25, 0.5, 0.75)


def save(path, array, **options):
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def folder(tmp_path):
    for index in range(2):
        save(tmp_path / f"base_{index}.png", np.full((64, 64, 3), 100, np.uint8))
    return tmp_path


def read(folder, size=64):
    return targets.from_folder(str(folder), size, BACKGROUND)


def test_lossless_files_of_the_right_size_arrive_unchanged(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    save(tmp_path / "a.png", images[0])
    save(tmp_path / "b.webp", images[1], lossless=True)
    tifffile.imwrite(tmp_path / "c.tiff", images[2])
    save(tmp_path / "d.tif", images[3])
    found = read(tmp_path)
    np.testing.assert_array_equal(found.images, images)
    assert found.notes == ()


def test_jpeg_is_close(tmp_path):
    gradient = np.linspace(0, 255, 64).astype(np.uint8)
    image = np.stack([np.tile(gradient, (64, 1))] * 3, -1)
    for name in "ab":
        save(tmp_path / f"{name}.jpg", image, quality=95)
    assert np.abs(read(tmp_path).images[0].astype(int) - image).mean() < 2


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((64, 64), 80, np.uint8), (80, 80, 80)),
        (np.full((64, 64), 80 * 257, np.uint16), (80, 80, 80)),
        (np.full((64, 64, 4), (10, 20, 30, 255), np.uint8), (10, 20, 30)),
        (np.full((64, 64, 4), (10, 20, 30, 0), np.uint8), (64, 128, 191)),
        (np.full((64, 64, 2), (80, 255), np.uint8), (80, 80, 80)),
    ],
    ids=["grey", "grey16", "opaque", "transparent", "grey-alpha"],
)
def test_kinds_of_png(folder, array, expected):
    save(folder / "extra.png", array)
    np.testing.assert_array_equal(read(folder).images[2, 10, 10], expected)


def test_sixteen_bit_colour_and_floating_point_tiff(folder):
    tifffile.imwrite(folder / "t16.tif", np.full((64, 64, 3), 128 * 257, np.uint16))
    # Middle grey in linear light (0.2140) is 0.5 in sRGB.
    tifffile.imwrite(folder / "tf.tif", np.full((64, 64, 3), 0.2140, np.float32), photometric="rgb")
    images = read(folder).images
    assert (images[2] == 128).all()
    assert (np.abs(images[3].astype(int) - 128) <= 1).all()


def test_palette_with_transparency_lies_over_the_background(folder):
    image = Image.new("P", (64, 64), 0)
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.save(folder / "palette.png", transparency=0)
    np.testing.assert_array_equal(read(folder).images[2, 5, 5], (64, 128, 191))


def test_transparency_of_one_grey_or_colour_lies_over_the_background(folder):
    save(folder / "grey.png", np.full((64, 64), 7, np.uint8), transparency=7)
    save(folder / "rgb.png", np.full((64, 64, 3), (1, 2, 3), np.uint8), transparency=(1, 2, 3))
    for image in read(folder).images[2:]:
        np.testing.assert_array_equal(image[5, 5], (64, 128, 191))


def test_kinds_of_tiff(folder):
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    image.save(folder / "lzw.tif", compression="tiff_lzw")
    image.save(folder / "photo.tif", compression="jpeg", quality=95)
    image.convert("CMYK").save(folder / "print.tif")
    image.quantize(4).save(folder / "x-palette.tif")
    found = read(folder)
    assert found.notes == ()
    assert np.abs(found.images[2:].astype(int) - (200, 100, 50)).max() <= 3
    Image.fromarray(np.full((64, 64), 0.2140, np.float32)).save(folder / "y-float.tif")
    assert (np.abs(read(folder).images[6].astype(int) - 128) <= 1).all()


def test_a_huge_image_is_skipped_with_a_sentence(folder, monkeypatch):
    save(folder / "huge.png", np.zeros((200, 200), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 15_000)
    (note,) = read(folder).notes
    assert "huge.png (larger than 0 million pixels)" in note


def test_exr_is_read_where_the_reader_is_there(folder):
    exr = pytest.importorskip("OpenEXR", reason="the EXR reader is an optional package")
    pixels = np.full((64, 64, 3), 0.2140, np.float32)
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    with exr.File(header, {"RGB": pixels}) as file:
        file.write(str(folder / "x.exr"))
    assert (np.abs(read(folder).images[2].astype(int) - 128) <= 1).all()


def test_wide_images_are_cropped_to_their_centre_and_it_is_said(tmp_path):
    wide = np.zeros((64, 96, 3), np.uint8)
    wide[:, 16:80] = 200
    for name in "ab":
        save(tmp_path / f"{name}.png", wide)
    found = read(tmp_path)
    assert (found.images == 200).all()
    assert any("cropped" in note for note in found.notes)


def test_rotated_photos_stand_upright(folder):
    image = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    image.paste((255, 255, 255), (0, 0, 64, 8))
    exif = Image.Exif()
    exif[0x0112] = 3  # Upside down.
    image.save(folder / "photo.jpg", exif=exif, quality=95)
    photo = next(i for i in read(folder).images if i.max() > 200)
    assert photo[60, 32].mean() > 200 > 50 > photo[4, 32].mean()


def test_larger_images_are_averaged_not_picked(folder):
    checker = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    save(folder / "z.png", checker)
    assert np.abs(read(folder).images[2].astype(int) - 127).max() < 12


def test_unreadable_files_are_named_skipped_and_counted(folder):
    (folder / "broken.png").write_bytes(b"not a picture")
    save(folder / "cut.png", np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    (folder / "cut.png").write_bytes((folder / "cut.png").read_bytes()[:500])
    (folder / "notes.txt").write_text("left alone")
    found = read(folder)
    assert len(found.images) == 2
    (note,) = found.notes
    assert "2 unreadable files were skipped" in note
    assert "broken.png (not an image)" in note
    assert "cut.png" in note


def test_bad_folders_get_a_sentence(tmp_path):
    with pytest.raises(BadSettings, match="There is no folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(BadSettings, match="holds no image"):
        read(tmp_path)
    save(tmp_path / "one.png", np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(BadSettings, match="holds 1 readable image; at least 2"):
        read(tmp_path)
    save(tmp_path / "wide.png", np.zeros((20, 300, 3), np.uint8))
    with pytest.raises(BadSettings, match=r"very different shapes.*1.00 to 15.00"):
        read(tmp_path)


def test_files_that_are_not_for_people_are_passed_over(folder):
    (folder / "._a.png").write_bytes(b"what macOS knows of a.png")
    found = read(folder)
    assert len(found.images) == 2
    assert found.notes == ()


def test_reading_can_be_left(folder):
    looks = []

    def stop():
        looks.append(1)
        raise Stopped

    for number in range(200):
        save(folder / f"more-{number}.png", np.zeros((64, 64), np.uint8))
    with pytest.raises(Stopped):
        targets.from_folder(str(folder), 64, check=stop)
    assert len(looks) == 1


def test_hidden_targets_are_drawn_from_the_hidden_distribution():
    seen = {}

    def render(batch):
        seen["rows"] = batch
        return np.zeros((len(batch), 64, 64, 3), np.uint8)

    settings = RunSettings(
        targets=TargetSettings(hidden={"m1": Distribution(mean=2.25, std=0.1)}, count=200)
    )
    found = targets.from_hidden(settings, render, torch.Generator().manual_seed(4))
    x = np.log(seen["rows"][:, parameters.INDEX["m1"]])
    truth = found.truth["m1"]
    assert truth.drawn_mean == pytest.approx(x.mean(), abs=1e-5)
    assert truth.drawn_std == pytest.approx(x.std(), abs=1e-5)
    assert truth.drawn_mean == pytest.approx(2.25, abs=4 * 0.1 / np.sqrt(200))


def test_what_is_optimised_but_not_hidden_stays_at_its_default():
    hidden = {"m1": Distribution(mean=2.25, std=0.1)}
    settings = RunSettings(
        targets=TargetSettings(hidden=hidden, count=4),
        parameters={"n1_1": Optimise(distribution=Distribution()), "n2_1": Fixed(value=7.0)},
    )
    seen = []
    targets.from_hidden(settings, lambda batch: seen.append(batch), torch.Generator())
    assert (seen[0][:, parameters.INDEX["n1_1"]] == 3).all()
    assert (seen[0][:, parameters.INDEX["n2_1"]] == 7).all()
