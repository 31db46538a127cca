"""One frame as a picture: in colour, enlarged, row 0 lowest, masked pixels grey."""

from functools import cache

import numpy as np
from matplotlib.colors import Colormap
from PIL import Image, ImageFont

MASKED = (38, 41, 48)

_LARGEST = 384


def tile(values: np.ndarray, masked: np.ndarray, colours: Colormap, size: tuple[int, int]) -> Image.Image:
    """Return values of 0 … 1 ``[y, x]`` as a picture of ``size`` (width, height) pixels, smoothly enlarged."""
    grey = Image.fromarray(np.where(masked, 0.0, values)[::-1].astype(np.float32)).resize(
        size, Image.Resampling.BICUBIC
    )
    picture = (colours(np.clip(np.asarray(grey), 0, 1))[..., :3] * 255).round().astype(np.uint8)
    if masked.any():
        hidden = Image.fromarray(np.ascontiguousarray(masked[::-1])).resize(size, Image.Resampling.NEAREST)
        picture[np.asarray(hidden)] = MASKED
    return Image.fromarray(picture)


def tile_size(shape: tuple[int, int], wanted: int, *, enlarge_only: bool = False) -> tuple[int, int]:
    """Return width and height of a tile for frames of ``shape`` (height, width) whose longer side is ``wanted`` pixels.

    With ``enlarge_only`` larger frames keep their size, up to 384 pixels.
    """
    height, width = shape
    longer = min(max(wanted, height, width), max(wanted, _LARGEST)) if enlarge_only else wanted
    scale = longer / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the sans-serif font that comes with matplotlib."""
    from matplotlib import font_manager

    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
