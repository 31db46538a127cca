"""Pictures of one case: an animation that begins with the past, and a strip for paper.

Nothing is invented between frames; small frames are enlarged smoothly. One range of brightness, from robust
percentiles of what was observed, serves every picture of a case, so that they compare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.colors import Colormap
from PIL import Image, ImageDraw, ImageFont

from framecast.evaluation import Case, Cases
from framecast.scores import ensemble_mean, ensemble_variance

_BACKGROUND = (11, 13, 18)
_TEXT = (240, 242, 246)
_DIM = (150, 156, 168)
_FUTURE = (86, 180, 233)
_MASKED = (38, 41, 48)

_AIA = {"94", "131", "171", "193", "211", "304", "335", "1600", "1700", "4500"}


@dataclass(frozen=True)
class Brightness:
    """From physical values to 0 … 1: linear, or asinh for what spans decades."""

    low: float
    high: float
    softening: float | None

    @classmethod
    def of(cls, observed: np.ndarray) -> "Brightness":
        """Return a range that shows ``observed`` well: its 0.5 and 99.8 percentiles."""
        known = observed[np.isfinite(observed)]
        if not known.size:
            return cls(0.0, 1.0, None)
        low, middle, bright, high = (float(value) for value in np.percentile(known, [0.5, 50, 75, 99.8]))
        if not high > low:
            high = low + 1.0
        skewed = high - middle > 3 * (middle - low)
        return cls(low, high, max(2 * (bright - low), 0.01 * (high - low)) if skewed else None)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return ``values`` on the scale of 0 … 1."""
        x = (values - self.low) / (self.high - self.low)
        if self.softening is not None:
            bend = self.softening / (self.high - self.low)
            x = np.arcsinh(x / bend) / np.arcsinh(1 / bend)
        return np.clip(x, 0, 1)

    def describe(self, unit: str) -> str:
        """Return the range in words."""
        curve = "asinh scale" if self.softening is not None else "linear scale"
        return f"{self.low:.3g} to {self.high:.3g} {unit}, {curve}".replace(" ,", ",")


@dataclass(frozen=True)
class Pictures:
    """What is shown of one case: ``[time, height, width]`` each, the past first."""

    hours: list[float]
    panels: dict[str, np.ndarray]
    spread: np.ndarray
    brightness: Brightness
    colours: Colormap
    unit: str
    title: str

    @classmethod
    def of(cls, case: Case, cases: Cases, *, channel: int = 0, members: int = 3) -> "Pictures":
        """Gather the observed frames, the first ``members`` members, the ensemble mean and its spread."""
        forecast = case.forecasts[cases.models[0]]
        past, truth = case.past[channel].numpy(), case.truth[channel].numpy()
        panels = {"Observed": np.concatenate([past, truth])}
        for k in range(min(members, len(forecast))):
            panels[f"Member {k + 1}"] = np.concatenate([past, forecast[k, channel].numpy()])
        panels["Ensemble mean"] = np.concatenate([past, ensemble_mean(forecast)[channel].numpy()])
        spread = ensemble_variance(forecast)[channel].sqrt().numpy()
        return cls(
            hours=[seconds / 3600 for seconds in (*cases.past_times, *cases.lead_times)],
            panels=panels,
            spread=np.concatenate([np.where(np.isnan(past), np.nan, 0.0), spread]),
            brightness=Brightness.of(panels["Observed"]),
            colours=colour_map(cases.channels[channel]),
            unit=cases.unit,
            title=f"{case.sequence}   {np.datetime_as_string(case.issue_time, unit='m').replace('T', ' ')}",
        )

    @property
    def spread_limit(self) -> float:
        """The spread shown brightest."""
        known = self.spread[np.isfinite(self.spread)]
        return max(float(np.percentile(known, 99.8)), 1e-30) if known.size else 1.0

    def tiles(self, k: int, size: tuple[int, int]) -> dict[str, Image.Image]:
        """Return the pictures at time ``k``, ``size`` (width, height) each, by label."""
        tiles = {
            name: _picture(self.brightness(video[k]), np.isnan(video[k]), self.colours, size)
            for name, video in self.panels.items()
        }
        if len(self.panels) > 2 and np.isfinite(self.spread).any():
            spread = self.spread[k]
            shown = Brightness(0.0, self.spread_limit, self.brightness.softening)(spread)
            tiles["Ensemble spread"] = _picture(shown, np.isnan(spread), matplotlib.colormaps["bone"], size)
        return tiles


def colour_map(channel: str) -> Colormap:
    """Return astronomers' colours for a channel of SDO/AIA where sunpy is there, else inferno."""
    wavelength = channel.lower().removeprefix("aia").strip(" _-")
    if wavelength in _AIA:
        try:
            import sunpy.visualization.colormaps

            colours: Colormap = sunpy.visualization.colormaps.cmlist[f"sdoaia{wavelength}"]
            return colours
        except ImportError:
            pass
    return matplotlib.colormaps["inferno"]


def animate(pictures: Pictures, path: Path) -> None:
    """Write an animation, WebP or GIF by the ending of ``path``: the past in every panel, then each its own future."""
    frames = [_frame(pictures, k) for k in range(len(pictures.hours))]
    durations = [450 if hour <= 0 else 750 for hour in pictures.hours]
    durations[-1] = 2000
    options = {"quality": 88, "method": 3} if path.suffix == ".webp" else {"optimize": True}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=0, **options)


def strip(pictures: Pictures, path: Path, *, columns: int = 7) -> None:
    """Write one picture of rows (observed, members, mean, spread) against lead times, the last past frame first."""
    first = max(k for k, hour in enumerate(pictures.hours) if hour <= 0)
    future = range(first + 1, len(pictures.hours))
    chosen = [first, *(int(k) for k in np.unique(np.linspace(future[0], future[-1], min(columns - 1, len(future)))))]
    width, height = _tile_size(pictures, 132)
    rows = list(pictures.tiles(first, (width, height)))
    gap, left, top = 4, 146, 30
    sheet = Image.new(
        "RGB", (left + len(chosen) * (width + gap) + gap, top + len(rows) * (height + gap) + gap), (255, 255, 255)
    )
    draw = ImageDraw.Draw(sheet)
    for column, k in enumerate(chosen):
        x = left + column * (width + gap)
        text = "last seen" if k == first else f"+{pictures.hours[k]:g} h"
        draw.text((x + width / 2, top / 2), text, fill=(31, 36, 48), font=_font(15), anchor="mm")
        for row, tile in enumerate(pictures.tiles(k, (width, height)).values()):
            sheet.paste(tile, (x, top + row * (height + gap)))
    for row, name in enumerate(rows):
        position = (left - 10, top + row * (height + gap) + height / 2)
        draw.text(position, name, fill=(31, 36, 48), font=_font(15), anchor="rm")
    sheet.save(path)


def _frame(pictures: Pictures, k: int) -> Image.Image:
    """Return the picture at time ``k`` with its labels and the clock below."""
    width, height = _tile_size(pictures, 256)
    tiles = pictures.tiles(k, (width, height))
    columns = 3 if len(tiles) > 2 else len(tiles)
    rows = -(-len(tiles) // columns)
    gap, caption, top, bottom = 12, 32, 50, 58
    sheet = Image.new(
        "RGB",
        (columns * (width + gap) + gap, top + rows * (height + caption + gap) + bottom - gap),
        _BACKGROUND,
    )
    draw = ImageDraw.Draw(sheet)
    past = pictures.hours[k] <= 0
    hour = pictures.hours[k]
    draw.text((gap, top / 2), pictures.title, fill=_DIM, font=_font(18), anchor="lm")
    when = f"seen  {hour:+g} h" if hour < 0 else ("last frame seen" if hour == 0 else f"forecast  +{hour:g} h")
    draw.text(
        (sheet.width - gap, top / 2),
        when.replace("-", "−"),
        fill=_DIM if past else _FUTURE,
        font=_font(23),
        anchor="rm",
    )
    for n, (name, tile) in enumerate(tiles.items()):
        x = gap + n % columns * (width + gap)
        y = top + n // columns * (height + caption + gap)
        sheet.paste(tile, (x, y))
        if not past:
            draw.rectangle((x - 2, y - 2, x + width + 1, y + height + 1), outline=_edge(name), width=2)
        draw.text((x + width / 2, y + height + caption / 2 + 2), name, fill=_TEXT, font=_font(20), anchor="mm")
    _clock(draw, pictures.hours, k, left=gap + 8, right=sheet.width - gap - 8, y=sheet.height - 36)
    return sheet


def _edge(name: str) -> tuple[int, int, int]:
    return _TEXT if name == "Observed" else _FUTURE


def _clock(draw: ImageDraw.ImageDraw, hours: Sequence[float], k: int, *, left: int, right: int, y: int) -> None:
    """Draw the time line with a mark at time ``k``."""
    places = np.interp(hours, (hours[0], hours[-1]), (left, right))
    issued = float(np.interp(0.0, hours, places))
    draw.line((left, y, issued, y), fill=_DIM, width=2)
    draw.line((issued, y, right, y), fill=_FUTURE, width=2)
    for hour, x in zip(hours, places, strict=True):
        colour = _FUTURE if hour > 0 else _DIM
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    every = max(1, len(hours) // 8)
    last = max(i for i, hour in enumerate(hours) if hour <= 0)
    for i, (hour, x) in enumerate(zip(hours, places, strict=True)):
        if (i - last) % every == 0:
            text = f"{hour:+g} h".replace("-", "−") if hour else "0"
            draw.text((min(max(x, left + 14), right - 18), y + 20), text, fill=_DIM, font=_font(14), anchor="mm")
    x = places[k]
    draw.ellipse((x - 7, y - 7, x + 7, y + 7), fill=_TEXT)


def _tile_size(pictures: Pictures, wanted: int) -> tuple[int, int]:
    """Return width and height of a tile: its longer side is ``wanted``, or the frame's own up to 384."""
    height, width = pictures.spread.shape[-2:]
    scale = min(max(wanted, max(height, width)), 384 if wanted > 200 else wanted) / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _picture(values: np.ndarray, masked: np.ndarray, colours: Colormap, size: tuple[int, int]) -> Image.Image:
    """Return values of 0 … 1, row 0 lowest, in colour and enlarged."""
    grey = Image.fromarray(np.where(masked, 0.0, values)[::-1].astype(np.float32)).resize(
        size, Image.Resampling.BICUBIC
    )
    picture = (colours(np.clip(np.asarray(grey), 0, 1))[..., :3] * 255).round().astype(np.uint8)
    if masked.any():
        hidden = Image.fromarray(np.ascontiguousarray(masked[::-1])).resize(size, Image.Resampling.NEAREST)
        picture[np.asarray(hidden)] = _MASKED
    return Image.fromarray(picture)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Return the sans-serif font that comes with matplotlib."""
    return ImageFont.truetype(font_manager.findfont("DejaVu Sans"), size)
