"""What framecast reads back of its own: one header for every format, and one typed reader.

Every document of framecast's (JSON files, attributes of Zarr folders) begins with the name and the version of its
format. Whatever is wrong with one (cut short, edited by hand, of another kind, of a newer version) is told on one line
with the file, the place in it and the rule.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from framecast.core.configuration import from_plain
from framecast.core.errors import ConfigError, DataError
from framecast.core.reading import read_json

T = TypeVar("T")


class NewerVersionError(DataError):
    """A file is sound, and written by a newer framecast."""


@dataclass(frozen=True)
class DocumentFormat:
    """A kind of document.

    Attributes:
        name: the value of its key ``format``.
        version: the newest one that this framecast reads, and the one it writes.
        what: what a person calls such a document, for messages.
        remedy: what to do about a damaged one.
    """

    name: str
    version: int
    what: str
    remedy: str = "restore the file"

    def header(self) -> dict[str, Any]:
        """Return the keys with which a document of this format begins."""
        return {"format": self.name, "version": self.version}

    def check(self, plain: object, where: str) -> dict[str, Any]:
        """Return the document ``plain`` if its header is one of this format; ``where`` is its file, for messages.

        Raises:
            NewerVersionError: a newer framecast wrote it.
            DataError: it is not a mapping, of another format, or without a version.
        """
        if not isinstance(plain, dict):
            raise DataError(f"{where} is not a {self.what}: it contains {type(plain).__name__}, not an object")
        if plain.get("format") != self.name:
            found = f"its format is {plain['format']!r}" if "format" in plain else "it has no key 'format'"
            raise DataError(f"{where} is not a {self.what} ({found}, not {self.name!r})")
        version = plain.get("version")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise DataError(
                f"{where} has format version {version!r}; it must be a whole number from 1 to {self.version}: "
                f"{self.remedy}"
            )
        if version > self.version:
            raise NewerVersionError(
                f"{where} has format version {version}, and this framecast reads up to {self.version}: "
                "pip install --upgrade framecast"
            )
        return plain

    def read(self, path: Path, kind: type[T]) -> T:
        """Return the document in the JSON file at ``path`` as the dataclass ``kind``; see `typed`.

        Raises:
            NewerVersionError: a newer framecast wrote it.
            DataError: it cannot be read, or is not of this format.
            FileNotFoundError: there is none.
        """
        return typed(kind, self.check(read_json(path), str(path)), where=str(path), remedy=self.remedy)


def typed(kind: type[T], plain: object, *, where: str, remedy: str = "restore the file") -> T:
    """Return what ``plain``, read from the file ``where``, says, as the dataclass ``kind``; other keys do not matter.

    Raises:
        DataError: keys are missing, or values of a wrong type or out of range; all of them in one line.
    """
    try:
        return from_plain(kind, plain, where=where, others="ignore")
    except ConfigError as error:
        raise DataError(f"{error}: {remedy}") from None
