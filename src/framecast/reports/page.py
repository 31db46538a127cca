"""Self-contained pages: no network, no fonts, no other files.

A `Page` is a list of sections; every page of the package is made from it and one template, which brings the style
sheet and the player for animations. It is readable on a phone, in dark mode, on paper, and without scripts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2

from framecast.core.options import format_duration
from framecast.reports.picture import Film, Picture
from framecast.reports.tables import Table
from framecast.verification.results import Scores

_FIRST = ("model", "weights_sha256", "archive", "split", "sampler", "steps", "seed", "members", "evaluated_with")
_WORDS = {
    "weights_sha256": "Checksum of the weights (SHA-256)",
    "framecast_version": "framecast version",
    "evaluated_with": "framecast version (evaluation)",
    "steps": "Network evaluations per member",
    "grid": "Diffusion times",
}
"""Labels of attributes whose names are not self-explanatory."""

_UNTOLD = ("format", "version", "unit", "command")


@dataclass(frozen=True)
class Origin:
    """Provenance of one forecast: its name and rows of labels and values."""

    name: str
    rows: list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page; its contents are shown in this order.

    Attributes:
        name: its anchor.
        title: its heading.
        text: paragraphs.
        table: a table.
        legend: sentences below the table.
        films: animations, each with a picture beside it.
        pictures: pictures side by side.
        wide: pictures across the page.
        folded: pictures that a reader may open, under the heading ``summary``.
        summary: what is folded.
        opened: whether they are shown from the start.
    """

    name: str
    title: str
    text: Sequence[str] = ()
    table: Table | None = None
    legend: Sequence[str] = ()
    films: Sequence[tuple[Film, Picture]] = ()
    pictures: Sequence[Picture] = ()
    wide: Sequence[Picture] = ()
    folded: Sequence[Picture] = ()
    summary: str = ""
    opened: bool = False


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole page.

    Attributes:
        title: its heading.
        introduction: what it is about, in a sentence or two.
        findings: the result in sentences, the first of them set off.
        notes: reservations about the result.
        sections: its parts.
        origins: provenance of its content.
        commands: the command lines that make it again.
        files: the files beside it, in a sentence.
    """

    title: str
    introduction: str = ""
    findings: Sequence[str] = ()
    notes: Sequence[str] = ()
    sections: Sequence[Section] = field(default_factory=list)
    origins: Sequence[Origin] = ()
    commands: Sequence[str] = ()
    files: str = ""


def render(page: Page) -> str:
    """Return the HTML of a page, without sections that show nothing; all text is escaped."""
    sections = [each for each in page.sections if each.table or each.films or each.pictures or each.wide or each.folded]
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framecast.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2").render(page=page, sections=sections)


def origins(scores: Scores) -> list[Origin]:
    """Return the provenance of each file: the most important first, then the others by name."""
    return [Origin(name, _rows(dict(attributes))) for name, attributes in scores.provenance.items()]


def commands(scores: Scores, last: str) -> list[str]:
    """Return the command lines that made the forecasts, and ``last``, which evaluated them."""
    known = [attributes.get("command") for attributes in scores.provenance.values()]
    return [text for text in (*dict.fromkeys(known), last) if text]


def title(name: str) -> str:
    """Return the name of an attribute in words: ``split_seed`` is ``Split seed``."""
    return _WORDS.get(name, name[:1].upper() + name[1:].replace("_", " "))


def _rows(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    for key in _UNTOLD:
        attributes.pop(key, None)
    if isinstance(attributes.get("cadence"), int | float):
        attributes["cadence"] = format_duration(attributes["cadence"])
    names = sorted(attributes, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), title(name)))
    return [(title(name), str(attributes[name])) for name in names if attributes[name] is not None]
