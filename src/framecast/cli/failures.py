"""How a command ends: one line on stderr and an exit code.

    0    all went well
    1    something failed that is not the user's mistake: a full disk, out of memory, a bug in framecast
    2    the user's mistake: a misspelt option, a file that is not there, an output that exists
    130  interrupted by Ctrl-C (SIGINT)
    143  stopped by SIGTERM, which a preemptible node sends some seconds before the machine is withdrawn

``framecast --debug COMMAND`` (or ``FRAMECAST_DEBUG=1``) shows where it went wrong instead. Either signal raises
`Interrupted`: what is complete is kept by whoever wrote it, who says so in a note of the exception. Training would lose
the step that is being made, so there the first signal only asks (`Stop`). A second Ctrl-C ends at once.
"""

import errno
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from framecast.core.distributed import ElsewhereError, is_first
from framecast.core.domain import domains
from framecast.core.errors import FramecastError
from framecast.core.progress import note
from framecast.core.text import one_line

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130

# The class of every mistake on the command line (an unknown option, a missing argument) has no public name in typer.
CommandLineError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

_USERS_MISTAKES = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)


class Interrupted(KeyboardInterrupt):
    """A signal of this ``number`` ended the command, with this exit ``code``."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number, self.code = number, 128 + number

    def __str__(self) -> str:
        reason = "interrupted" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"
        return "; ".join([reason, *getattr(self, "__notes__", ())])


@contextmanager
def _handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Give SIGINT and SIGTERM to ``handler`` during the block; only in the main thread."""
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handler) for number in ((signal.SIGINT, signal.SIGTERM) if main else ())}
    try:
        yield
    finally:
        for number, own in before.items():
            signal.signal(number, own)


@contextmanager
def interruptible() -> Iterator[list[Interrupted]]:
    """Raise `Interrupted` on a signal in the block, in the main thread only; yield a list that contains it afterwards.

    A further SIGTERM is ignored, so that what is complete can be kept; a further SIGINT is not.
    """
    raised: list[Interrupted] = []

    def came(number: int, frame: FrameType | None) -> None:
        if not raised or number == signal.SIGINT:
            raised[:] = raised or [Interrupted(number)]
            raise raised[0]

    with _handled_by(came):
        yield raised


class Stop:
    """Whether a signal has asked to stop."""

    def __init__(self) -> None:
        self._signal: int | None = None

    def __call__(self) -> bool:
        """Return whether it is time to stop."""
        return self._signal is not None

    def end(self, saved: str) -> None:
        """End the command with one line that says what is ``saved``, if a signal has asked to stop."""
        if self._signal is not None:
            note(f"stopped by {signal.Signals(self._signal).name}: {saved}; rerun the same command to resume")
            raise typer.Exit(128 + self._signal)

    @contextmanager
    def on_signals(self) -> Iterator["Stop"]:
        """Let SIGINT and SIGTERM ask for the end during the block that follows; only in the main thread."""
        with _handled_by(self._asked):
            yield self

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._signal = number


def explain(error: BaseException) -> tuple[str, int]:
    """Return the error message and the exit code."""
    chain = list(_causes(error))
    if isinstance(error, Interrupted):
        return one_line(error) if is_first() else "", error.code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "interrupted", INTERRUPTED
    if any(_tells_of_a_full_disk(cause) for cause in chain):
        return (
            "the disk is full: no partial output was kept; free disk space and rerun the command",
            FAILED,
        )
    if isinstance(error, CommandLineError):
        line = one_line(error.format_message()).replace(": Value error, ", ": ")  # type: ignore[attr-defined]
        context = getattr(error, "ctx", None)
        return f"{line.rstrip('.')} (see {context.command_path} --help)" if line and context else line, MISTAKEN
    if isinstance(error, ElsewhereError):
        return "", MISTAKEN
    if isinstance(error, FramecastError):
        return one_line(str(error)), MISTAKEN
    if isinstance(error, OSError):
        code = MISTAKEN if isinstance(error, _USERS_MISTAKES) else FAILED
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror or one_line(str(error))}", code
    if isinstance(error, ModuleNotFoundError) and (line := _missing_package((error.name or "").partition(".")[0])):
        return line, MISTAKEN
    if isinstance(error, MemoryError) or any(type(cause).__name__ == "OutOfMemoryError" for cause in chain):
        return "out of memory: reduce the batch size, the members per chunk or the network", FAILED
    where = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(where[-1].filename).name}:{where[-1].lineno}" if where else ""
    return (
        f"{type(error).__name__}{place}: {one_line(str(error))} (a bug in framecast; framecast --debug ... shows "
        "the traceback)",
        FAILED,
    )


def help_of(error: BaseException) -> list[str]:
    """Return the lines of the help that is shown where a command alone needs more words, else nothing."""
    if isinstance(error, CommandLineError) and type(error).__name__ == "NoArgsIsHelpError":
        return str(error.format_message()).splitlines()  # type: ignore[attr-defined]
    return []


def _missing_package(package: str) -> str:
    """Return what to install where ``package`` belongs to a domain, else nothing."""
    for domain in domains():
        if package in domain.packages:
            return f"{package} is not installed (required for {domain.name} data): {domain.install}"
    return ""


def _tells_of_a_full_disk(error: BaseException) -> bool:
    """Whether there was no space: on the disk, in the user's quota, or for a file of this size."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return (isinstance(error, OSError) and error.errno in full) or any(
        os.strerror(number) in str(error) for number in full
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
