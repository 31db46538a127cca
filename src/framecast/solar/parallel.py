"""A function over many jobs on several cores: results in order, and never more in memory than are at work."""

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def ordered_map(function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int) -> Iterator[Result]:
    """Yield ``function(job)`` for each job, in order.

    Args:
        function: a function of a module, so that a new process can import it.
        jobs: what to do; taken as they are needed.
        workers: number of processes; 1 works in this one. At most two jobs for each are begun and not yet yielded.
    """
    if workers == 1:
        yield from map(function, jobs)
        return
    pending: deque[Future[Result]] = deque()
    jobs = iter(jobs)
    # Not forked: a copy of a process in which torch or numpy run threads may hang.
    with ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_parent
    ) as pool:
        try:
            pending.extend(pool.submit(function, job) for job in islice(jobs, 2 * workers))
            while pending:
                result = pending.popleft().result()
                pending.extend(pool.submit(function, job) for job in islice(jobs, 1))
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
