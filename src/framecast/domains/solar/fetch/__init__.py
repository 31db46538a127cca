"""Images of the Sun from the observatories' servers to a folder: a few at a time, verified, and whole or absent.

sunpy's ``AIASynopsisClient`` reads JSOC's synoptic archive too. It asks for the listing of every hour's folder and
then hands the addresses to parfive, one wavelength at a time. Here the addresses are computed, for the archive's names
follow from time and wavelength (the tests hold them to those that sunpy's client finds), and the transfer is our own,
because what a forecast needs is not to be had from the two:

- parfive writes into the final name: a process that is killed leaves half a file there, which the next run takes for
  a whole one. Here a file is read in full, checked, put on the disk under a hidden name and renamed.
- A server that is busy, slow or cut off is asked again, later each time and as late as it wishes (``Retry-After``);
  parfive gives up at the first error.
- What came is opened: an error page with status 200, a body cut short, or another wavelength under the right name is
  no image.
- The near-real-time branch has names of its own, which the client does not know, and its ``Sample`` counts from the
  first file found, so that one missing file shifts all others.

A frame that is not to be had ends in the record (`Report.missing`, ``fetch.json``), not in an error.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from framecast.core.errors import ConfigError
from framecast.core.files import held
from framecast.domains.solar.fetch.download import Transfer, download
from framecast.domains.solar.fetch.record import FILE_NAME, Frame, read_record, write_record
from framecast.domains.solar.fetch.sources import HelioviewerSource, Source, SynopticSource, Wanted

__all__ = [
    "FILE_NAME",
    "Frame",
    "HelioviewerSource",
    "Report",
    "Source",
    "SynopticSource",
    "Transfer",
    "Wanted",
    "fetch",
    "regular_times",
]


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of a fetch.

    Attributes:
        folder: where the images are.
        frames: every frame that was asked for, in order of time and wavelength.
        kept: how many were there already.
        fetched: how many were downloaded.
        bytes: how much was downloaded.
    """

    folder: Path
    frames: tuple[Frame, ...]
    kept: int
    fetched: int
    bytes: int

    @property
    def missing(self) -> tuple[Frame, ...]:
        """The frames that are not to be had, with the reason of each."""
        return tuple(frame for frame in self.frames if frame.missing)


def regular_times(start: np.datetime64, end: np.datetime64, cadence: float) -> list[np.datetime64]:
    """Return ``start``, ``start`` + ``cadence`` (seconds) … up to ``end`` and including it.

    Raises:
        ConfigError: ``end`` is before ``start``, or the cadence is not positive.
    """
    if not cadence > 0:
        raise ConfigError(f"the cadence is {cadence:g} s; it must be positive")
    if end < start:
        raise ConfigError(f"--end {str(end)[:19]} is before --start {str(start)[:19]}: exchange them")
    step = np.timedelta64(round(cadence * 1e9), "ns")
    start, end = start.astype("datetime64[ns]"), end.astype("datetime64[ns]")
    return [start + k * step for k in range(int((end - start) // step) + 1)]


def fetch(
    times: Sequence[np.datetime64],
    wavelengths: Sequence[int],
    folder: str | Path,
    *,
    source: Source,
    transfer: Transfer = Transfer(),
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Download the images of ``times`` and ``wavelengths`` that ``folder`` does not have yet.

    A second call downloads nothing that the first one brought: a file whose size is in the record is taken as it is,
    any other is opened and checked. Files of earlier calls stay in the record. An interrupted call leaves whole files
    only, and the next one goes on.

    Args:
        times: UTC; each is taken down to the server's last image before it.
        wavelengths: in ångström.
        folder: is made if it is not there; the archive's own layout is kept below it.
        source: the server.
        transfer: how politely and how patiently.
        progress: called with the number of frames done and their total.

    Raises:
        ConfigError: the server has no such wavelength.
        DataError: the server cannot be reached at all, or stopped answering.
        FramecastError: another process is fetching into the folder.
    """
    folder = Path(folder)
    wanted = source.plan(times, wavelengths)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, doing=f"fetching into {folder}"):
        return _fetch(wanted, folder, source, transfer, progress)


def _fetch(
    wanted: Sequence[Wanted],
    folder: Path,
    source: Source,
    transfer: Transfer,
    progress: Callable[[int, int], None] | None,
) -> Report:
    """Download into a folder that this process holds."""
    known = read_record(folder)
    outcomes: dict[str, Frame] = {}
    counts = {"kept": 0, "fetched": 0, "bytes": 0}

    def note(frame: Frame, was_there: bool) -> None:
        outcomes[frame.path] = frame
        if was_there:
            counts["kept"] += 1
        elif not frame.missing:
            counts["fetched"] += 1
            counts["bytes"] += frame.bytes
        if progress:
            progress(len(outcomes), len(wanted))

    try:
        _run(download(wanted, folder, source=source, known=known, transfer=transfer, done=note))
    except KeyboardInterrupt as error:
        saved = counts["kept"] + counts["fetched"]
        error.add_note(f"{saved} of {len(wanted)} images are saved: the same command resumes from there")
        raise
    finally:
        if outcomes:
            write_record(folder, known | outcomes)
    return Report(folder=folder, frames=tuple(outcomes[str(item.path)] for item in wanted), **counts)


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Do ``work``, in a thread of its own where a loop is running already, as in every notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()
