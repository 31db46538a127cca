"""A function over many jobs, here or on the workers of a dask cluster: results in order, few in memory at once.

`worker_pool` gives the workers: this process alone, local processes, or a cluster at an address. A worker that dies
loses nothing: its jobs are done again. Whatever the workers are, the results are the same.

Local workers are processes that talk through pipes: no port is opened, so nobody else on the machine can reach them.
A dask cluster runs whatever the ones who reach its ports send, and its ports are protected as its owner configured it:
the certificates that dask's configuration names are used for an address that begins with ``tls://``.
"""

import logging
import multiprocessing
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from framecast.core.errors import ConfigError, FramecastError

if TYPE_CHECKING:
    from distributed import Client

Job = TypeVar("Job")
Result = TypeVar("Result")

JOBS_PER_WORKER = 2
"""Jobs begun and not yet yielded for each thread of the workers: one at work, one ready."""

DEATHS = 3
"""Local workers that may die of one job before it is given up."""

PATIENCE = "20s"
"""How long a cluster may take to answer."""


class WorkerPool(Protocol):
    """Workers that take jobs."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order; jobs are taken as they are needed.

        Args:
            function: a function of a module, so that another process can import it.
            jobs: what to do; each may run again if a worker dies.

        Raises:
            FramecastError: the cluster is gone, or one job after the other killed its worker.
        """


class ThisProcess:
    """No workers but this process: one job after the other."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order."""
        return map(function, jobs)


class LocalProcesses:
    """Processes on this machine, started anew when one has died.

    Args:
        workers: their number.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._start()

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order."""
        pending: deque[tuple[Job, Future[Result]]] = deque()
        jobs, deaths = iter(jobs), 0
        while True:
            for job in islice(jobs, JOBS_PER_WORKER * self._workers - len(pending)):
                pending.append((job, self._submit(function, job)))
            if not pending:
                return
            try:
                result = pending[0][1].result()
            except BrokenProcessPool:
                deaths += 1
                if deaths == DEATHS:
                    raise FramecastError(
                        f"{DEATHS} workers died, one after the other, at the same file: use fewer workers, which "
                        "leaves more memory to each, or leave the file out"
                    ) from None
                self.close()
                self._pool = self._start()
                pending = deque((job, self._submit(function, job)) for job, _ in pending)
                continue
            deaths = 0
            pending.popleft()
            yield result

    def close(self) -> None:
        """End the processes; what they have begun is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self._workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin_worker
        )

    def _submit(self, function: Callable[[Job], Result], job: Job) -> "Future[Result]":
        try:
            return self._pool.submit(function, job)
        except BrokenProcessPool as error:  # it is told when the result is asked for
            failed: Future[Result] = Future()
            failed.set_exception(error)
            return failed


class DaskWorkers:
    """The workers of a dask cluster.

    Args:
        client: connected to its scheduler.
    """

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order."""
        from distributed import CancelledError, KilledWorker, TimeoutError
        from distributed.comm import CommClosedError

        pending: deque[Any] = deque()
        jobs = iter(jobs)
        try:
            while True:
                room = max(1, JOBS_PER_WORKER * self._threads()) - len(pending)
                # Not pure: the scheduler need not look whether it has seen such a job before.
                pending.extend(self._client.submit(function, job, pure=False) for job in islice(jobs, max(0, room)))
                if not pending:
                    return
                yield pending.popleft().result()
        except KilledWorker as error:
            raise FramecastError(
                f"a job killed every worker that took it ({error.last_worker.address}): give the workers more memory, "
                "or leave out the file at which they die"
            ) from None
        except (CommClosedError, CancelledError, TimeoutError, OSError) as error:
            raise FramecastError(
                f"the dask cluster is gone ({error or type(error).__name__}): start it and rerun the command, "
                "which resumes where it was"
            ) from None
        finally:
            for future in pending:
                future.cancel()

    def _threads(self) -> int:
        return sum(self._client.nthreads().values())


@contextmanager
def worker_pool(workers: int = 1, scheduler: str | None = None) -> Iterator[WorkerPool]:
    """Yield the workers: those of the cluster at ``scheduler``, else ``workers`` local processes (1: this one alone).

    Args:
        workers: number of local processes.
        scheduler: address of a dask scheduler, such as ``tls://10.0.0.1:8786``; its workers must see the same files
            under the same names and have this framecast. For ``tls://`` the certificates are those of dask's
            configuration (``distributed.comm.tls``).

    Raises:
        ConfigError: nothing answers at that address, or dask is not installed.
    """
    if scheduler is not None:
        with _cluster(scheduler) as cluster:
            yield cluster
    elif workers == 1:
        yield ThisProcess()
    else:
        processes = LocalProcesses(workers)
        try:
            yield processes
        finally:
            processes.close()


@contextmanager
def _cluster(scheduler: str) -> Iterator[DaskWorkers]:
    try:
        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigError("--scheduler needs dask: pip install 'framecast[cluster]', or use --workers") from None

    # What dask says of its comings and goings concerns nobody; what matters arrives as an error.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed")
        opened.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}))
        try:
            client = opened.enter_context(Client(scheduler, timeout=PATIENCE, set_as_default=False))
            client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise ConfigError(
                f"no dask cluster with workers answers at {scheduler} ({str(error).splitlines()[0]}): start one with "
                "dask scheduler and dask worker, and give its address as tls://HOST:8786 (certificates: dask's "
                "configuration, distributed.comm.tls) or, in a network that you trust, tcp://HOST:8786"
            ) from None
        yield DaskWorkers(client)


def _begin_worker() -> None:
    """Leave interruptions to the process that started this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
