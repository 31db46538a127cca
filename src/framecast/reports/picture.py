"""Pictures on a page, with captions and alternative texts."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure
from PIL import Image

from framecast.reports.film import animate, encoded_frames, when
from framecast.reports.panels import Panels
from framecast.reports.style import take_literally

_MIME = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


@dataclass(frozen=True)
class Picture:
    """A still picture.

    Attributes:
        source: the picture itself, as a data URL.
        title: text above it.
        caption: text below it.
        alt: alternative text.
        drawn: whether it is lines on white, which a dark page may invert; photographs must keep their colours.
    """

    source: str
    title: str
    caption: str
    alt: str
    drawn: bool = True


@dataclass(frozen=True)
class Frame:
    """One picture of a film: itself as a data URL, when it is, and what it shows in words."""

    source: str
    when: str
    alt: str


@dataclass(frozen=True)
class Film:
    """A film that a reader can stop and move through.

    Attributes:
        frames: its pictures.
        issued: number of the last frame seen.
        caption: text below it.
    """

    frames: list[Frame]
    issued: int
    caption: str


def save_figure(
    figure: Figure, stem: Path, *, title: str = "", caption: str = "", alt: str, drawn: bool = True
) -> Picture:
    """Save ``figure`` as PNG and SVG; the page shows the SVG, which is sharp at any size and small."""
    take_literally(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is computed only once
    figure.savefig(stem.with_name(f"{stem.name}.png"), dpi=160)
    path = stem.with_name(f"{stem.name}.svg")
    with matplotlib.rc_context({"svg.hashsalt": "framecast"}):
        figure.savefig(path, metadata={"Date": None})
    return Picture(data_url(path.read_bytes(), ".svg"), title, caption, alt, drawn)


def save_photograph(picture: Image.Image, stem: Path, *, title: str = "", caption: str = "", alt: str) -> Picture:
    """Save ``picture`` as PNG; the page shows it as WebP, which is many times smaller."""
    picture.save(stem.with_name(f"{stem.name}.png"))
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=84, method=4)
    return Picture(data_url(buffer.getvalue(), ".webp"), title, caption, alt, drawn=False)


def save_film(panels: Panels, file: Path, *, caption: str, alt: str, budget: int, also: Sequence[str] = ()) -> Film:
    """Save an animation as ``file``, and return it frame by frame for a page, in about ``budget`` bytes.

    ``also`` are endings of further files beside it, such as ``.mp4``.
    """
    animate(panels, file, *(file.with_suffix(ending) for ending in also))
    frames = []
    for k, content in enumerate(encoded_frames(panels, budget=budget)):
        moment = when(panels, k)
        frames.append(Frame(data_url(content, ".webp"), moment, f"{alt}, {moment}"))
    return Film(frames, panels.issued, caption)


def data_url(content: bytes, suffix: str) -> str:
    """Return a file's content as a URL that needs no network."""
    return f"data:{_MIME[suffix]};base64,{base64.b64encode(content).decode()}"
