"""What a result was made with: versions, commit and machine, so that it can be reproduced."""

import hashlib
import platform
import re
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from framecast._version import __version__
from framecast.core.errors import DataError
from framecast.core.reading import read_text

_MOST_BYTES = 4096
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REFERENCE = re.compile(r"refs/[\w./-]+")


def describe_environment() -> dict[str, Any]:
    """Return versions of Python, framecast and what it needs, the code and commits in use, and the kind of machine."""
    return {
        "framecast": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "framecast_source_sha256": source_checksum(),
        "framecast_commit": commit(Path(__file__).parent),
        "commit": commit(Path.cwd()),
    }


@cache
def versions() -> dict[str, str]:
    """Return the installed version of every package that framecast names, by name."""
    try:
        named = {re.split(r"[^\w.-]", requirement)[0] for requirement in metadata.requires("framecast") or ()}
    except metadata.PackageNotFoundError:  # a source tree that is not installed
        named = {"torch", "numpy", "zarr", "xarray"}
    found = {}
    for name in sorted(named - {"framecast"}):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit(folder: Path) -> str | None:
    """Return the commit that is checked out in the repository that ``folder`` is in; ``None`` outside a repository.

    It is read from the repository's own files. The command ``git`` is not run: it runs programs that the configuration
    of a repository names, and a folder of data that came from elsewhere may be a repository. Whether files were changed
    since the commit is therefore not known (`source_checksum` is, for framecast itself).
    """
    for parent in (folder.absolute(), *folder.absolute().parents):
        with suppress(OSError, DataError, ValueError):
            return _head(parent / ".git")
    return None


@cache
def source_checksum() -> str:
    """Return a SHA-256 of all Python files of this package: two equal ones mean that the same code ran."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(package).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _head(git: Path) -> str:
    """Return the commit of the repository whose ``.git`` is given: a folder, or a file that names the folder."""
    if git.is_file():
        named = read_text(git, most=_MOST_BYTES).strip().removeprefix("gitdir: ")
        if named.startswith(("//", "\\\\")):  # another machine on Windows
            raise DataError(f"{git} names another machine")
        git = git.parent / named
    head = read_text(git / "HEAD", most=_MOST_BYTES).strip()
    if not head.startswith("ref: "):
        return _commit(head)
    name = head.removeprefix("ref: ")
    if not _REFERENCE.fullmatch(name) or ".." in name:
        raise DataError(f"{git / 'HEAD'} names no branch")
    common = git
    if (git / "commondir").is_file():  # of a second working tree
        common = git / read_text(git / "commondir", most=_MOST_BYTES).strip()
    if (common / name).is_file():
        return _commit(read_text(common / name, most=_MOST_BYTES).strip())
    packed = read_text(common / "packed-refs").splitlines()
    return _commit(next((line.split()[0] for line in packed if line.endswith(f" {name}")), ""))


def _commit(text: str) -> str:
    if not _COMMIT.fullmatch(text):
        raise DataError("not a commit")
    return text
