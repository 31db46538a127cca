"""What the site adds to the pages as they are read: pages from elsewhere, links that leave this folder, and tables.

A page asks for an insertion with a comment on a line of its own, for instance ``<!-- insert: commands -->``.
"""

import dataclasses
import importlib.util
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import framecast as fc
from framecast.core.configuration import OneOf
from framecast.training.recipe import Recipe

HERE = Path(__file__).parent
ROOT = HERE.parent
GLOSSARY = re.compile(r"<!-- glossary -->\n(.*?)<!-- end of glossary -->", re.S)

# Files outside this folder that are pages of the site.
ELSEWHERE = {
    "benchmarks/README.md": "benchmarks",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "SECURITY.md": "security",
    "src/framecast/models/released/corona-synth/CARD.md": "cards/corona-synth",
    "src/framecast/models/released/corona-synth-one-shot/CARD.md": "cards/corona-synth-one-shot",
    "src/framecast/models/released/hmi-los/CARD.md": "cards/hmi-los",
    "src/framecast/models/released/hmi-los-rotation/CARD.md": "cards/hmi-los-rotation",
    "src/framecast/models/released/radar-rain/CARD.md": "cards/radar-rain",
    "src/framecast/models/released/sun-171/CARD.md": "cards/sun-171",
    "src/framecast/models/released/sun-171-one-shot/CARD.md": "cards/sun-171-one-shot",
    "docs/README.md": "index",
    "README.md": "index",
}
NEEDS_DATA = "FRAMECAST_DATA"
NEEDS_RADAR = "extras `radar`"


def connect(app: Any) -> None:
    """Let Sphinx pass every page through `read`."""
    _check_reference()
    app.connect("source-read", read)


def read(app: Any, page: str, source: list[str]) -> None:
    """Put in what a page asks for, and turn links out of this folder into links of the site."""
    text, folder = source[0], (HERE / page).parent
    if page.startswith("gallery/") and (missing := _missing(text)):
        text = text.replace("# %%\n", f"{_not_run(missing)}\n\n# %%\n", 1)
    text = re.sub(r"^<!-- insert: (.+) -->$", lambda found: _insertion(found[1], folder), text, flags=re.M)
    source[0] = _relink(text, folder, folder)


def not_executed() -> list[str]:
    """Return the examples of the gallery that need real observations, or packages, which are absent."""
    return [f"gallery/{path.name}" for path in (HERE / "gallery").glob("*.py") if _missing(path.read_text("utf-8"))]


def _missing(text: str) -> str:
    """Return what an example needs and is not here; empty if there is nothing."""
    if NEEDS_DATA in text and not os.environ.get(NEEDS_DATA):
        return f"the real observations that the example needs (`{NEEDS_DATA}` names their folder)"
    if NEEDS_RADAR in text and importlib.util.find_spec("pysteps") is None:
        return "pysteps, which the example needs (`pip install 'framecast[radar]'`)"
    return ""


def _not_run(missing: str) -> str:
    return f"# %% [markdown]\n# :::{{note}}\n# This page was built without {missing}, so its output is missing.\n# :::"


def _insertion(what: str, folder: Path) -> str:
    if what == "commands":
        return "\n".join(_commands())
    if what == "recipe":
        return "\n".join(_tables(Recipe, ""))
    if what == "glossary":
        found = GLOSSARY.search((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
        assert found, "CONTRIBUTING.md has no glossary between its two comments"
        return found[1]
    origin = ROOT / what
    return _relink(origin.read_text(encoding="utf-8"), origin.parent, folder)


def _relink(text: str, origin: Path, folder: Path) -> str:
    """Rewrite the relative links of a text from ``origin`` for a page in ``folder``."""

    def replaced(found: re.Match[str]) -> str:
        label, target, anchor = found["label"], found["target"], found["anchor"] or ""
        path = (origin / target).resolve()
        if "://" in target or target.startswith("mailto:") or not path.is_relative_to(ROOT):
            return found[0]
        inside = path.relative_to(ROOT).as_posix()
        if inside in ELSEWHERE:
            path = HERE / f"{ELSEWHERE[inside]}.md"
        elif path.is_dir():
            return label
        elif not path.is_relative_to(HERE) or (path.suffix == ".py" and path.parent.name != "gallery"):
            return f"{{download}}`{label.replace('`', '')} <{os.path.relpath(path, folder)}>`"
        return f"[{label}]({os.path.relpath(path, folder)}{anchor})"

    link = r"(?<!!)\[(?P<label>[^\[\]]*)\]\((?P<target>[^)#\s`]+)(?P<anchor>#[^)\s]*)?\)"
    return re.sub(link, replaced, text)


def _commands() -> Iterator[str]:
    """Yield a section for each command, with its help as the terminal shows it."""
    import typer

    from framecast.cli import app

    os.environ["COLUMNS"] = "100"
    yield from _command(typer.main.get_command(app), "framecast", None)


def _command(command: Any, name: str, parent: Any) -> Iterator[str]:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield f"## {name}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    for word, each in sorted(getattr(command, "commands", {}).items()):
        yield from (part.replace(f"## {word}", f"## {name} {word}", 1) for part in _command(each, word, context))


def _tables(group: type, prefix: str) -> Iterator[str]:
    """Yield the settings of a dataclass as a table, then those of the dataclasses within it."""
    hints, helps = get_type_hints(group, include_extras=True), _documented(group)
    yield "| setting | default | |\n|---|---|---|"
    inner = []
    for field in dataclasses.fields(group):
        if field.name == "kind":
            continue
        kinds = _kinds(hints[field.name])
        if kinds:
            inner.append((field.name, kinds))
        yield f"| `{prefix}{field.name}` | {_default(field)} | {helps.get(field.name, '')} |"
    yield ""
    for name, kinds in inner:
        for kind in kinds:
            own = getattr(kind, "kind", "")
            title = f"{prefix}{name}" + (f": kind {own}" if own else "")
            summary = (inspect.getdoc(kind) or "").partition("\n\n")[0]
            yield f"{'###' if prefix else '##'} {title}\n\n{_markdown(summary)}\n"
            if [field for field in dataclasses.fields(kind) if field.name != "kind"]:
                yield from _tables(kind, f"{prefix}{name}.")


def _kinds(hint: Any) -> tuple[type, ...]:
    """Return the dataclasses that a setting may be."""
    if dataclasses.is_dataclass(hint):
        return (hint,)
    if get_origin(hint) is Annotated:
        return tuple(kind for mark in get_args(hint)[1:] if isinstance(mark, OneOf) for kind in mark.known)
    return tuple(kind for each in get_args(hint) for kind in _kinds(each))


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return "" if field.default_factory is not dataclasses.MISSING else "required"
    if dataclasses.is_dataclass(field.default):
        return f"`{getattr(field.default, 'kind', '')}`"
    words = {None: "null", True: "true", False: "false"}
    plain = words[field.default] if isinstance(field.default, bool | None) else field.default
    return f"`{plain}`"


def _documented(group: type) -> dict[str, str]:
    _, _, attributes = (inspect.getdoc(group) or "").partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", attributes, flags=re.M)
    return {name: _markdown(text).replace("`None`", "`null`") for name, text in entries}


def _markdown(text: str) -> str:
    return " ".join(text.split()).replace("``", "`").replace("|", r"\|")


def _check_reference() -> None:
    """Refuse a reference that lacks a public name."""
    page = (HERE / "reference" / "python.md").read_text(encoding="utf-8")
    missing = [name for name in fc.__all__ if not name.startswith("_") and f"framecast.{name}" not in page]
    if missing:
        raise SystemExit(f"docs/reference/python.md lacks public names: {', '.join(missing)}")
