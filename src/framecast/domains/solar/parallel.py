"""A function over many jobs, here or on the workers of a dask cluster: results in order, few in memory at once.

`crew` gives the workers: this process alone, local processes, or a cluster at an address. A worker that dies loses
nothing: dask gives its jobs to others, and a local one is replaced. Whatever the workers are, the results are the same.
"""

import logging
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Protocol, TypeVar

from framecast.core.errors import ConfigError, FramecastError

if TYPE_CHECKING:
    from distributed import Client

Job = TypeVar("Job")
Result = TypeVar("Result")

JOBS_PER_WORKER = 2
"""Jobs begun and not yet yielded for each thread of the workers: one at work, one ready."""

WORKER_BYTES = 2**30
"""Memory beyond which a local worker begins to save, and at the double of which it is replaced."""

PATIENCE = "20s"
"""How long a cluster may take to answer."""


class Crew(Protocol):
    """Workers that take jobs."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order; jobs are taken as they are needed.

        Args:
            function: a function of a module, so that another process can import it.
            jobs: what to do; each may run again if a worker dies.

        Raises:
            FramecastError: the cluster is gone, or one job after the other killed its worker.
        """


class Alone:
    """No workers but this process: one job after the other."""

    def __call__(self, function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
        """Yield ``function(job)`` for each job, in order."""
        return map(function, jobs)


class Cluster:
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

        pending: deque = deque()
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
                f"the dask cluster is gone ({error or type(error).__name__}): start it and give the command again, "
                "which goes on where it was"
            ) from None
        finally:
            for future in pending:
                future.cancel()

    def _threads(self) -> int:
        return sum(self._client.nthreads().values())


@contextmanager
def crew(workers: int = 1, scheduler: str | None = None) -> Iterator[Crew]:
    """Yield the workers: those of the cluster at ``scheduler``, else ``workers`` local processes (1: this one alone).

    Args:
        workers: number of local processes, each with one thread and `WORKER_BYTES` of memory to aim at.
        scheduler: address of a dask scheduler, such as ``tcp://10.0.0.1:8786``; its workers must see the same files
            under the same names and have this framecast.

    Raises:
        ConfigError: nothing answers at that address.
    """
    if scheduler is None and workers == 1:
        yield Alone()
        return
    import dask
    from distributed import Client

    # What dask says of its comings and goings concerns nobody; what matters arrives as an error.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as opened, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="distributed")
        opened.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GiB"}))
        address = opened.enter_context(_local(workers)) if scheduler is None else scheduler
        try:
            client = opened.enter_context(Client(address, timeout=PATIENCE, set_as_default=False))
            if scheduler is not None:
                client.wait_for_workers(1, timeout=PATIENCE)
        except (OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"no dask cluster with workers answers at {scheduler} ({str(error).splitlines()[0]}): start one with "
                "dask scheduler and dask worker, and give its address as tcp://HOST:8786"
            ) from None
        yield Cluster(client)


def _local(workers: int) -> AbstractContextManager:
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=2 * WORKER_BYTES,
        silence_logs=logging.CRITICAL,
    )
