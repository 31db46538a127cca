"""How a command ends when something goes wrong: one line on stderr and an exit code.

    0    all went well
    1    something failed that is not the user's mistake: a full disk, out of memory, a bug in framecast
    2    the user's mistake: a misspelt option, a file that is not there, an output that exists
    130  interrupted by Ctrl-C (SIGINT)
    143  stopped by SIGTERM

``framecast --debug COMMAND`` (or ``FRAMECAST_DEBUG=1``) shows where it went wrong instead.
"""

import errno
import os
import traceback
from collections.abc import Iterator
from pathlib import Path

import typer

from framecast.cli.stopping import Interrupted
from framecast.core.distributed import ElsewhereError, is_first
from framecast.core.domain import domains
from framecast.core.errors import FramecastError
from framecast.core.text import one_line

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130

# The class of every mistake on the command line (an unknown option, a missing argument) has no public name in typer.
CommandLineError = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")

_USERS_MISTAKES = (FileNotFoundError, FileExistsError, NotADirectoryError, IsADirectoryError, PermissionError)


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
