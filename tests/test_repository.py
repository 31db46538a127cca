"""The repository as a whole: what the papers promise exists, and nothing of a machine has leaked into it."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import framecast
from framecast.cli import app

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


BINARY = (".png", ".gif", ".webp", ".jpg", ".fits", ".jp2", ".mp4", ".npz", ".safetensors", ".xz")


def tracked_files(*, but: tuple[str, ...] = BINARY) -> list[Path]:
    """The files under version control, but those of some suffixes: by default the text files."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("this is no git checkout")
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file() and path.suffix not in but]


def code(path: Path) -> str:
    """The lines of a document that are code: fenced or indented in Markdown, all of them elsewhere."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".md":
        return text
    lines, fenced = [], False
    for line in text.splitlines():
        fence = line.startswith("```")
        fenced ^= fence
        if (fenced and not fence) or line.startswith("    "):
            lines.append(line)
    return "\n".join(lines)


def command_lines(path: Path) -> list[list[str]]:
    """The ``framecast …`` calls in a document, as words; lines that end in a backslash are joined."""
    joined = code(path).replace("\\\n", " ")
    calls = re.findall(r"^\s*(?:\$ )?framecast ([a-z].*)$", joined, re.MULTILINE)
    return [call.partition(" #")[0].split() for call in calls]


def documents() -> list[Path]:
    examples = (path for path in (ROOT / "examples").glob("*") if path.is_file())  # not what Python keeps beside them
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted(examples)]


@pytest.mark.thorough
@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_documented_commands_and_options_exist(path):
    for words in command_lines(path):
        command = typer.main.get_command(app)
        rest = words
        while hasattr(command, "commands"):
            assert rest[0] in command.commands, f"{path.name}: there is no command framecast {' '.join(words)}"
            command, rest = command.commands[rest[0]], rest[1:]
        known = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")} - {"--help"}
        assert given <= known, f"{path.name}: framecast {' '.join(words)}: no such option: {sorted(given - known)}"


def test_the_readme_shows_commands():
    assert len(command_lines(ROOT / "README.md")) >= 5


def test_python_in_the_documents_uses_what_exists():
    """Every ``fc.name`` in a document is an attribute of the package."""
    for path in documents():
        for name in re.findall(r"\bfc\.([A-Za-z_]+)", path.read_text(encoding="utf-8")):
            assert hasattr(framecast, name), f"{path.name} uses fc.{name}"


def test_every_public_name_is_there():
    for name in framecast.__all__:
        assert getattr(framecast, name) is not None
    assert set(framecast.__all__) == set(dir(framecast))
    with pytest.raises(AttributeError, match="no attribute 'forcast'"):
        framecast.forcast  # noqa: B018


def test_a_type_checker_knows_the_lazy_names():
    """What is imported lazily is imported for type checkers too, under the same names."""
    tree = ast.parse(Path(framecast.__file__).read_text(encoding="utf-8"))
    branch = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.asname or alias.name for node in branch.body for alias in getattr(node, "names", [])}
    assert seen == {*framecast._HOME, *framecast._MODULES}


def test_the_version_stands_in_one_place():
    assert "version" in PROJECT["dynamic"]
    assert "version" not in PROJECT
    assert not re.search(r"^version:", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    holders = [
        path.name
        for path in (ROOT / "src").rglob("*.py")
        if re.search(rf"[\"']{re.escape(framecast.__version__)}[\"']", path.read_text(encoding="utf-8"))
    ]
    assert holders == ["_version.py"]


def requirement_names(lines: list[str]) -> set[str]:
    return {
        re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", line, maxsplit=1)[0]).lower()
        for line in lines
        if line and not line.startswith("#")
    }


def test_constraints_pin_all_that_is_declared():
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in pinned if line and not line.startswith("#"))
    extras = PROJECT["optional-dependencies"].values()
    declared = requirement_names([*PROJECT["dependencies"], *(name for extra in extras for name in extra)])
    assert declared - {"framecast"} <= requirement_names(pinned)
    versions = {canonicalize_name(name): found for name, _, found in (line.partition("==") for line in pinned)}
    for wanted in map(Requirement, PROJECT["dependencies"]):
        assert wanted.specifier.contains(versions[canonicalize_name(wanted.name)]), wanted


def test_every_extra_is_described():
    """Those for work on the package itself are not for its users."""
    described = (ROOT / "docs/installation.md").read_text(encoding="utf-8")
    extras = set(PROJECT["optional-dependencies"]) - {"test", "docs", "quality", "dev"}
    assert {name for name in extras if f"`{name}`" not in described} == set()


def test_what_breaks_the_environment_is_not_asked_for():
    for name in ("pyproject.toml", "constraints.txt"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "torchvision" not in text
        assert "torchaudio" not in text


def test_nothing_of_a_machine_has_leaked():
    """No absolute path of anyone's disk and no package host; they would be wrong everywhere else."""
    folders = "|".join(["home", "root", "work", "tmp", "Users", "opt"])
    leak = re.compile(
        rf"(?<![\w.~$}}>)/-])/(?:{folders})/[\w.]|" + r"https?://(?:[\w-]+\.)*(?:py" + r"pi|pythonhosted)\."
    )
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()[:100]}"
        for path in tracked_files()
        for line in path.read_text(encoding="utf-8").splitlines()
        if leak.search(line)
    ]
    assert not found
    assert leak.search("see " + "/ho" + "me/someone/x")


def test_files_are_small():
    """Released models of a few megabytes are the largest files; videos and other weights do not belong here."""
    sizes = {path: path.stat().st_size for path in tracked_files(but=())}
    most = {".safetensors": 7_000_000}
    assert not [path.name for path, size in sizes.items() if size > most.get(path.suffix, 700_000)]
    assert sum(sizes.values()) < 42_000_000
