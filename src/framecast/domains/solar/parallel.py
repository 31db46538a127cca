"""A function over many jobs, here or on the workers of a dask cluster: results in order, few in memory at once.

If a worker dies, its jobs are repeated. The results do not depend on the workers.

Local workers are processes connected by pipes: no port is opened, so nobody else on the machine can reach them. A dask
cluster executes whatever is sent to its ports, which are protected as its owner configured it.
"""

import logging
import multiprocessing
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from typing import Any, Protocol, TypeVar

from framecast.core.errors import ConfigError, FramecastError

Job = TypeVar("Job")
Result = TypeVar("Result")

JOBS_PER_WORKER = 2
"""Jobs in progress for each thread of the workers: one running, one ready."""

DEATHS = 3
"""Number of deaths of local workers on one job before it is given up."""

PATIENCE = "20s"
"""Timeout of a cluster."""


class WorkerPool(Protocol):
    """A pool of workers."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order; a job is taken when needed, and again if its worker dies.

        The function is one of a module, so that another process can import it.

        Raises:
            FramecastError: the connection to the cluster was lost, or a job repeatedly killed its worker.
        """


@contextmanager
def worker_pool(workers: int = 1, scheduler: str | None = None) -> Iterator[WorkerPool]:
    """Yield the workers: those of the cluster at ``scheduler``, else ``workers`` local processes (1: this one alone).

    The workers of a dask scheduler, such as ``tls://10.0.0.1:8786``, must see the same files under the same names and
    have this framecast. For ``tls://`` the certificates are those of dask's configuration.

    Raises:
        ConfigError: nothing answers at that address, or dask is not installed.
    """
    if scheduler is not None:
        with _cluster(scheduler) as client:
            yield lambda function, jobs: _on_cluster(client, function, jobs)
    elif workers == 1:
        yield one_by_one
    else:
        yield lambda function, jobs: _in_processes(workers, function, jobs)


def one_by_one(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Yield the results of this process alone."""
    return map(function, jobs)


def _in_processes(workers: int, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Yield the results of processes on this machine, which are started anew when one has died."""
    begun: deque[Job] = deque()
    jobs, deaths = iter(jobs), 0
    while deaths < DEATHS:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            workers, mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
        )
        try:
            pending = deque(pool.submit(function, job) for job in begun)
            while True:
                for job in islice(jobs, JOBS_PER_WORKER * workers - len(pending)):
                    begun.append(job)
                    pending.append(pool.submit(function, job))
                if not pending:
                    return
                result = pending[0].result()
                deaths = 0
                begun.popleft()
                pending.popleft()
                yield result
        except BrokenProcessPool:
            deaths += 1
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    raise FramecastError(
        f"{DEATHS} workers died, one after the other, on the same file: use fewer workers, which leaves more "
        "memory for each, or leave the file out"
    )


def _on_cluster(client: Any, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    """Yield the results of the workers of a dask cluster."""
    from distributed import CancelledError, KilledWorker, TimeoutError
    from distributed.comm import CommClosedError

    pending: deque[Any] = deque()
    jobs = iter(jobs)
    try:
        while True:
            room = max(1, JOBS_PER_WORKER * sum(client.nthreads().values())) - len(pending)
            # Not pure: the scheduler need not compare jobs.
            pending.extend(client.submit(function, job, pure=False) for job in islice(jobs, max(0, room)))
            if not pending:
                return
            yield pending.popleft().result()
    except KilledWorker as error:
        raise FramecastError(
            f"a job killed every worker that took it ({error.last_worker.address}): give the workers more memory, "
            "or leave out the file on which they die"
        ) from None
    except (CommClosedError, CancelledError, TimeoutError, OSError) as error:
        raise FramecastError(
            f"the connection to the dask cluster was lost ({error or type(error).__name__}): start it and rerun "
            "the command, which resumes where it was"
        ) from None
    finally:
        with suppress(Exception):
            client.cancel(list(pending))


@contextmanager
def _cluster(scheduler: str) -> Iterator[Any]:
    try:
        import dask
        from distributed import Client
    except ModuleNotFoundError:
        raise ConfigError("--scheduler needs dask: pip install 'framecast[cluster]', or use --workers") from None

    # Log messages of dask are suppressed; what matters arrives as an error.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed")
        opened.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}))
        try:
            client = opened.enter_context(Client(scheduler, timeout=PATIENCE, set_as_default=False))
            client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError, TypeError, RuntimeError) as error:
            raise ConfigError(
                f"no dask cluster with workers responds at {scheduler} ({str(error).splitlines()[0]}): start one "
                "with dask scheduler and dask worker, and give its address as tls://HOST:8786 (certificates: "
                "dask's configuration, distributed.comm.tls) or, in a network that you trust, tcp://HOST:8786"
            ) from None
        yield client
