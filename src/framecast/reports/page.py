"""Self-contained pages: no network, no fonts, no other files.

A `Page` is a list of sections; every page of the package is made from it and one template, which brings the style
sheet and the player for animations. It is readable on a phone, in dark mode, on paper, and without scripts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import jinja2

from framecast.reports.picture import Film, Picture
from framecast.reports.provenance import Origin
from framecast.reports.tables import Table


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page; its contents are shown in this order.

    Attributes:
        name: its anchor.
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

    @property
    def empty(self) -> bool:
        """Whether there is nothing to show."""
        return not (self.table or self.films or self.pictures or self.wide or self.folded)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A whole page.

    Attributes:
        introduction: what it is about, in a sentence or two.
        findings: the result in sentences, the first of them set off.
        notes: reservations about the result.
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
    """Return the HTML of a page; all text is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("framecast.reports"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("page.html.j2").render(
        page=page, sections=[s for s in page.sections if not s.empty]
    )
