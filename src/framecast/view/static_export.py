"""Chosen windows as a folder that opens from disk, without a server: the same pages, and the data as scripts.

A browser lets a page from disk load scripts and pictures of its own folder, and nothing else. So the modules become one
script, and each window a script that hands over its videos.
"""

import base64
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from importlib.resources import as_file
from pathlib import Path
from typing import Any

from framecast.core.errors import ConfigError
from framecast.core.files import VIEW, new_folder
from framecast.verification.samples import Sample
from framecast.view.answers import quantities, series, window_scores
from framecast.view.app import PAGES, described, thumbnail
from framecast.view.library import COLUMNS, ForecastFile, Library
from framecast.view.videos import encode, show

MOST_WINDOWS = 200
_MODULES = (
    "dom",
    "numbers",
    "colour",
    "source",
    "static",
    "charts",
    "panel",
    "picture",
    "window",
    "verify",
    "zip",
    "live",
    "browse",
    "app",
)
"""In the order in which they need each other."""

_FURTHER = ("mean", "spread", "quantile-0.05", "quantile-0.5", "quantile-0.95", "persistence")
_POLICY = (
    "default-src 'none'; script-src 'self' file:; style-src 'self' file:; img-src 'self' file: blob: data:; "
    "base-uri 'none'"
)


def chosen_windows(text: str | None, count: int) -> list[int]:
    """Return the windows that ``text`` names, such as ``0,3,8-11``; at most twelve evenly spaced ones by default.

    Raises:
        ConfigError: it is something else, or there are no such windows.
    """
    if text is None:
        few = min(count, 12)
        return sorted({k * count // few for k in range(few)})
    chosen: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,9}))?\s*", part)
        if found is None:
            raise ConfigError(f"--windows is {text!r}; give numbers and ranges, such as 0,3,8-11")
        first, last = int(found[1]), int(found[2] or found[1])
        if not first <= last < count:
            raise ConfigError(f"--windows is {text!r}, and there are the windows 0 to {count - 1}")
        chosen.update(range(first, last + 1))
    if len(chosen) > MOST_WINDOWS:
        raise ConfigError(f"--windows names {len(chosen)} windows; at most {MOST_WINDOWS} are exported")
    return sorted(chosen)


def export(library: Library, out: Path, *, windows: str | None = None, overwrite: bool = False) -> Path:
    """Write windows of all files of ``library`` into the folder ``out``, and return the path of the page.

    ``windows`` says which ones of each file, see `chosen_windows`.

    Raises:
        ConfigError: there are no such windows.
        FramecastError: ``out`` exists.
    """
    numbers = {file.key: chosen_windows(windows, file.windows) for file in library.files}
    with new_folder(out, overwrite=overwrite, kind=VIEW) as folder:
        with as_file(PAGES) as pages:
            shutil.copytree(pages, folder / "pages", ignore=shutil.ignore_patterns("*.html"))
            for module in _MODULES:
                (folder / "pages" / f"{module}.js").unlink()
            (folder / "pages" / "all.js").write_text("\n".join(_joined(pages)), encoding="utf-8")
            (folder / "index.html").write_text(_page((pages / "index.html").read_text("utf-8")), encoding="utf-8")
        (folder / "data").mkdir()
        about = described(library) | {"live": False}
        about["files"] = [entry | {"windows": len(numbers[entry["key"]])} for entry in about["files"]]
        found: dict[str, Any] = {"library": about, "windows": {}, "positions": {}, "scores": {}}
        for file in library.files:
            own = numbers[file.key]
            found["windows"][file.key] = _selected(file.table, own)
            found["positions"][file.key] = file.positions()
            found["scores"][file.key] = _write_windows(library, file, own, folder / "data" / file.key)
        (folder / "data" / "library.js").write_text(_script("library", found), encoding="utf-8")
    return out / "index.html"


def _page(html: str) -> str:
    """Return the page with scripts instead of modules, and a policy of its own."""
    html = html.replace(
        '<meta charset="utf-8" />',
        f'<meta charset="utf-8" />\n<meta http-equiv="content-security-policy" content="{_POLICY}">',
    )
    module = '<script type="module" src="pages/app.js"></script>'
    assert module in html
    return html.replace(
        module, '<script src="data/library.js" defer></script>\n<script src="pages/all.js" defer></script>'
    )


def _joined(pages: Path) -> Iterator[str]:
    """Yield the modules as functions of one script, which hand over what they export."""
    yield '"use strict";\nconst modules = {};\nglobalThis.FRAMECAST ??= {};'
    for name in _MODULES:
        text = (pages / f"{name}.js").read_text(encoding="utf-8")
        imported = r'^import \{([^}]+)\} from "\./(\w+)\.js";$'
        text = re.sub(imported, r"const {\1} = modules.\2;", text, flags=re.MULTILINE)
        exported = re.findall(r"^export (?:async )?(?:function|class|const) (\w+)", text, flags=re.MULTILINE)
        text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
        yield f"modules.{name} = (() => {{\n{text}\nreturn {{ {', '.join(exported)} }};\n}})();"


def _selected(table: dict[str, Any], numbers: Sequence[int]) -> dict[str, Any]:
    count = len(table["sequence"])
    columns = ("sequence", "issue", "seconds", "label")
    return {
        name: [values[k] for k in numbers] if name in columns and len(values) == count else values
        for name, values in table.items()
    }


def _write_windows(library: Library, file: ForecastFile, numbers: Sequence[int], folder: Path) -> list[dict[str, Any]]:
    """Write the windows of a file; return their scores as columns for each channel."""
    folder.mkdir()
    columns: list[dict[str, list[Any]]] = [{name: [] for name in COLUMNS} for _ in file.channels]
    for place, number in enumerate(numbers):
        sample = library.read(file, number)
        scores = window_scores(sample)
        for channel, own in enumerate(columns):
            for name in COLUMNS:
                own[name].append(scores["total"][name][channel])
            (folder / f"{place}-{channel}.webp").write_bytes(thumbnail(sample, channel, file.colours))
            content = {
                "videos": _videos(sample, channel),
                "scores": scores,
                "series": series(sample, channel, None),
                "quantities": quantities(sample, channel, None),
                "weights": None if sample.weights is None else sample.weights[:, 0].tolist(),
                "past": len(sample.past_times),
            }
            script = _script(f"{file.key}/{place}-{channel}", content)
            (folder / f"{place}-{channel}.js").write_text(script, encoding="utf-8")
    return [{"done": len(numbers), "total": len(numbers), "fault": "", "columns": own} for own in columns]


def _videos(sample: Sample, channel: int) -> dict[str, str]:
    members = len(sample.members)
    names = ["truth", "persistence", *(f"member-{k + 1}" for k in range(members)), *(_FURTHER if members > 1 else ())]
    best = "mean" if members > 1 else "member-1"
    names += [f"{best}~truth", f"{best}~persistence", "truth~persistence"]
    return {
        name: base64.b64encode(encode(show(sample, channel, *name.split("~")))).decode()
        for name in dict.fromkeys(names)
    }


def _script(name: str, content: Any) -> str:
    return f"(globalThis.FRAMECAST ??= {{}})[{json.dumps(name)}] = {json.dumps(content)};\n"
