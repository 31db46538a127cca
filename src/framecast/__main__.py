"""``python -m framecast`` and the ``framecast`` command."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line; until its libraries are imported, a signal ends it with one line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)

    from framecast.core.distributed import stop_with_launcher

    stop_with_launcher()  # before anything is imported that takes its time

    from framecast.cli import main as run

    run()


def _leave(number: int, frame: FrameType | None) -> None:
    name = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
    os.write(2, f"framecast: {name}\n".encode())
    os._exit(128 + number)


if __name__ == "__main__":
    main()
