"""A case as a still picture: panels in rows, lead times in columns."""

import numpy as np
from PIL import Image, ImageDraw

from framecast.reports.clock import Clock
from framecast.reports.film import draw_scales
from framecast.reports.panels import Panels
from framecast.reports.tiles import font, tile_size

_INK = (31, 36, 48)
_GAP, _TOP, _TILE, _SCALES = 4, 30, 132, 48


def strip(panels: Panels) -> Image.Image:
    """Return one picture: a row per panel, the last past frame and up to six lead times, scales below."""
    future = range(panels.issued + 1, len(panels.times))
    chosen = [panels.issued]
    if len(future):
        chosen += np.unique(np.linspace(future[0], future[-1], min(6, len(future))).astype(int)).tolist()
    clock = Clock.of(max(panels.times))
    width, height = tile_size(panels.shape, _TILE)
    names = [panel.name for panel in panels.panels]
    left = int(max(font(15).getlength(name) for name in names)) + 20
    cell = max(width, 76)
    full = left + len(chosen) * (cell + _GAP) + _GAP, _TOP + len(names) * (height + _GAP) + _SCALES
    sheet = Image.new("RGB", full, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for column, k in enumerate(chosen):
        x = left + column * (cell + _GAP)
        text = "last seen" if k == panels.issued else clock.text(panels.times[k], sign=True)
        draw.text((x + cell / 2, _TOP / 2), text, fill=_INK, font=font(15), anchor="mm")
        for row, panel in enumerate(panels.panels):
            if k == panels.issued and panel.name.endswith("spread"):
                continue
            place = x + (cell - width) // 2, _TOP + row * (height + _GAP)
            sheet.paste(panel.picture(k, (width, height)), place)
    for row, name in enumerate(names):
        position = (left - 10, _TOP + row * (height + _GAP) + height / 2)
        draw.text(position, name, fill=_INK, font=font(15), anchor="rm")
    draw_scales(sheet, panels, top=sheet.height - _SCALES + 10, ink=_INK)
    return sheet
