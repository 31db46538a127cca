"""The transfer: some connections side by side, patient with a server in trouble, trusting nothing that comes.

Every frame is tried several times. The pause before a further try doubles, with a random part, so that many clients
do not come back in step (Brooker 2015, "Exponential backoff and jitter"); a ``Retry-After`` of the server is honoured
by all connections together. A try ends when the server says nothing for a while, and after a fixed time however much
it drips.
"""

import asyncio
import hashlib
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import aiohttp

from framecast._version import __version__
from framecast.core.errors import ConfigError, DataError
from framecast.core.files import partial_path
from framecast.core.text import one_line
from framecast.domains.solar.fetch.record import Frame
from framecast.domains.solar.fetch.sources import Source, Wanted
from framecast.domains.solar.fetch.verify import check

_LARGEST = 256 * 2**20
_LONGEST_PAUSE = 60.0
_GONE = frozenset({400, 401, 403, 404, 410})


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How politely and how patiently images are fetched.

    Attributes:
        connections: at most so many at a time.
        tries: of every frame.
        pause: seconds before the second try; doubled before each further one, up to a minute.
        silence: seconds without a byte after which a try ends.
        timeout: seconds after which a try ends anyhow.
        patience: the longest ``Retry-After``, in seconds, that is waited for.
    """

    connections: int = 4
    tries: int = 5
    pause: float = 1.0
    silence: float = 30.0
    timeout: float = 180.0
    patience: float = 600.0

    def __post_init__(self) -> None:
        if not 1 <= self.connections <= 16:
            raise ConfigError(f"connections is {self.connections}; from 1 to 16 is what a public archive stands")
        if self.tries < 1:
            raise ConfigError(f"tries is {self.tries}; it must be at least 1")
        for name in ("pause", "silence", "timeout", "patience"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name):g} s; it must be positive")


class _TryError(Exception):
    """A try that brought no image."""

    def __init__(self, reason: str, *, final: bool = False, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.final = final
        self.wait = wait


class _UnreachableError(_TryError):
    """A try that did not even get an answer."""


async def download(
    wanted: Sequence[Wanted],
    folder: Path,
    *,
    source: Source,
    known: Mapping[str, Frame],
    transfer: Transfer,
    done: Callable[[Frame, bool], None],
) -> None:
    """Bring every frame of ``wanted`` that is not there into ``folder``.

    Args:
        wanted: the frames.
        folder: where they go.
        source: the server.
        known: the record of the folder, by path.
        transfer: see `Transfer`.
        done: called with every frame, and whether it was there already.

    Raises:
        DataError: the server cannot be reached.
        OSError: a frame cannot be written.
    """
    timeout = aiohttp.ClientTimeout(
        total=transfer.timeout, sock_connect=min(20.0, transfer.timeout), sock_read=transfer.silence
    )
    # Nothing is unpacked on the way: a kilobyte may become gigabytes.
    agent = {"User-Agent": f"framecast/{__version__}", "Accept-Encoding": "identity"}
    connector = aiohttp.TCPConnector(limit=transfer.connections)
    async with aiohttp.ClientSession(
        timeout=timeout, headers=agent, connector=connector, trust_env=True, auto_decompress=False
    ) as session:
        transfers = _Transfers(
            session, folder, source, known, transfer, done, unanswered=min(transfer.connections, len(wanted))
        )
        queue = iter(wanted)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(transfer.connections):
                    group.create_task(transfers.take_from(queue))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
    if transfers.stopped:
        raise DataError(transfers.stopped)


class _Transfers:
    """What the connections share."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        folder: Path,
        source: Source,
        known: Mapping[str, Frame],
        transfer: Transfer,
        done: Callable[[Frame, bool], None],
        unanswered: int,
    ) -> None:
        self.stopped = ""
        self._session = session
        self._folder = folder
        self._source = source
        self._known = known
        self._transfer = transfer
        self._done = done
        self._unanswered = 0
        self._most_unanswered = unanswered
        self._resume = 0.0

    async def take_from(self, queue: Iterator[Wanted]) -> None:
        """Bring frame after frame of ``queue``, which the other connections take from too."""
        for item in queue:
            if self.stopped:
                return
            path = self._folder / item.path
            frame = await asyncio.to_thread(self._there, item, path)
            if frame is not None:
                self._done(frame, True)
            else:
                self._done(await self._bring(item, path), False)

    def _there(self, item: Wanted, path: Path) -> Frame | None:
        """Return the frame if it is in the folder already, whole and what was asked for."""
        partial_path(path).unlink(missing_ok=True)  # of a process that was killed
        if not path.is_file():
            return None
        frame = self._known.get(str(item.path))
        if frame is not None and not frame.missing and frame.bytes == path.stat().st_size:
            return frame
        try:
            observed = check(path, item, tolerance=self._source.tolerance)
        except DataError:
            return None
        return _frame(item, path.read_bytes(), observed)

    async def _bring(self, item: Wanted, path: Path) -> Frame:
        """Try until the frame is there or nothing more can be expected."""
        failure = _TryError("never tried")
        for attempt in range(self._transfer.tries):
            if attempt:
                longest = min(_LONGEST_PAUSE, self._transfer.pause * 2 ** (attempt - 1))
                await asyncio.sleep(max(longest * random.uniform(0.5, 1.0), self._resume - time.monotonic()))
            elif self._resume > time.monotonic():
                await asyncio.sleep(self._resume - time.monotonic())
            try:
                frame = await self._try(item, path)
                self._unanswered = 0
                return frame
            except _TryError as error:
                failure = error
                if error.wait > self._transfer.patience:
                    break
                self._resume = max(self._resume, time.monotonic() + error.wait)
                if error.final:
                    break
        self._count_unanswered(failure)
        reason = str(failure) if failure.final else f"{failure} (tried {attempt + 1} times)"
        return Frame(time=str(item.time), wavelength=item.wavelength, path=str(item.path), url=item.url, missing=reason)

    def _count_unanswered(self, failure: _TryError) -> None:
        """Stop everything after as many frames in a row without any answer as there are connections, or frames."""
        self._unanswered = self._unanswered + 1 if isinstance(failure, _UnreachableError) else 0
        if self._unanswered >= self._most_unanswered:
            self.stopped = (
                f"{self._source.base_url} cannot be reached ({failure}): check the connection, or name another server "
                "with --base-url; the same command goes on where it stopped"
            )

    async def _try(self, item: Wanted, path: Path) -> Frame:
        """Bring the frame in one attempt.

        Raises:
            _TryError: it did not come.
        """
        body = await self._receive(item.url)
        return await asyncio.to_thread(self._keep, item, path, body)

    async def _receive(self, url: str) -> bytearray:
        try:
            async with self._session.get(url) as response:
                if response.status in _GONE:
                    raise _TryError(_answer(response), final=True)
                if response.status != 200:
                    wait = _seconds(response.headers.get("Retry-After", ""))
                    raise _TryError(_answer(response), wait=wait)
                if (response.content_length or 0) > _LARGEST:
                    raise _TryError(f"the server offers over {_LARGEST >> 20} MiB", final=True)
                body = bytearray()
                async for part in response.content.iter_chunked(2**16):
                    body += part
                    if len(body) > _LARGEST:
                        raise _TryError(f"the server sent over {_LARGEST >> 20} MiB", final=True)
                return body
        except aiohttp.ConnectionTimeoutError:
            raise _UnreachableError("no connection within the time allowed") from None
        except TimeoutError:
            raise _TryError("the server took too long") from None
        except aiohttp.ClientPayloadError:
            raise _TryError("what the server sent is cut short") from None
        except aiohttp.ClientConnectorError as error:
            raise _UnreachableError(one_line(error.os_error, most=200)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise _TryError(f"the connection broke ({type(error).__name__})") from None

    def _keep(self, item: Wanted, path: Path, body: bytearray) -> Frame:
        """Check ``body`` and put it under its name."""
        if body[:1024].lstrip()[:1] == b"<":
            raise _TryError("the server sent a web page in place of the image")
        partial = partial_path(path)
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as stream:
                stream.write(body)
                stream.flush()
                os.fsync(stream.fileno())
            try:
                observed = check(partial, item, tolerance=self._source.tolerance)
            except DataError as error:
                raise _TryError(str(error), final=getattr(error, "final", False)) from None
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return _frame(item, body, observed)


def _answer(response: aiohttp.ClientResponse) -> str:
    return f"the server says {response.status} {one_line(response.reason, most=80)}"


def _frame(item: Wanted, body: bytes | bytearray, observed: str) -> Frame:
    return Frame(
        time=str(item.time),
        wavelength=item.wavelength,
        path=str(item.path),
        url=item.url,
        bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        observed=observed,
    )


def _seconds(retry_after: str) -> float:
    """Return the seconds that a ``Retry-After`` header asks for: a number, or a date (RFC 9110, section 10.2.3)."""
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return 0.0
