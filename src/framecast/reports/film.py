"""A case as a film: every panel begins with the past, and at the issue time the members part.

Nothing is invented between frames; small frames are enlarged smoothly.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from framecast.core.errors import FramecastError
from framecast.reports.clock import Clock
from framecast.reports.panels import Panels
from framecast.reports.tiles import font, tile_size

_BACKGROUND = (11, 13, 18)
_TEXT = (240, 242, 246)
_DIM = (150, 156, 168)
_FUTURE = (86, 180, 233)

_GAP, _CAPTION, _TOP = 12, 32, 50

_RATE = 24
"""Pictures in a second of an MP4 file."""

# Tile and WebP quality, from the best that may be to the least that one can look at.
_QUALITIES = ((256, 84), (256, 62), (192, 62), (144, 55), (112, 45))


def animate(panels: Panels, path: Path, *, speed: float | None = None) -> None:
    """Write an animation, WebP, GIF or MP4 (H.264) by the ending of ``path``.

    Args:
        panels: what is shown.
        path: of the file.
        speed: frames in a second; by default the past passes faster than the future, which is slow.

    Raises:
        FramecastError: MP4 is asked for and PyAV is not installed.
    """
    frames = film_frames(panels, clock=True)
    durations = [1000 / speed if speed else 450 if seconds <= 0 else 750 for seconds in panels.times]
    durations[-1] = max(durations[-1], 2000)
    if path.suffix == ".mp4":
        _write_mp4(frames, durations, path)
        return
    options = {"quality": 88, "method": 3} if path.suffix == ".webp" else {"optimize": True}
    whole = [round(milliseconds) for milliseconds in durations]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=whole, loop=0, **options)


def _write_mp4(frames: Sequence[Image.Image], durations: Sequence[float], path: Path) -> None:
    """Write H.264 in yuv420p, which every player knows: sides are even, and each picture lasts whole 1/24 seconds."""
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
    """Return the frames as WebP files that take ``budget`` bytes together, or little more if that cannot be."""
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
    """Return in words how frame ``k`` stands to the issue time."""
    seconds = panels.times[k]
    if seconds == 0:
        return "last frame seen"
    text = Clock.of(max(panels.times)).text(seconds, sign=True)
    return f"seen {text}" if seconds < 0 else f"forecast {text}"


def _frame(panels: Panels, k: int, *, clock: bool, wanted: int) -> Image.Image:
    """Return the picture at time ``k``."""
    width, height = tile_size(panels.shape, wanted, enlarge_only=True)
    columns = panels.columns
    rows = -(-len(panels.panels) // columns)
    bottom = 58 if clock else _GAP
    full = columns * (width + _GAP) + _GAP, _TOP + rows * (height + _CAPTION + _GAP) + bottom - _GAP
    sheet = Image.new("RGB", (max(full[0], 380), full[1]), _BACKGROUND)
    left = _GAP + (sheet.width - full[0]) // 2
    draw = ImageDraw.Draw(sheet)
    past = panels.times[k] <= 0
    text = when(panels, k)
    draw.text((sheet.width - _GAP, _TOP / 2), text, fill=_DIM if past else _FUTURE, font=font(21), anchor="rm")
    room = sheet.width - 3 * _GAP - font(21).getlength(text)
    draw.text((_GAP, _TOP / 2), _fitting(panels.title, 17, room), fill=_DIM, font=font(17), anchor="lm")
    for n, panel in enumerate(panels.panels):
        x = left + n % columns * (width + _GAP)
        y = _TOP + n // columns * (height + _CAPTION + _GAP)
        sheet.paste(panel.picture(k, (width, height)), (x, y))
        if not past:
            edge = _TEXT if panel.name == "Observed" else _FUTURE
            draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=edge, width=2)
        size = 20 if width >= 200 else 15
        name = _fitting(panel.name, size, width + _GAP)
        draw.text((x + width / 2, y + height + _CAPTION / 2 + 2), name, fill=_TEXT, font=font(size), anchor="mm")
    if clock:
        _clock(draw, panels.times, k, left=_GAP + 8, right=sheet.width - _GAP - 8, y=sheet.height - 36)
    return sheet


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
