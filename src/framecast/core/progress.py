"""Progress of a long job: a bar on a terminal, a changing line in a notebook, occasional lines elsewhere.

Every job of the Python interface takes ``progress``: ``True`` shows it, ``False`` does not, and a function is called
with what is done and the total (``None`` while that is unknown). Of several processes only the first one prints.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from framecast.core.distributed import is_first
from framecast.core.text import visible

Progress = bool | Callable[[int, int | None], object]

SECONDS_BETWEEN_LINES = 15.0
SECONDS_TO_FIRST_LINE = 3.0
_SECONDS_BETWEEN_UPDATES = 0.2
_TELLING = 0.05
"""Completed fraction from which a single advance suffices to estimate the remaining time."""


def note(text: str) -> None:
    """Print information for people, not for programs: one line on stderr."""
    if is_first():
        complain(text)


def complain(text: str) -> None:
    """Print one line on stderr, whichever process this is."""
    print(visible(text), file=sys.stderr, flush=True)


class Task:
    """A task that advances towards a total.

    Args:
        description: what is being done, in a word or two.
        total: where it ends, or ``None`` where that is unknown.
        show: is given the task after each advance.
        audible: whether remarks are printed.

    Attributes:
        done: progress so far; a half-finished step counts half.
        remark: text beside the count, such as the current loss.
    """

    def __init__(
        self,
        description: str,
        total: int | None = None,
        *,
        show: Callable[["Task"], object] = lambda task: None,
        audible: bool = False,
    ) -> None:
        self.description = description
        self.done: float = 0
        self.total = total
        self.remark = ""
        self._show, self._audible = show, audible
        self._began, self._first = time.monotonic(), 0.0
        self._rated: tuple[float, float] | None = None  # when something had been done for the first time, and how much

    def begin(self, done: int) -> None:
        """Start at ``done``, where earlier work stopped: it does not count for the remaining time."""
        self._began, self._first, self._rated = time.monotonic(), done, None
        self.reach(done)

    def advance(self, steps: int = 1, *, note: str | None = None) -> None:
        """Advance by ``steps``; ``note`` is a short remark beside the count."""
        self.reach(self.done + steps, note=note)

    def reach(self, done: float, total: int | None = None, *, note: str | None = None) -> None:
        """Set the progress to ``done`` of ``total`` (unchanged if not given)."""
        self.done = done
        self.total = total if total is not None else self.total
        self.remark = note if note is not None else self.remark
        if self._rated is None and done > self._first:
            self._rated = time.monotonic(), done
        self._show(self)

    def tell(self, text: str) -> None:
        """Print a remark on a line of its own, if progress is shown to a person."""
        if self._audible:
            note(text)

    def line(self) -> str:
        """Return the progress on one line."""
        whole = int(self.done)
        count = f"{whole}/{self.total}" if self.total is not None else str(whole)
        return "  ".join(filter(None, [f"{self.description}: {count}", self.remark, self._left()]))

    def _left(self) -> str:
        """Return the remaining time at the rate so far; empty if it is unknown or zero.

        The first advance, which includes loading, counts only if it is a large part of the total.
        """
        since, first = self._rated or (0.0, self.done)
        if self.done == first and self.total and (self.done - self._first) / self.total > _TELLING:
            since, first = self._began, self._first
        made, left, taken = self.done - first, (self.total or self.done) - self.done, time.monotonic() - since
        if made <= 0 or left <= 0 or taken < 1:
            return ""
        seconds = round(taken / made * left)
        hours, minutes = seconds // 3600, seconds // 60 % 60
        return f"{hours} h {minutes:02d} min left" if hours else f"{minutes} min {seconds % 60:02d} s left"


@contextmanager
def track(description: str, total: int | None = None, progress: Progress = True) -> Iterator[Task]:
    """Show the progress of the block that follows, or call ``progress`` with what is done and the total."""
    if callable(progress):
        called = progress
        yield Task(description, total, show=lambda task: called(int(task.done), task.total))
    elif not progress or not is_first():
        yield Task(description, total)
    elif sys.stderr.isatty():
        with _bar(description, total) as task:
            yield task
    else:
        notebook = _in_notebook()
        write = _line_of_a_cell(description) if notebook else note
        every = _SECONDS_BETWEEN_UPDATES if notebook else SECONDS_BETWEEN_LINES
        with _now_and_then(description, total, write, every) as task:
            yield task


@contextmanager
def track_stages() -> Iterator[Callable[[str, int, int], None]]:
    """Show the progress of a job in stages: yield what is called with the stage, what is done of it and its total."""
    with ExitStack() as shown:
        tasks: dict[str, Task] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                shown.close()  # the bar of the stage before
                tasks[stage] = shown.enter_context(track(stage, total))
            tasks[stage].reach(done, total)

        yield show


@contextmanager
def _now_and_then(description: str, total: int | None, write: Callable[[str], object], every: float) -> Iterator[Task]:
    """Print the line of a task every few seconds and at the end, without repetition."""
    at, before = time.monotonic() - every + min(every, SECONDS_TO_FIRST_LINE), ""

    def write_line(task: Task) -> None:
        nonlocal at, before
        at = time.monotonic()
        if (line := task.line()) != before:
            write(line)
        before = line

    def show(task: Task) -> None:
        if time.monotonic() - at >= every:
            write_line(task)

    task = Task(description, total, show=show, audible=True)
    yield task
    write_line(task)


def _line_of_a_cell(description: str) -> Callable[[str], object]:
    """Show one line below the notebook's cell, and return what changes it."""
    from IPython.display import display

    handle = display({"text/plain": f"{description} …"}, raw=True, display_id=True)
    return lambda line: handle.update({"text/plain": line}, raw=True)


@contextmanager
def _bar(description: str, total: int | None) -> Iterator[Task]:
    """Show a bar on the terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<12}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        row = bar.add_task(visible(description, most=40), total=total, note="")

        def show(task: Task) -> None:
            bar.update(row, completed=task.done, total=task.total, note=visible(task.remark, most=200))

        yield Task(description, total, show=show, audible=True)


def _in_notebook() -> bool:
    """Whether output goes to a notebook: a kernel is running, and not merely IPython on a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
