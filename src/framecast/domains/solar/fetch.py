"""Images of the Sun from the observatories' servers to a folder: a few at a time, verified, and atomically.

sunpy's ``AIASynopsisClient`` reads JSOC's synoptic archive too, by the listing of every hour's folder. Here addresses
are computed from time and wavelength (the tests compare them with those of sunpy's client), and the transfer is ours:

- A file is read in full, checked, put on the disk under a hidden name and renamed: a killed process leaves no partial
  file under a final name, as parfive does.
- A server that is busy, slow or disconnected is tried again. The pause before a further attempt doubles, with a random
  part, so that many clients do not come back in step (Brooker 2015, "Exponential backoff and jitter"); a
  ``Retry-After`` of the server is honoured by all connections together.
- Responses are opened: an error page with status 200, a truncated body, or another wavelength under the right name is
  not an image.

A frame that is not available ends in the record (`Report.missing`, ``fetch.json``), not in an error.
"""

import asyncio
import hashlib
import json
import os
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import held, partial_path, write_atomically
from framecast.core.stored import DocumentFormat
from framecast.core.text import one_line
from framecast.domains.solar.options import Transfer
from framecast.domains.solar.reader import read_image
from framecast.domains.solar.sources import ImageRequest, ImageServer
from framecast.videos.frames import span

FILE_NAME = "fetch.json"
FORMAT = DocumentFormat(
    "framecast-fetch", 1, "record of a fetch", "delete it, and the images beside it are checked again"
)

_LARGEST = 256 * 2**20
_LONGEST_PAUSE = 60.0
_GONE = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True, kw_only=True)
class _Record:
    frames: tuple[ImageRequest, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Result of a fetch.

    Attributes:
        frames: every requested frame, in order of time and wavelength.
        kept: how many existed already.
        bytes: how much was downloaded.
    """

    frames: tuple[ImageRequest, ...]
    kept: int
    bytes: int

    @property
    def missing(self) -> tuple[ImageRequest, ...]:
        """The unavailable frames, with the reason of each."""
        return tuple(frame for frame in self.frames if frame.missing)

    @property
    def fetched(self) -> int:
        """How many were downloaded."""
        return len(self.frames) - len(self.missing) - self.kept


def regular_times(start: np.datetime64, end: np.datetime64, cadence: float) -> list[np.datetime64]:
    """Return ``start``, ``start`` + ``cadence`` (seconds) … up to ``end`` and including it.

    Raises:
        ConfigError: ``end`` is before ``start``, or the cadence is not positive.
    """
    if not cadence > 0:
        raise ConfigError(f"the cadence is {cadence:g} s; it must be positive")
    if end < start:
        raise ConfigError(f"--end {str(end)[:19]} is before --start {str(start)[:19]}: swap them")
    step = span(cadence)
    start, end = start.astype("datetime64[ns]"), end.astype("datetime64[ns]")
    return [start + k * step for k in range(int((end - start) // step) + 1)]


def fetch(
    times: Sequence[np.datetime64],
    wavelengths: Sequence[int],
    folder: str | Path,
    *,
    source: ImageServer,
    transfer: Transfer = Transfer(),
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Download the images of ``times`` and ``wavelengths`` that ``folder`` does not have yet.

    A second call downloads nothing again: a file whose size is in the record is kept, any other is opened and checked.
    Files of earlier calls stay in the record. An interrupted call leaves complete files only, and the next one resumes.

    Args:
        times: UTC; each is rounded down to the server's last image before it.
        wavelengths: in ångström.
        folder: is made if it is not there; the archive's own layout is kept below it.
        source: the server.
        transfer: limits of the transfer.
        progress: called with the number of frames done and their total.

    Raises:
        ConfigError: the server has no such wavelength.
        DataError: the server cannot be reached at all, or stopped answering.
        FramecastError: another process is fetching into the folder.
        OSError: a frame cannot be written.
    """
    folder = Path(folder)
    wanted = source.plan(times, wavelengths)
    folder.mkdir(parents=True, exist_ok=True)
    with held(folder, doing=f"fetching into {folder}"):
        known = read_record(folder)
        shown = progress or (lambda done, total: None)
        work = _Fetch(wanted=wanted, folder=folder, source=source, known=known, transfer=transfer, progress=shown)
        try:
            _run(work.run())
        except KeyboardInterrupt as error:
            saved = sum(not frame.missing for frame in work.frames.values())
            error.add_note(f"{saved} of {len(wanted)} images are saved: the same command resumes from there")
            raise
        finally:
            if work.frames:
                write_record(folder, known | work.frames)
    return Report(frames=tuple(work.frames[item.path] for item in wanted), kept=work.kept, bytes=work.bytes)


def read_record(folder: Path) -> dict[str, ImageRequest]:
    """Return the frames recorded in ``folder`` by path; none if there is no record.

    Raises:
        DataError: it is damaged, or of a newer version.
    """
    try:
        return {frame.path: frame for frame in FORMAT.read(folder / FILE_NAME, _Record).frames}
    except FileNotFoundError:
        return {}


def write_record(folder: Path, frames: Mapping[str, ImageRequest]) -> None:
    """Write the record into ``folder``, in order of time and wavelength: the same images make the same record."""
    ordered = sorted(frames.values(), key=lambda frame: (frame.time, frame.wavelength, frame.path))
    entries = [{name: value for name, value in asdict(frame).items() if value not in ("", 0)} for frame in ordered]
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    head = json.dumps(FORMAT.header())[1:-1]
    write_atomically(folder / FILE_NAME, f'{{{head}, "frames": [\n{lines}\n]}}\n')


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run ``work`` in a separate thread, also if a loop is running already, as in every notebook.

    A signal then interrupts the waiting thread, not the loop, in which it could lose the wake-up of a task and block
    forever.
    """
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = Future()

    async def told() -> None:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        await work

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(asyncio.run, told())
        try:
            while wait([done], timeout=0.5).not_done:  # Windows interrupts no longer waiting
                pass
        except KeyboardInterrupt:
            loop, task = begun.result()
            with suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)
            raise
        done.result()


class _TryError(Exception):
    """A failed attempt; ``final`` if others would fail, too, ``wait`` in seconds."""

    def __init__(self, reason: str, *, final: bool = False, wait: float = 0.0, answered: bool = True) -> None:
        super().__init__(reason)
        self.final, self.wait, self.answered = final, wait, answered


@dataclass(kw_only=True)
class _Fetch:
    """One fetch, with the state shared by its connections.

    Attributes:
        frames: what came of each frame so far, by path.
        kept: how many existed already.
        bytes: how much was downloaded.
    """

    wanted: Sequence[ImageRequest]
    folder: Path
    source: ImageServer
    known: Mapping[str, ImageRequest]
    transfer: Transfer
    progress: Callable[[int, int], None]
    frames: dict[str, ImageRequest] = field(default_factory=dict)
    kept: int = 0
    bytes: int = 0
    _unreachable: str = ""
    _unanswered: int = 0
    _resume: float = 0.0

    def __post_init__(self) -> None:
        self._queue = iter(self.wanted)

    async def run(self) -> None:
        """Fetch every missing frame, over several parallel connections."""
        transfer, connect = self.transfer, min(20.0, self.transfer.timeout)
        timeout = aiohttp.ClientTimeout(total=transfer.timeout, sock_connect=connect, sock_read=transfer.silence)
        # Nothing is unpacked on the way: a kilobyte may become gigabytes.
        agent = {"User-Agent": f"framecast/{__version__}", "Accept-Encoding": "identity"}
        connector = aiohttp.TCPConnector(limit=transfer.connections)
        async with aiohttp.ClientSession(
            timeout=timeout, headers=agent, connector=connector, trust_env=True, auto_decompress=False
        ) as self._session:
            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(transfer.connections):
                        group.create_task(self._take_from_queue())
            except ExceptionGroup as failures:
                raise failures.exceptions[0] from None
        if self._unreachable:
            raise DataError(self._unreachable)

    async def _take_from_queue(self) -> None:
        for item in self._queue:
            if self._unreachable:
                return
            path = self.folder / item.path
            frame = await asyncio.to_thread(self._there, item, path)
            if frame is not None:
                self.kept += 1
            else:
                frame = await self._bring(item, path)
                self.bytes += frame.bytes
            self.frames[frame.path] = frame
            self.progress(len(self.frames), len(self.wanted))

    def _there(self, item: ImageRequest, path: Path) -> ImageRequest | None:
        """Return the frame if it is in the folder already, complete and as requested."""
        partial_path(path).unlink(missing_ok=True)  # of a process that was killed
        if not path.is_file():
            return None
        frame = self.known.get(item.path)
        if frame is not None and not frame.missing and frame.bytes == path.stat().st_size:
            return frame
        try:
            return _filled(item, path.read_bytes(), _check(path, item, self.source.tolerance))
        except (DataError, _TryError):
            return None

    async def _bring(self, item: ImageRequest, path: Path) -> ImageRequest:
        """Try until the frame is fetched or further attempts are pointless."""
        for attempt in range(1, self.transfer.tries + 1):
            pause = min(_LONGEST_PAUSE, self.transfer.pause * 2 ** (attempt - 2)) if attempt > 1 else 0.0
            if (pause := max(pause * random.uniform(0.5, 1.0), self._resume - time.monotonic())) > 0:
                await asyncio.sleep(pause)
            try:
                body = await self._receive(item.url)
                frame = await asyncio.to_thread(self._keep, item, path, body)
            except _TryError as error:
                failure = error
                if error.wait > self.transfer.patience:
                    break
                self._resume = max(self._resume, time.monotonic() + error.wait)
                if error.final:
                    break
            else:
                self._unanswered = 0
                return frame
        self._count(failure)
        return replace(item, missing=str(failure) if failure.final else f"{failure} (tried {attempt} times)")

    def _count(self, failure: _TryError) -> None:
        """Stop after as many consecutive frames without any answer as there are connections, or frames."""
        self._unanswered = 0 if failure.answered else self._unanswered + 1
        if self._unanswered >= min(self.transfer.connections, len(self.wanted)):
            self._unreachable = (
                f"{self.source.base_url} cannot be reached ({failure}): check the connection, or name another server "
                "with --base-url; the same command resumes"
            )

    async def _receive(self, url: str) -> bytearray:
        try:
            async with self._session.get(url) as response:
                if response.status != 200:
                    answer = f"the server answered {response.status} {one_line(response.reason, most=80)}"
                    wait = _seconds(response.headers.get("Retry-After", ""))
                    final = response.status in _GONE
                    raise _TryError(answer, final=final, wait=0.0 if final else wait)
                body = bytearray()
                async for part in response.content.iter_chunked(2**16):
                    body += part
                    if max(len(body), response.content_length or 0) > _LARGEST:
                        raise _TryError(f"the server's file is larger than {_LARGEST >> 20} MiB", final=True)
                return body
        except aiohttp.ConnectionTimeoutError:
            raise _TryError("the connection timed out", answered=False) from None
        except TimeoutError:
            raise _TryError("the server took too long") from None
        except aiohttp.ClientPayloadError:
            raise _TryError("the server's response is truncated") from None
        except aiohttp.ClientConnectorError as error:
            raise _TryError(one_line(error.os_error, most=200), answered=False) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _TryError(f"the connection was lost ({type(error).__name__})") from None

    def _keep(self, item: ImageRequest, path: Path, body: bytearray) -> ImageRequest:
        """Check ``body`` and write it under its name."""
        if body[:1024].lstrip()[:1] == b"<":
            raise _TryError("the server sent a web page in place of the image")
        partial = partial_path(path)
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            observed = _check(partial, item, self.source.tolerance)
            partial.replace(path)
        except DataError as error:
            raise _TryError(str(error)) from None
        finally:
            partial.unlink(missing_ok=True)
        return _filled(item, body, observed)


def _filled(item: ImageRequest, body: bytes | bytearray, observed: str) -> ImageRequest:
    return replace(item, bytes=len(body), sha256=hashlib.sha256(body).hexdigest(), observed=observed)


def _check(path: Path, wanted: ImageRequest, tolerance: float) -> str:
    """Return DATE-OBS of the image in the file ``path``, after it was opened and its pixels were decoded."""
    try:
        header = read_image(path).header
    except DataError as error:
        raise DataError(str(error).replace(f"{path} ", "what came ", 1)) from None
    if header.wavelength != wanted.wavelength:
        raise _TryError(f"its header says {header.wavelength} Å", final=True)
    away = abs((header.time - np.datetime64(wanted.time)) / np.timedelta64(1, "s"))
    if away > tolerance:
        says = f"its header says {str(header.time)[:19]}, {away:.0f} s from the requested time"
        raise _TryError(says, final=True)
    return str(header.time.astype("datetime64[ms]"))


def _seconds(retry_after: str) -> float:
    """Return the seconds of a ``Retry-After`` header: a number, or a date (RFC 9110, section 10.2.3)."""
    with suppress(ValueError):
        return max(0.0, float(retry_after))
    with suppress(TypeError, ValueError):
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    return 0.0
