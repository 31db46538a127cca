"""Stages of a job that are done once: a killed job goes on where it was, a changed request redoes what it must.

A stage is known by its fingerprint, which covers everything its result depends on, and by its outputs, which are
whole or absent. It is repeated when either has changed.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from framecast.files import write_atomically

FILE_NAME = "stages.json"
FORMAT = "framecast-prediction"


def fingerprint(*parts: Any) -> str:
    """Return a digest of ``parts``, JSON values or what has a text of its own."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


class Stages:
    """The stages that were finished in a folder."""

    def __init__(self, folder: Path) -> None:
        """Read what was done in ``folder``, which is made if it is not there."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._done: dict[str, str] = dict(json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))["done"])
        except (OSError, ValueError, TypeError, KeyError):
            self._done = {}
            self._write()

    def once(self, name: str, mark: str, outputs: Sequence[Path], work: Callable[[], object]) -> bool:
        """Do ``work`` unless stage ``name`` was finished with the fingerprint ``mark`` and its ``outputs`` are there.

        Returns:
            Whether it was done now.
        """
        if self._done.get(name) == mark and all(path.exists() for path in outputs):
            return False
        self._done.pop(name, None)
        self._write()
        work()
        self._done[name] = mark
        self._write()
        return True

    def forget(self, name: str) -> None:
        """Let stage ``name`` be done again the next time."""
        self._done.pop(name, None)
        self._write()

    def _write(self) -> None:
        text = json.dumps({"format": FORMAT, "version": 1, "done": self._done}, indent=1)
        write_atomically(self.folder / FILE_NAME, text + "\n")
