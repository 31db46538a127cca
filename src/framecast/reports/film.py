"""A case as an animation: every panel starts with the past, and the members differ after the issue time.

Every frame has its time and position, and scales: axes if the size of a frame is known, colour bars with values for the
images and for the spread. Frames are not interpolated in time; small frames are enlarged smoothly.
"""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image, ImageDraw

from framecast.core.errors import FramecastError
from framecast.reports.colours import font, tile_size
from framecast.reports.panels import Panels
from framecast.reports.wording import Clock

_BACKGROUND = (11, 13, 18)
_TEXT = (240, 242, 246)
_DIM = (150, 156, 168)
_FUTURE = (86, 180, 233)
_INK = (31, 36, 48)

_GAP, _CAPTION, _TOP = 12, 32, 62
_AXIS, _BAR = 50, 62

_RATE = 24  # pictures in a second of an MP4 file

# Tile and WebP quality, from the best to the lowest acceptable.
_QUALITIES = ((256, 84), (256, 62), (192, 62), (144, 55), (112, 45))


def animate(panels: Panels, *paths: Path, speed: float | None = None) -> None:
    """Write an animation, WebP, GIF or MP4 (H.264) by the ending of each of ``paths``.

    ``speed`` is in frames per second; by default the past passes faster than the future, which is slow.

    Raises:
        FramecastError: MP4 is requested and PyAV is not installed.
    """
    frames = film_frames(panels, clock=True)
    durations = [1000 / speed if speed else 450 if seconds <= 0 else 750 for seconds in panels.times]
    durations[-1] = max(durations[-1], 2000)
    whole = [round(milliseconds) for milliseconds in durations]
    for path in paths:
        if path.suffix == ".mp4":
            _write_mp4(frames, durations, path)
            continue
        options = {"quality": 85, "method": 4} if path.suffix == ".webp" else {"optimize": True}
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=whole, loop=0, **options)


def can_write_mp4() -> bool:
    """Whether PyAV, which writes MP4, is installed."""
    return find_spec("av") is not None


def _write_mp4(frames: Sequence[Image.Image], durations: Sequence[float], path: Path) -> None:
    """Write H.264 in yuv420p, which every player supports, with even sides; each picture lasts whole 1/24 seconds."""
    try:
        import av
    except ModuleNotFoundError:
        raise FramecastError("MP4 needs PyAV: pip install 'framecast[films]', or choose WebP or GIF") from None
    width, height = (side - side % 2 for side in frames[0].size)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"crf": "18", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame, milliseconds in zip(frames, durations, strict=True):
            picture = av.VideoFrame.from_image(frame.crop((0, 0, width, height)))
            for _ in range(max(1, round(milliseconds * _RATE / 1000))):
                container.mux(stream.encode(picture))
        container.mux(stream.encode())


def encoded_frames(panels: Panels, *, budget: int) -> list[bytes]:
    """Return the frames as WebP files that take ``budget`` bytes together, or slightly more if that is impossible."""
    for wanted, quality in _QUALITIES:
        frames = []
        for frame in film_frames(panels, clock=False, wanted=wanted):
            buffer = io.BytesIO()
            frame.save(buffer, "webp", quality=quality, method=4)
            frames.append(buffer.getvalue())
        if sum(map(len, frames)) <= budget:
            break
    return frames


def film_frames(panels: Panels, *, clock: bool, wanted: int = 256) -> list[Image.Image]:
    """Return one picture for each time: all panels with their names, the title and the lead time, and a line of time.

    The longer side of a panel has ``wanted`` pixels; larger frames keep their size, up to 384.
    """
    return [_frame(panels, k, clock=clock, wanted=wanted) for k in range(len(panels.times))]


def when(panels: Panels, k: int) -> str:
    """Return in words the time of frame ``k`` relative to the issue time."""
    seconds = panels.times[k]
    if seconds == 0:
        return "last frame seen"
    text = Clock.of(max(panels.times)).text(seconds, sign=True)
    return f"seen {text}" if seconds < 0 else f"forecast {text}"


def _frame(panels: Panels, k: int, *, clock: bool, wanted: int) -> Image.Image:
    width, height = tile_size(panels.shape, wanted, enlarge_only=True)
    columns = panels.columns
    rows = -(-len(panels.panels) // columns)
    axis = _AXIS if panels.sides and min(width, height) >= _SMALL else 0
    caption = _CAPTION + axis // 2
    bottom = _BAR + (58 if clock else _GAP)
    full = columns * (width + _GAP) + _GAP + axis, _TOP + rows * (height + caption + _GAP) + bottom - _GAP
    sheet = Image.new("RGB", (max(full[0], 380), full[1]), _BACKGROUND)
    left = _GAP + axis + (sheet.width - full[0]) // 2
    draw = ImageDraw.Draw(sheet)
    past = panels.times[k] <= 0
    text = when(panels, k)
    draw.text((sheet.width - _GAP, 20), text, fill=_DIM if past else _FUTURE, font=font(21), anchor="rm")
    room = sheet.width - 3 * _GAP - font(21).getlength(text)
    draw.text((_GAP, 20), _fitting(panels.title, 17, room), fill=_DIM, font=font(17), anchor="lm")
    about = "   ".join(own[k] for own in (panels.valid, panels.places) if own)
    draw.text((_GAP, 44), _fitting(about, 15, sheet.width - 2 * _GAP), fill=_TEXT, font=font(15), anchor="lm")
    for n, panel in enumerate(panels.panels):
        x = left + n % columns * (width + _GAP)
        y = _TOP + n // columns * (height + caption + _GAP)
        sheet.paste(panel.picture(k, (width, height)), (x, y))
        if not past:
            edge = _TEXT if panel.name == "Observed" else _FUTURE
            draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=edge, width=2)
        size = 20 if width >= 200 else 15
        name = _fitting(panel.name, size, width + _GAP)
        middle = (x + width / 2, y + height + axis // 2 + _CAPTION / 2 + 2)
        draw.text(middle, name, fill=_TEXT, font=font(size), anchor="mm")
        if axis and panels.sides:
            _axes(draw, (x, y, width, height), panels.sides, left=n % columns == 0)
    draw_scales(sheet, panels, top=sheet.height - bottom + 12)
    if clock:
        _clock(draw, panels.times, k, left=_GAP + 8, right=sheet.width - _GAP - 8, y=sheet.height - 36)
    return sheet


_SMALL = 150  # smallest side of a panel with axes, in pixels


def _axes(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], sides: tuple[float, float, str], *, left: bool
) -> None:
    """Draw ticks along the lower and the left side of a panel, numbered from its middle; the latter if ``left``."""
    x, y, width, height = box
    across, up, unit = sides
    short = {"arcsec": "″", "arcmin": "′", "deg": "°"}.get(unit, f" {unit}")
    ticks = [value for value in MaxNLocator(4).tick_values(-across / 2, across / 2) if abs(value) < across / 2]
    for value in ticks:
        at = x + width * (0.5 + value / across)
        draw.line((at, y + height, at, y + height + 4), fill=_DIM, width=1)
        draw.text((at, y + height + 14), _tick(value, short), fill=_DIM, font=font(14), anchor="mm")
    for value in [tick for tick in MaxNLocator(4).tick_values(-up / 2, up / 2) if abs(tick) < up / 2] if left else []:
        at = y + height * (0.5 - value / up)
        draw.line((x - 5, at, x - 1, at), fill=_DIM, width=1)
        draw.text((x - 7, at), _tick(value, short), fill=_DIM, font=font(14), anchor="rm")


def _tick(value: float, unit: str) -> str:
    return f"{value:g}{unit}".replace("-", "−")


def draw_scales(sheet: Image.Image, panels: Panels, *, top: int, ink: tuple[int, int, int] = _DIM) -> None:
    """Draw colour bars of the images, and of the spread where it is shown, with values and unit, at ``top``."""
    shown = {"": panels.panels[0]}
    spread = next((panel for panel in panels.panels if panel.name.endswith("spread")), None)
    shown |= {"Spread": spread} if spread is not None and sheet.width >= 520 else {}
    draw, each = ImageDraw.Draw(sheet), (sheet.width - 2 * _GAP) // len(shown)
    for n, (name, panel) in enumerate(shown.items()):
        label = f"{name} {panels.unit}".strip()
        room = min(int(font(14).getlength(label)) + 10, each // 3)
        x, width = _GAP + 24 + n * each + room, each - room - 48
        draw.text((x - 14, top + 7), _fitting(label, 14, room), fill=ink, font=font(14), anchor="rm")
        shades = np.broadcast_to(np.linspace(0, 1, width), (14, width))
        sheet.paste(Image.fromarray((panel.colours(shades)[..., :3] * 255).astype(np.uint8)), (x, top))
        for shade in (0.0, 0.25, 0.5, 0.75, 1.0):
            value = panel.brightness.value(shade)
            text = f"{value:.0f}" if 100 <= abs(value) < 1e5 else f"{value:.3g}"
            draw.text((x + shade * width, top + 24), text.replace("-", "−"), fill=ink, font=font(14), anchor="mm")


def _clock(draw: ImageDraw.ImageDraw, times: Sequence[float], k: int, *, left: int, right: int, y: int) -> None:
    """Draw the line of time with a mark at time ``k``."""
    unit = Clock.of(max(times))
    places = np.interp(times, (times[0], times[-1]), (left, right))
    issued = float(np.interp(0.0, times, places))
    draw.line((left, y, issued, y), fill=_DIM, width=2)
    draw.line((issued, y, right, y), fill=_FUTURE, width=2)
    every = max(1, len(times) // 8)
    last = max(i for i, seconds in enumerate(times) if seconds <= 0)
    for i, (seconds, x) in enumerate(zip(times, places, strict=True)):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=_FUTURE if seconds > 0 else _DIM)
        if (i - last) % every == 0:
            text = unit.text(seconds, sign=True) if seconds else "0"
            draw.text((min(max(x, left + 14), right - 18), y + 20), text, fill=_DIM, font=font(14), anchor="mm")
    x = places[k]
    draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=_TEXT)


def _fitting(text: str, size: int, room: float) -> str:
    """Return ``text``, cut short where it is wider than ``room`` pixels."""
    if font(size).getlength(text) <= room:
        return text
    while text and font(size).getlength(f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"


def strip(panels: Panels) -> Image.Image:
    """Return one picture: a row per panel, the last past frame and up to six lead times, scales below."""
    gap, top, scales = 4, 30, 48
    future = range(panels.issued + 1, len(panels.times))
    chosen = [panels.issued]
    if len(future):
        chosen += np.unique(np.linspace(future[0], future[-1], min(6, len(future))).astype(int)).tolist()
    clock = Clock.of(max(panels.times))
    width, height = tile_size(panels.shape, 132)
    names = [panel.name for panel in panels.panels]
    left = int(max(font(15).getlength(name) for name in names)) + 20
    cell = max(width, 76)
    full = left + len(chosen) * (cell + gap) + gap, top + len(names) * (height + gap) + scales
    sheet = Image.new("RGB", full, (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    for column, k in enumerate(chosen):
        x = left + column * (cell + gap)
        text = "last seen" if k == panels.issued else clock.text(panels.times[k], sign=True)
        draw.text((x + cell / 2, top / 2), text, fill=_INK, font=font(15), anchor="mm")
        for row, panel in enumerate(panels.panels):
            if k == panels.issued and panel.name.endswith("spread"):
                continue
            place = x + (cell - width) // 2, top + row * (height + gap)
            sheet.paste(panel.picture(k, (width, height)), place)
    for row, name in enumerate(names):
        position = (left - 10, top + row * (height + gap) + height / 2)
        draw.text(position, name, fill=_INK, font=font(15), anchor="rm")
    draw_scales(sheet, panels, top=sheet.height - scales + 10, ink=_INK)
    return sheet
