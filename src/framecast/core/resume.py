"""The resume record: what an interrupted job has completed, and whether another command continues the same job.

It is a hidden file beside the job's output, with one JSON document per line. The first line says which job it is; a
further line is added when a part of the result is on disk, so that whatever the moment of the interruption, what the
record says is there. A truncated line is ignored.

A job is continued if its options are the same *and* so is everything it reads. With the same options and changed data
it would mix two results, so it is refused.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from framecast.core.configuration import from_plain
from framecast.core.errors import DataError, FramecastError
from framecast.core.stored import DocumentFormat, NewerVersionError

RESUME = DocumentFormat("framecast-resume", 1, "resume record")


@dataclass(frozen=True, kw_only=True)
class ResumableJob:
    """The job.

    Attributes:
        kind: of output: ``archive``, ``forecast``.
        options: digest of all options (`framecast.core.fingerprint.digest`).
        inputs: name of what is read (``archive``, ``model``) -> its fingerprint.
    """

    kind: str
    options: str
    inputs: Mapping[str, str] = field(default_factory=dict)


class ResumeRecord:
    """The record of one output, whose hidden folder this process holds (`framecast.core.files.building`).

    Args:
        output: final name of what is made.
        job: what is made.
        restart: whether to start over where the job was begun with other data.

    Attributes:
        entries: what an interrupted process completed, in order; empty if it did another job.
        resumed: whether this job continues what an interrupted process began.

    Raises:
        DataError: the same job was started with different data.
        NewerVersionError: a newer framecast began it.
    """

    def __init__(self, output: Path, job: ResumableJob, *, restart: bool = False) -> None:
        self._path = record_path(output)
        self._job = job
        lines, whole = _read(self._path)
        begun = _job(lines[0], self._path) if lines else None
        same = begun is not None and (begun.kind, begun.options) == (job.kind, job.options)
        changed = [name for name, mark in job.inputs.items() if begun and begun.inputs.get(name) != mark]
        if same and changed and not restart and len(lines) > 1:
            raise DataError(
                f"{output} was started with a different {' and a different '.join(changed)}, and resuming would "
                "mix the two: restore what has changed, or pass --overwrite to start over"
            )
        self.resumed = same and not changed
        self.entries = lines[1:] if self.resumed else []
        self._stream = self._path.open("r+b" if self._path.exists() else "w+b")
        self._stream.truncate(whole if self.resumed else 0)
        self._stream.seek(0, 2)

    def begin(self) -> None:
        """Start a new record for this job."""
        self.resumed, self.entries = False, []
        self._stream.seek(0)
        self._stream.truncate(0)
        self.add(**RESUME.header(), job=asdict(self._job))

    def add(self, **entry: Any) -> None:
        """Add a completed part, JSON values."""
        self._stream.write((json.dumps(entry, separators=(",", ":")) + "\n").encode())
        self._stream.flush()

    def close(self) -> None:
        """Keep the record for the process that resumes."""
        self._stream.close()

    def remove(self) -> None:
        """Delete the record: the job is complete, or nothing of it is worth keeping."""
        self._stream.close()
        self._path.unlink(missing_ok=True)


def record_path(output: Path) -> Path:
    """Return the hidden neighbour of ``output`` that is its resume record."""
    return output.absolute().with_name(f".{output.name}.journal")


def _job(line: dict[str, Any], path: Path) -> ResumableJob | None:
    """Return the job of a record's first line; None if this version does not recognise it."""
    try:
        return from_plain(ResumableJob, RESUME.check(line, str(path)).get("job"), where=str(path))
    except NewerVersionError:
        raise
    except FramecastError:
        return None


def _read(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the whole lines at ``path``, and the bytes they take."""
    entries, whole = [], 0
    for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
        entry = None
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
        if not isinstance(entry, dict) or not line.endswith(b"\n"):
            break
        entries.append(entry)
        whole += len(line)
    return entries, whole
