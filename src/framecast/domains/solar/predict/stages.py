"""Stages of a resumable job: a killed job resumes, and a changed request repeats only the stages that depend on it."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from framecast.core.errors import FramecastError
from framecast.core.files import held, write_atomically
from framecast.core.stored import DocumentFormat

FILE_NAME = "stages.json"
FORMAT = DocumentFormat("framecast-prediction", 1, "prediction", "delete it, and every stage is done again")


@dataclass(frozen=True, kw_only=True)
class _Record:
    done: dict[str, str]


class Stages:
    """The stages that were finished in a folder.

    A stage is known by its fingerprint, which covers everything its result depends on, and by its output, which is
    atomic. It is repeated when either has changed.

    Attributes:
        made: name of each stage asked for so far -> whether it was done now, or had been before.
    """

    def __init__(self, folder: Path) -> None:
        self.made: dict[str, bool] = {}
        self._path = folder / FILE_NAME
        try:
            self._done = dict(FORMAT.read(self._path, _Record).done)
        except FileNotFoundError:
            self._done = {}
            self._write()

    def changed(self, name: str, mark: str, output: Path) -> bool:
        """Return whether stage ``name`` was finished with another fingerprint, and its ``output`` is there."""
        return output.exists() and self._done.get(name) != mark

    def once(self, name: str, mark: str, output: Path, work: Callable[[], object]) -> None:
        """Run ``work`` unless stage ``name`` was finished with the fingerprint ``mark`` and its ``output`` is there."""
        self.made[name] = self._done.get(name) != mark or not output.exists()
        if self.made[name]:
            self.forget(name)
            work()
            self._done[name] = mark
            self._write()

    def forget(self, name: str) -> None:
        """Let stage ``name`` be done again the next time."""
        self._done.pop(name, None)
        self._write()

    def _write(self) -> None:
        write_atomically(self._path, json.dumps({**FORMAT.header(), "done": self._done}, indent=1) + "\n")


@contextmanager
def begun(folder: Path, images: Path) -> Iterator[None]:
    """Hold ``folder``, made if it is missing.

    A new one is deleted if an error of the user's ends the block, unless ``images`` were downloaded.
    """
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, doing=f"predicting in {folder}"):
        try:
            yield
        except FramecastError:
            files = (path for path in images.rglob("*.*") if path.suffix != ".json")
            if new and not any(path.is_file() and not path.is_symlink() for path in files):
                shutil.rmtree(folder, ignore_errors=True)
            raise
