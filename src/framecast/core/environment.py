"""What a result was made with: versions, commit and machine, so that it can be made again."""

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from framecast._version import __version__


def describe_environment() -> dict[str, Any]:
    """Return versions of Python, framecast and what it needs, the commits they stand at, and the kind of machine."""
    return {
        "framecast": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": versions(),
        "framecast_commit": commit(Path(__file__).parent),
        "commit": commit(Path.cwd()),
    }


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
    """Return the commit of the repository that ``folder`` is in, ``+`` at its end if files were changed since.

    ``None`` outside a repository or without git.
    """
    head = _git(folder, "rev-parse", "HEAD")
    if not head:
        return None
    return head + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
