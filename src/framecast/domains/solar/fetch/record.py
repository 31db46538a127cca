"""What a folder of fetched images holds, and what it lacks and why: ``fetch.json`` beside the images.

The record says nothing of when or in how many attempts something came: the same images make the same record.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from framecast.core.files import write_atomically
from framecast.core.stored import Format

FILE_NAME = "fetch.json"
FORMAT = Format("framecast-fetch", 1, "record of a fetch", "delete it, and the images beside it are checked again")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One image that was asked for.

    Attributes:
        time: when, UTC, ISO 8601.
        wavelength: in ångström.
        path: where it is or would be, below the folder.
        url: where it came from.
        bytes: size of the file; 0 if it is missing.
        sha256: checksum of the file.
        observed: DATE-OBS of its header.
        missing: why it is not there; empty if it is.
    """

    time: str
    wavelength: int
    path: str
    url: str
    bytes: int = 0
    sha256: str = ""
    observed: str = ""
    missing: str = ""


@dataclass(frozen=True, kw_only=True)
class _Record:
    frames: tuple[Frame, ...]


def read_record(folder: Path) -> dict[str, Frame]:
    """Return the frames recorded in ``folder`` by path; none if there is no record.

    Raises:
        DataError: it is damaged, or of a newer version.
    """
    try:
        return {frame.path: frame for frame in FORMAT.read(folder / FILE_NAME, _Record).frames}
    except FileNotFoundError:
        return {}


def write_record(folder: Path, frames: Mapping[str, Frame]) -> None:
    """Write the record of ``frames``, in order of time and wavelength, into ``folder``."""
    ordered = sorted(frames.values(), key=lambda frame: (frame.time, frame.wavelength, frame.path))
    entries = [{name: value for name, value in asdict(frame).items() if value not in ("", 0)} for frame in ordered]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    head = json.dumps(FORMAT.header())[1:-1]
    write_atomically(folder / FILE_NAME, f'{{{head}, "frames": [\n{lines}\n]}}\n')
