"""Whatever colours a picture file holds, as 8-bit sRGB."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

__all__ = ["to_srgb"]

GREY = 128
"""What transparent parts are laid on."""

_WIDE = ("I", "F")  # modes of more than 8 bits; besides the "I;16" ones


def to_srgb(image: Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    """A decoded picture as (H, W, 3) uint8 sRGB, and what was noticed, one phrase each."""
    notes: list[str] = []
    if image.mode in _WIDE or image.mode.startswith("I;16"):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
        notes.append("converted from more than 8 bits a channel")
        return _array(image.convert("RGB")), notes
    image = _plain(image)
    alpha = None
    if image.mode in ("RGBA", "LA"):
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    image, remark = _profiled(image)
    notes += remark
    pixels = _array(image.convert("RGB"))
    if alpha is not None and alpha.getextrema()[0] != 255:
        pixels = _laid_on_grey(pixels, np.asarray(alpha))
        notes.append("its transparent parts are shown on grey")
    return pixels, notes


def _plain(image: Image.Image) -> Image.Image:
    """Palettes, premultiplied and bitonal modes resolved: L, LA, RGB, RGBA, CMYK or LAB."""
    icc = image.info.get("icc_profile")
    if image.mode in ("RGBa", "La"):
        image = image.convert("RGBA" if image.mode == "RGBa" else "LA")
    elif image.mode == "PA" or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if icc:
        image.info["icc_profile"] = icc
    return image


def _profiled(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture in sRGB by its embedded profile, unchanged where it has none or one that does not fit."""
    icc = image.info.get("icc_profile")
    if not icc:
        return image, []
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        if image.mode == "RGB" and _is_srgb(profile):
            return image, []
        space = profile.profile.xcolor_space.strip()
        if space != {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}[image.mode]:
            return image, []  # e.g. the profile of a picture that was turned to grey later
        converted = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError, TypeError):
        return image, ["its colour profile is damaged and was ignored"]
    return (converted or image), []


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    name = ImageCms.getProfileDescription(profile).lower()
    return "srgb" in name and "linear" not in name


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit, 32-bit or float grey (H, W) to 8 bits: integers by their range, floats 0..1 or 0..255."""
    v = np.nan_to_num(values.astype(np.float64))
    top = float(v.max()) if v.size else 0.0
    full = 255.0
    if values.dtype.kind == "f" and top <= 1:
        full = 1.0
    elif values.dtype.kind != "f" and top > 255:
        full = 65535.0
    return np.asarray(np.rint(v.clip(0, full) * (255 / full)), np.uint8)


def _laid_on_grey(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    a = alpha.astype(np.float32)[..., None] / 255
    return np.asarray(np.rint(pixels * a + GREY * (1 - a)), np.uint8)


def _array(image: Image.Image) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image, np.uint8))
