"""Stages of a job that are done once: a killed job goes on where it was, a changed request redoes what it must.

A stage is known by its fingerprint, which covers everything its result depends on, and by its outputs, which are
whole or absent. It is repeated when either has changed.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from framecast.core.errors import FramecastError
from framecast.core.files import write_atomically
from framecast.core.stored import Format

FILE_NAME = "stages.json"
FORMAT = Format("framecast-prediction", 1, "prediction", "delete it, and every stage is done again")
IMAGES = "images"
"""The folder within, of images."""


@dataclass(frozen=True, kw_only=True)
class _Record:
    done: dict[str, str]


def downloads(folder: Path) -> int:
    """Return how many images in ``folder`` were downloaded; those that are links to files elsewhere were not."""
    return sum(path.is_file() and not path.is_symlink() for path in folder.rglob("*.*") if path.suffix != ".json")


class Stages(AbstractContextManager["Stages"]):
    """The stages that were finished in a folder.

    Left by an error of the user's, a folder that was made here goes again, unless something in it was downloaded.

    Attributes:
        folder: where everything is made.
        made: name of each stage asked for so far -> whether it was done now, or had been before.
    """

    def __init__(self, folder: Path) -> None:
        """Read what was done in ``folder``, which is made if it is not there."""
        self.folder = folder
        self.made: dict[str, bool] = {}
        self._new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._done = dict(FORMAT.read(folder / FILE_NAME, _Record).done)
        except FileNotFoundError:
            self._done = {}
            self._write()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._new and isinstance(error, FramecastError) and not downloads(self.folder / IMAGES):
            shutil.rmtree(self.folder)

    def once(self, name: str, mark: str, outputs: Sequence[Path], work: Callable[[], object]) -> bool:
        """Do ``work`` unless stage ``name`` was finished with the fingerprint ``mark`` and its ``outputs`` are there.

        Returns:
            Whether it was done now.
        """
        self.made[name] = self._done.get(name) != mark or not all(path.exists() for path in outputs)
        if self.made[name]:
            self.forget(name)
            work()
            self._done[name] = mark
            self._write()
        return self.made[name]

    def forget(self, name: str) -> None:
        """Let stage ``name`` be done again the next time."""
        self._done.pop(name, None)
        self._write()

    def _write(self) -> None:
        text = json.dumps({**FORMAT.header(), "done": self._done}, indent=1)
        write_atomically(self.folder / FILE_NAME, text + "\n")
