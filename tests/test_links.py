"""Every relative link in the documents leads to a file, and every anchor to a heading of it, here and on the site.

Pages are parsed as the site parses them, by myst-parser, whose rule also makes the anchors: a link in code is none.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import jupytext
import pytest
from markdown_it.renderer import RendererHTML
from markdown_it.tree import SyntaxTreeNode
from myst_parser.config.main import MdParserConfig
from myst_parser.mdit_to_docutils.base import compute_unique_slug
from myst_parser.parsers.mdit import create_md_parser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DEPTH = int(re.findall(r"^myst_heading_anchors = (\d)", (DOCS / "conf.py").read_text(encoding="utf-8"), re.M)[0])
"""Headings of lower levels have no anchor on the site."""

ELSEWHERE = ast.literal_eval(
    re.findall(r"^ELSEWHERE = (.*?^})", (DOCS / "site_pages.py").read_text(encoding="utf-8"), re.M | re.S)[0]
)
"""Pages of the site that are files of another folder: path in the repository -> name of the page."""

PARSER = create_md_parser(MdParserConfig(enable_extensions={"dollarmath", "deflist", "colon_fence"}), RendererHTML)


def pages() -> list[Path]:
    """What people read: the pages of the site, those that it takes from elsewhere, and the README."""
    cards = (ROOT / "src" / "framecast" / "models" / "released").glob("*/CARD.md")
    notebooks = [*(DOCS / "gallery").glob("*.py"), ROOT / "examples" / "solar_prediction.py"]
    return sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *cards, ROOT / "benchmarks" / "README.md", *notebooks])


@cache
def tree(text: str) -> SyntaxTreeNode:
    return SyntaxTreeNode(PARSER.parse(text))


def nodes(text: str, kind: str) -> Iterator[SyntaxTreeNode]:
    return (node for node in tree(text).walk() if node.type == kind)


def markdown(path: Path) -> str:
    """The Markdown of a page or of a notebook as Python."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return text
    cells = jupytext.reads(text, fmt="py:percent").cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@cache
def anchors(path: Path) -> set[str]:
    """The anchors of a page with the files that the site inserts into it."""
    text = re.sub(r"^<!-- insert: (.+\.md) -->$", lambda found: markdown(ROOT / found[1]), markdown(path), flags=re.M)
    found: set[str] = set()
    for heading in nodes(text, "heading"):
        if int(heading.tag[1]) <= DEPTH:
            found.add(compute_unique_slug(heading, found))
    return found


def on_the_site(path: Path) -> Path:
    """The page of the site that shows a file of the repository."""
    page = ELSEWHERE.get(path.relative_to(ROOT).as_posix()) if path.is_relative_to(ROOT) else None
    return DOCS / f"{page}.md" if page else path


def broken(page: Path) -> list[str]:
    """The relative links of a page, pictures included, that lead nowhere."""
    text, found = markdown(page), []
    links = [node.attrs["href"] for node in nodes(text, "link")] + [node.attrs["src"] for node in nodes(text, "image")]
    for link in map(unquote, map(str, links)):
        target, _, anchor = link.partition("#")
        if re.match(r"\w+:", target):
            continue
        path = (page.parent / target).resolve() if target else page
        if not path.exists():
            found.append(f"{link}: there is no {target}")
        elif anchor and not all(anchor in anchors(each) for each in {path, on_the_site(path)}):
            found.append(f"{link}: {target or page.name} has no heading #{anchor}")
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    assert not broken(page)


def test_prose_is_wrapped():
    """Lines of at most 120 characters, but tables and addresses; the changes have lines of their own length."""
    for page in set(pages()) - {ROOT / "CHANGELOG.md"}:
        fenced = False
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            fenced ^= line.lstrip().startswith("```")
            free = fenced or line.startswith(("|", "    ")) or "://" in line
            assert free or len(line) <= 120, f"{page.relative_to(ROOT)}:{number}"


def test_the_documents_have_links_with_anchors():
    texts = [markdown(page) for page in pages()]
    assert sum("#" in str(link.attrs["href"]) for text in texts for link in nodes(text, "link")) > 40


def test_broken_links_are_found(tmp_path):
    (tmp_path / "there.md").write_text("# One `two`\n\n## Part\n\n## Part\n\n##### Too deep\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "# Here\n\n[a](there.md) [b](there.md#one-two) [c](there.md#part-1) [d](#here) [e](https://example.org/#x)\n"
        "[f](gone.md) [g](there.md#gone) [h](there.md#part-2) [i](#there) [j](there.md#too-deep) ![k](gone.png)\n"
        "`[l](gone.md)`\n\n    [m](gone.md)\n\n| [n](there.md#one) |\n|---|\n| [o](there.md#two) |\n",
        encoding="utf-8",
    )
    assert [found.partition(":")[0] for found in broken(page)] == [
        "gone.md",
        "there.md#gone",
        "there.md#part-2",
        "#there",
        "there.md#too-deep",
        "there.md#one",
        "there.md#two",
        "gone.png",
    ]
