# SPDX-License-Identifier: GPL-3.0-or-later
"""Target images: read from a folder, or rendered from a hidden distribution."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from gdr_core.errors import BadSettings
from gdr_core.families import Distribution
from gdr_core.settings import RunSettings

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".exr")
READERS = 4
"""Files read at a time: a large photo takes hundreds of megabytes while it is."""
# A large photo is no attack; one that Pillow refuses is skipped with a sentence.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
MAX_ASPECT_SPREAD = 2.0
"""How much wider, in proportion, one target may be than another."""


@dataclass(frozen=True)
class Truth:
    """The distribution that hidden targets were drawn from.

    Attributes
    ----------
    distribution
        As it was asked for.
    drawn_mean, drawn_std
        Mean and spread (internal units, spread with ``n`` in the denominator) of the parameters
        that were drawn from it; what an estimator can at best recover.
    """

    distribution: Distribution
    drawn_mean: float
    drawn_std: float


@dataclass(frozen=True)
class TargetSet:
    """The images to match.

    Attributes
    ----------
    images
        ``(N, S, S, 3)`` uint8.
    notes
        Sentences a person should read (skipped files, cropped images).
    truth
        By parameter name, for hidden targets; empty for a folder.
    """

    images: np.ndarray
    notes: tuple[str, ...] = ()
    truth: dict[str, Truth] = field(default_factory=dict)


def from_folder(
    folder: str,
    size: int,
    background: tuple[float, float, float] = (0.25, 0.25, 0.25),
    check: Callable[[], None] = lambda: None,
) -> TargetSet:
    """Read every image of a folder (not of folders inside it), sorted by name.

    Images of any size, grey or colour, 8 or 16 bit, become ``size`` x ``size`` RGB: transparency
    is laid over ``background``, the centre square is kept, and the rest is resampled. High
    dynamic range files (EXR, floating point TIFF) are taken as linear and shown as sRGB. ``check``
    is called after each and may raise to leave.

    Raises
    ------
    BadSettings
        No such folder, no image in it, fewer than two readable ones, or shapes too different.
    """
    root = Path(folder).expanduser()
    if not root.is_dir():
        raise BadSettings(f"There is no folder {folder}; choose the folder of your target images.")
    paths = sorted(
        # A name with a dot first is not for people: macOS keeps what it knows of a file in one.
        p
        for p in root.iterdir()
        if p.suffix.lower() in SUFFIXES and p.is_file() and not p.name.startswith(".")
    )
    if not paths:
        raise BadSettings(
            f"The folder {folder} holds no image; put PNG, JPEG, WebP, TIFF or EXR files in it."
        )

    def read(path: Path) -> tuple[np.ndarray, float] | str:
        try:
            return _read_image(path, size, background)
        except Exception as error:  # Decoders raise anything on a damaged file.
            log.debug("Cannot read %s", path, exc_info=True)
            return f"{path.name} ({_reason(error)})"

    outcomes = []
    threads = ThreadPoolExecutor(READERS)
    try:
        for outcome in threads.map(read, paths):
            outcomes.append(outcome)
            check()
    finally:
        threads.shutdown(cancel_futures=True)
    skipped = [outcome for outcome in outcomes if isinstance(outcome, str)]
    loaded = [outcome for outcome in outcomes if not isinstance(outcome, str)]
    notes = []
    if skipped:
        noun = "file was" if len(skipped) == 1 else "files were"
        shown = ", ".join(skipped[:3]) + (f" and {len(skipped) - 3} more" * (len(skipped) > 3))
        notes.append(f"{len(skipped)} unreadable {noun} skipped: {shown}.")
    if len(loaded) < 2:
        raise BadSettings(
            f"The folder {folder} holds {len(loaded)} readable image{'s' * (len(loaded) != 1)}; "
            f"at least 2 are needed to see a distribution." + "".join(f" {n}" for n in notes)
        )
    aspects = np.array([aspect for _, aspect in loaded])
    if aspects.max() / aspects.min() > MAX_ASPECT_SPREAD:
        raise BadSettings(
            f"The images in {folder} have very different shapes (width to height from "
            f"{aspects.min():.2f} to {aspects.max():.2f}); crop them to one shape, best a square."
        )
    if np.abs(np.log(aspects)).max() > 0.02:
        notes.append("Images that are not square were cropped to their centre.")
    return TargetSet(np.stack([image for image, _ in loaded]), tuple(notes))


def from_hidden(
    settings: RunSettings, render: Callable[[np.ndarray], np.ndarray], generator: torch.Generator
) -> TargetSet:
    """Render targets from ``settings.targets.hidden``.

    Parameters
    ----------
    render
        Rows ``(N, P)`` of the scene to ``(N, S, S, 3)`` uint8 images.
    generator
        Source of the hidden samples.
    """
    from ..estimators.probability_model import ProbabilityModel

    sampler = settings.target_sampler()
    # In the order in which a person named them: the first one is drawn first.
    model = ProbabilityModel(settings.targets.hidden)
    x = model.sample(settings.targets.count, generator).numpy()
    truth = {
        name: Truth(distribution, float(column.mean()), float(column.std()))
        for (name, distribution), column in zip(
            settings.targets.hidden.items(), x.T.astype(np.float64), strict=True
        )
    }
    columns = [model.names.index(name) for name in sampler.names]
    return TargetSet(render(sampler.rows(x[:, columns], 0, "targets")), truth=truth)


def _read_image(
    path: Path, size: int, background: tuple[float, float, float]
) -> tuple[np.ndarray, float]:
    """Return one ``(size, size, 3)`` uint8 image and its file's width to height."""
    suffix = path.suffix.lower()
    if suffix == ".exr":
        pixels = _read_exr(path)
    elif suffix in (".tif", ".tiff"):
        pixels = _read_tiff(path)
    else:
        pixels = _read_pillow(path)
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[top : top + side, left : left + side]
    image = Image.fromarray(_to_rgb(square, np.asarray(background)))
    if side != size:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(image), width / height


def _read_pillow(path: Path) -> np.ndarray:
    with Image.open(path) as file:
        image = ImageOps.exif_transpose(file)
        if image.mode.startswith("I"):
            pixels = np.asarray(image)
            if pixels.min() < 0 or pixels.max() > 65535:
                raise ValueError("32 bit whole numbers are not supported")
            return pixels.astype(np.uint16)
        if image.mode == "F":
            return _linear_to_srgb(np.asarray(image))
        if "transparency" in image.info:
            image = image.convert("RGBA")
        elif image.mode not in ("L", "LA", "RGB", "RGBA"):
            image = image.convert("RGB")
        return np.asarray(image)


def _read_tiff(path: Path) -> np.ndarray:
    """Read what Pillow can (compressed, palette, CMYK), the rest (colour in floats) by tifffile."""
    try:
        return _read_pillow(path)
    except UnidentifiedImageError:
        import tifffile

    pixels = tifffile.imread(path, key=0)
    if pixels.ndim == 3 and pixels.shape[0] in (3, 4) and pixels.shape[2] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, 2)
    return _linear_to_srgb(pixels) if pixels.dtype.kind == "f" else pixels


def _read_exr(path: Path) -> np.ndarray:
    try:
        import OpenEXR
    except ImportError:
        raise BadSettings("the EXR reader is missing: pip install OpenEXR") from None
    with OpenEXR.File(str(path)) as file:
        channels = file.channels()
        if "RGBA" in channels or "RGB" in channels:
            pixels = channels["RGBA" if "RGBA" in channels else "RGB"].pixels
        else:
            pixels = channels["Y"].pixels
    return _linear_to_srgb(np.asarray(pixels, dtype=np.float32))


def _linear_to_srgb(pixels: np.ndarray) -> np.ndarray:
    """Encode linear light by IEC 61966-2-1; a fourth channel is transparency and stays."""
    values = np.clip(np.nan_to_num(pixels.astype(np.float32)), 0.0, 1.0)
    encoded = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    if values.ndim == 3 and values.shape[2] == 4:
        encoded[..., 3] = values[..., 3]
    return encoded


def _to_rgb(pixels: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return ``(H, W, 3)`` uint8 for grey, grey + alpha, RGB or RGBA of 8 or 16 bit or float."""
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    if pixels.dtype == np.uint8:
        values = pixels.astype(np.float32) / 255.0
    elif pixels.dtype == np.uint16:
        values = pixels.astype(np.float32) / 65535.0
    elif pixels.dtype.kind == "f" or pixels.dtype == np.bool_:
        values = pixels.astype(np.float32)
    else:
        raise ValueError(f"pixels of type {pixels.dtype} are not supported")
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[2] not in (1, 2, 3, 4):
        raise ValueError(f"an array of shape {pixels.shape} is not an image")
    if values.shape[2] in (2, 4):
        alpha = values[..., -1:]
        values = values[..., :-1] * alpha + background * (1.0 - alpha)
    if values.shape[2] == 1:
        values = np.repeat(values, 3, axis=2)
    return np.round(np.clip(values, 0.0, 1.0) * 255.0).astype(np.uint8)


def _reason(error: Exception) -> str:
    if isinstance(error, Image.DecompressionBombError):
        return f"larger than {2 * Image.MAX_IMAGE_PIXELS / 1e6:.0f} million pixels"
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
