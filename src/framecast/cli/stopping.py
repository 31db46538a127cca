"""Ending long work well: a signal, or the end of the time given, stops it after the step that is being made.

SIGTERM is what a preemptible node sends some seconds before it takes the machine away; SIGINT is Ctrl-C. Stopping in
the middle of a step would leave its work half done, so the first signal only asks. A second Ctrl-C ends at once.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    """Whether to stop, asked by calling it.

    Args:
        seconds: after which it is time.

    Attributes:
        signal: the signal that asked, if one did.
    """

    def __init__(self, seconds: float = float("inf")) -> None:
        self.signal: int | None = None
        self._end = time.monotonic() + seconds

    def __call__(self) -> bool:
        """Return whether it is time to stop."""
        return self.signal is not None or time.monotonic() > self._end

    @property
    def reason(self) -> str:
        """Who asked."""
        return "out of time" if self.signal is None else f"stopped by {signal.Signals(self.signal).name}"

    @contextmanager
    def on_signals(self) -> Iterator["Stop"]:
        """Let SIGINT and SIGTERM ask for the end during the block that follows; only in the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._asked) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number
