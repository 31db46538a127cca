"""The package is a house: a file imports only from its own floor and those below, and nothing goes in a circle.

The table is the architecture. A new file belongs into it before it can be merged; a name that ends in a slash stands
for all files of that folder.
"""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "framecast"

FLOORS: tuple[tuple[str, ...], ...] = (
    # The ground: what every file may use.
    ("_version", "core/"),
    # The mathematics, without a network; videos in physical units, without diffusion; scores of arrays.
    ("diffusion/", "videos/", "verification/scores/"),
    ("networks/", "data/"),
    ("importers/", "generators/", "verification/"),
    ("models/",),
    ("training/",),
    # The doors: pages, pictures and commands. They import what is heavy where they need it.
    ("reports/",),
    ("view/",),
    ("cli/", "__main__"),
    # What belongs to one kind of data: it may use everything, and nothing imports from it (see `core.domain`).
    ("domains/",),
    ("__init__",),
)

# Who may import from a domain although no domain: the names that users have as ``framecast.NAME``.
MAY_IMPORT_DOMAINS = ("__init__",)

# The commands are a face of the Python interface: they call it by its public names, ``import framecast as fc``.
CALL_THE_INTERFACE = ("cli/", "domains/solar/commands", "domains/corona/commands")

# Neighbours that must not know of each other, whatever the floor says: `folder` uses only these.
KNOWS_ONLY: dict[str, tuple[str, ...]] = {
    "core/": ("core/", "_version"),
    "verification/scores/": ("verification/scores/", "verification/recalibration/"),
    "diffusion/": ("diffusion/", "core/"),
    "videos/": ("videos/", "core/errors", "core/configuration", "core/options"),
    "networks/": ("networks/", "core/errors", "core/configuration"),
    "generators/": ("generators/", "diffusion/", "videos/", "core/"),
    "data/": ("data/", "_version", "core/", "videos/"),
    "importers/": ("importers/", "data/", "_version", "core/", "videos/"),
}


def covers(entry: str, module: str) -> bool:
    """Whether the table's ``entry`` stands for ``module``, written with slashes: ``data/archive``."""
    return module == entry or (entry.endswith("/") and f"{module}/".startswith(entry))


def floor_of(module: str) -> int:
    found = [
        (len(entry), number) for number, entries in enumerate(FLOORS) for entry in entries if covers(entry, module)
    ]
    if found:
        return max(found)[1]  # the entry that names it most closely
    raise AssertionError(f"src/framecast/{module}.py stands on no floor: add it to FLOORS in {Path(__file__).name}")


def modules() -> dict[str, Path]:
    """Every file of the package by its name with slashes; a folder's ``__init__`` bears the folder's name."""
    names = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        names["/".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return names


MODULES = modules()


def imports(path: Path, module: str) -> Iterator[tuple[str, int]]:
    """Yield ``(imported module, line)`` for every import of the package itself, also inside functions and branches."""
    folder = path.parent.relative_to(PACKAGE).parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ["framecast", *folder[: len(folder) - node.level + 1]] if node.level else []
            base += node.module.split(".") if node.module else []
            targets = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for top, *rest in targets:
            if top == "framecast":
                imported = resolve(rest)
                if imported != module:
                    yield imported, node.lineno


def resolve(parts: list[str]) -> str:
    """The file that ``framecast.<parts>`` is read from: the longest leading part that is a file."""
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in MODULES:
            return "/".join(parts[:length])
    return "__init__"


def test_the_walk_sees_the_package():
    assert {"core/errors", "core/files", "cli", "__init__"} <= set(MODULES)
    assert "core/errors" in [name for name, _ in imports(MODULES["core/files"], "core/files")]


def test_every_entry_of_the_table_is_a_file():
    entries = {entry for floor in FLOORS for entry in floor} | set(KNOWS_ONLY)
    stale = [entry for entry in entries if not any(covers(entry, module) for module in MODULES)]
    assert not stale, f"no such file any more: {stale}"


@pytest.mark.thorough
@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module):
    floor = floor_of(module)
    for imported, line in imports(MODULES[module], module):
        if imported == "__init__" and any(covers(entry, module) for entry in CALL_THE_INTERFACE):
            continue
        assert floor_of(imported) <= floor, f"{module}.py:{line} imports {imported}, which stands on a higher floor"
        for entry, known in KNOWS_ONLY.items():
            if covers(entry, module):
                assert any(covers(name, imported) for name in known), (
                    f"{module}.py:{line} imports {imported}; {entry} may know only {', '.join(known) or 'nothing'}"
                )


@pytest.mark.thorough
def test_nothing_outside_the_domains_imports_from_them():
    for module, path in MODULES.items():
        if not covers("domains/", module) and module not in MAY_IMPORT_DOMAINS:
            for imported, line in imports(path, module):
                assert not covers("domains/", imported), f"{module}.py:{line} imports {imported}: see core.domain"


def test_domains_do_not_import_each_others_insides():
    """A domain may use another's `Domain`, as the synthetic corona looks like the Sun, and nothing else of it."""
    for module, path in MODULES.items():
        if covers("domains/", module) and module.count("/") > 1:
            own = "/".join(module.split("/")[:2])
            for imported, line in imports(path, module):
                others = covers("domains/", imported) and not covers(f"{own}/", imported) and imported != "domains"
                assert not others or imported.endswith("/domain"), f"{module}.py:{line} imports {imported}"


@pytest.mark.thorough
def test_nothing_goes_in_a_circle():
    """Imports that run at start; an import within a function of the doors may look back up."""
    graph = {name: {imported for imported, _ in imports(path, name)} for name, path in MODULES.items()}
    graph["__init__"] = set()  # it only names things, and fetches them when asked for: see its __getattr__
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name in trail:
            circle = [*trail[trail.index(name) :], name]
            raise AssertionError("in a circle: " + " -> ".join(f"{a}" for a, _ in pairwise([*circle, ""])))
        if name not in done:
            for imported in sorted(graph[name]):
                visit(imported, (*trail, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_a_breach_is_seen(tmp_path, monkeypatch):
    """The rules above bite: an import upwards inside a function is found."""
    source = tmp_path / "files.py"
    source.write_text("def late():\n    from framecast.cli import console\n")
    monkeypatch.setitem(globals(), "PACKAGE", tmp_path)
    [(imported, line)] = imports(source, "core/files")
    assert line == 2
    assert floor_of(imported) > floor_of("core/files")
