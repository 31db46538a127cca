"""How signals end a command.

SIGTERM is what a preemptible node sends some seconds before the machine is withdrawn; SIGINT is Ctrl-C. Either raises
`Interrupted`: what is complete is kept by whoever wrote it, who says so in a note of the exception, and the command
ends with one line and the code 128 and the number of the signal (130, 143).

Training would lose the step that is being made, so there the first signal only asks (`Stop`). A second Ctrl-C ends at
once.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from framecast.core.progress import note


class Interrupted(KeyboardInterrupt):
    """A signal ended the command.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def __str__(self) -> str:
        reason = "interrupted" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"
        return "; ".join([reason, *getattr(self, "__notes__", ())])

    @property
    def code(self) -> int:
        """With which the command ends."""
        return 128 + self.number


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
