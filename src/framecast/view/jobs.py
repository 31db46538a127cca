"""Jobs in separate processes: few at a time, bounded in memory and time, ended with the page that requested them.

A job is a request that `framecast.view.worker` is given, which sends progress messages. The page that requested a job
polls its state; if it stops (the page was closed), the job is ended.
"""

import multiprocessing
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from framecast.core.errors import FramecastError
from framecast.core.text import one_line
from framecast.view import worker
from framecast.view.library import UnknownError

_CONTEXT = multiprocessing.get_context("spawn")  # the server has threads, which a fork would lose

Said = Callable[["Job", dict[str, Any]], object]


class BusyError(FramecastError):
    """Too many jobs."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of jobs.

    Attributes:
        running: jobs at a time.
        waiting: jobs that wait for their turn.
        each: jobs of one page, running and waiting.
        memory: bytes of one job.
        seconds: of one job.
        patience: seconds without a poll after which a job is ended.
        finished: jobs that are remembered.
    """

    running: int = 2
    waiting: int = 20
    each: int = 3
    memory: int = 8 * 2**30
    seconds: float = 3600.0
    patience: float = 60.0
    finished: int = 50


@dataclass(eq=False)
class Job:
    """One job.

    Attributes:
        key: its name in addresses.
        owner: the page that requested it.
        request: the request.
        folder: where it may write.
        state: ``waiting``, ``running``, ``done``, ``failed`` or ``cancelled``.
        part: how much is done, 0 to 1.
        told: its last message.
        found: its result.
    """

    key: str
    owner: str
    request: dict[str, Any]
    folder: Path
    state: str = "waiting"
    part: float = 0.0
    told: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0
    seen: float = field(default_factory=time.monotonic)
    process: BaseProcess | None = None

    @property
    def over(self) -> bool:
        """Whether it has ended in any way."""
        return self.state in ("done", "failed", "cancelled")

    def plain(self) -> dict[str, Any]:
        """Return its state as JSON values."""
        return {"key": self.key, "state": self.state, "part": self.part, "told": self.told, "found": self.found}


class Jobs:
    """The jobs of one server, each with a folder of its own in ``scratch``.

    ``said`` is given each message of a job, and the job; an error of its own ends the job.
    """

    def __init__(self, scratch: Path, limits: Limits = Limits(), said: Said = lambda job, message: None) -> None:
        self._scratch, self._limits, self._said = scratch, limits, said
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._watch = threading.Thread(target=self._watching, name="jobs", daemon=True)
        self._watch.start()

    def begin(self, request: dict[str, Any], owner: str) -> Job:
        """Accept a job.

        Raises:
            BusyError: there are too many already, of this owner or of all.
        """
        with self._lock:
            active = [job for job in self._jobs.values() if not job.over]
            if sum(job.owner == owner for job in active) >= self._limits.each:
                raise BusyError(f"{self._limits.each} jobs of this page are unfinished: cancel one, or wait for it")
            if len(active) >= self._limits.running + self._limits.waiting:
                raise BusyError("too many jobs are waiting: try again later")
            key = secrets.token_hex(8)
            job = self._jobs[key] = Job(key, owner, request, self._scratch / f"job-{key}")
            job.folder.mkdir(parents=True)
            self._forget()
            self._start()
        return job

    def of(self, key: str, owner: str) -> Job:
        """Return a job of this owner; polling keeps it alive.

        Raises:
            UnknownError: there is none.
        """
        job = self._jobs.get(key)
        if job is None or job.owner != owner:
            raise UnknownError("there is no such job: it was cancelled, or the server was restarted")
        job.seen = time.monotonic()
        return job

    def cancel(self, job: Job, why: str = "cancelled") -> None:
        """End a job; one that is over stays as it is."""
        with self._lock:
            if not job.over:
                job.state, job.told = "cancelled", why
                _kill(job.process)
            self._start()

    def close(self) -> None:
        """End all jobs."""
        self._closed.set()
        for job in list(self._jobs.values()):
            self.cancel(job, "the server was stopped")
        self._watch.join(5)

    def _start(self) -> None:
        running = sum(job.state == "running" for job in self._jobs.values())
        for job in list(self._jobs.values()):
            if running >= self._limits.running or self._closed.is_set():
                return
            if job.state == "waiting":
                running += 1
                job.state, job.began = "running", time.monotonic()
                ours, theirs = _CONTEXT.Pipe(duplex=False)
                job.process = _CONTEXT.Process(target=worker.work, args=(job.request, job.folder, theirs), daemon=True)
                job.process.start()
                theirs.close()
                threading.Thread(target=self._follow, args=(job, job.process, ours), daemon=True).start()

    def _follow(self, job: Job, process: BaseProcess, ours: Connection) -> None:
        """Receive the messages of a job until it ends."""
        outcome, told = "failed", "the process ended unexpectedly"
        try:
            while outcome == "failed":
                message = ours.recv()
                if "failed" in message:
                    raise FramecastError(message["failed"])
                job.part = float(message.get("part", job.part))
                job.told = one_line(message.get("told", job.told), most=500)
                self._said(job, message)  # before the result is announced
                job.found |= message.get("found", {})
                outcome = "done" if message.get("finished") else "failed"
            told = job.told
        except (EOFError, OSError):
            pass
        except FramecastError as error:
            told = one_line(error, most=1000)
        finally:
            ours.close()
            _kill(process)
        with self._lock:
            if not job.over:
                job.state, job.told = outcome, told
            if job.state != "done":
                shutil.rmtree(job.folder, ignore_errors=True)
            self._start()

    def _watching(self) -> None:
        """End jobs that exceed the limits, and those without a page."""
        while not self._closed.wait(0.5):
            for job in list(self._jobs.values()):
                if job.over:
                    continue
                now = time.monotonic()
                if now - job.seen > self._limits.patience:
                    self.cancel(job, "the page that started it was closed")
                elif job.state == "running" and now - job.began > self._limits.seconds:
                    self.cancel(job, f"it took more than {self._limits.seconds / 60:.0f} minutes")
                elif job.process is not None and _memory(job.process.pid) > self._limits.memory:
                    self.cancel(job, f"it took more than {self._limits.memory / 2**30:.3g} GiB of memory")

    def _forget(self) -> None:
        over = [job for job in self._jobs.values() if job.over]
        for job in over[: max(0, len(over) - self._limits.finished)]:
            del self._jobs[job.key]
            shutil.rmtree(job.folder, ignore_errors=True)


def _kill(process: BaseProcess | None) -> None:
    """End a process and those that it started."""
    import psutil

    if process is None or process.pid is None:
        return
    try:
        started = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        started = []
    process.kill()
    for own in started:
        with suppress(psutil.Error):
            own.kill()
    process.join(10)


def _memory(pid: int | None) -> int:
    import psutil

    try:
        process = psutil.Process(pid)
        return sum(own.memory_info().rss for own in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0
