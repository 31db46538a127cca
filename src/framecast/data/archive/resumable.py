"""Writing archives that take hours: an interrupted process leaves what is complete, and the same job resumes there."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from framecast.core.resume import ResumableJob, ResumeRecord
from framecast.data.archive.guard import open_store
from framecast.data.archive.pending import PendingSequence
from framecast.data.archive.writer import ArchiveWriter


class ResumableArchiveWriter(ArchiveWriter):
    """An `ArchiveWriter` that keeps complete blocks under a hidden name when it is interrupted.

    The same job continues there: `done` and `remembered` say what need not be done again. The archive ends in the same
    bytes as one written without interruption.

    Args:
        path: the final name.
        job: what is written, and from what; see `framecast.core.resume`.
        overwrite: whether an existing ``path`` may be replaced, and a job begun with other data restarted.
        options: the other arguments of `ArchiveWriter`.

    Raises:
        DataError: on entering: the same job was begun with other data.
    """

    def __init__(self, path: str | Path, *, job: ResumableJob, overwrite: bool = False, **options: Any) -> None:
        super().__init__(path, overwrite=overwrite, **options)
        self._job = job
        self._record: ResumeRecord | None = None
        self.remembered: dict[str, Any] = {}

    @property
    def interrupted(self) -> bool:
        """Whether this continues what an interrupted process left."""
        return bool(self._record and self._record.entries)

    def remember(self, key: str, value: Any) -> None:
        """Keep a JSON value for the process that resumes if this one is interrupted; see ``remembered``."""
        self.remembered[key] = value
        self._add(remembered=[key, value])

    def annotate(self, name: str, variables: xr.Dataset) -> None:
        """See `ArchiveWriter.annotate`; what an interrupted process wrote of these variables is replaced."""
        if self.interrupted and name in self._sequences:
            group = self._root.require_group(name)
            for variable in set(map(str, variables.variables)) & set(group.array_keys()):
                del group[variable]
        super().annotate(name, variables)

    def done(self, name: str) -> npt.NDArray[np.bool_] | None:
        """Return which frames of a sequence are on disk for good, ``[time]``; None if it was not created yet."""
        return self._sequences[name].done() if name in self._sequences else None

    def _begin(self) -> None:
        self._record = ResumeRecord(self._final, self._job, restart=self._overwrite)
        if self._record.resumed:
            try:
                self._continue(self._record)
                return
            except (OSError, KeyError, TypeError, ValueError, OverflowError):  # the hidden folder is gone or damaged
                self._sequences.clear()
                self.remembered.clear()
        self._make_root()
        self._record.begin()  # now that the folder is this job's

    def _continue(self, record: ResumeRecord) -> None:
        """Take over the sequences and blocks that the record names, and nothing else."""
        for stray in self._path.rglob("*.partial"):  # of Zarr, in the middle of a file
            stray.unlink()
        self._root = open_store(self._path, mode="r+", use_consolidated=False)
        for entry in record.entries:
            if "sequence" in entry:
                intensity = self._root[f"{entry['sequence']}/intensity"]
                assert isinstance(intensity, zarr.Array)
                self._sequences[entry["sequence"]] = PendingSequence(intensity, entry["block_size"])
            elif "block" in entry:
                self._sequences[entry["of"]].restore(entry)
            else:
                key, value = entry["remembered"]
                self.remembered[key] = value
        for name in set(self._root.group_keys()) - set(self._sequences):
            shutil.rmtree(self._path / name)

    def _created(self, name: str, sequence: PendingSequence) -> None:
        self._add(sequence=name, block_size=sequence.block)

    def _completed(self, name: str, number: int) -> None:
        self._add(**self._sequences[name].record(name, number))

    def _add(self, **entry: Any) -> None:
        assert self._record is not None
        self._record.add(**entry)

    def _published(self) -> None:
        if self._record is not None:
            self._record.remove()

    def _abandon(self, error: BaseException) -> None:
        if self._record is None:  # what is there belongs to a job with other data
            return
        frames = sum(int(sequence.done().sum()) for sequence in self._sequences.values())
        if frames:
            self._record.close()
            error.add_note(f"{frames} frames of {self._final} are saved: the same command resumes from there")
        else:
            super()._abandon(error)
            self._record.remove()
