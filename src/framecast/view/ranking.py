"""Scores of every window of a file, computed in the background so that a list can be sorted by them."""

import threading
import time
from typing import Any

from framecast.core.errors import FramecastError
from framecast.view.answers import window_scores
from framecast.view.library import ForecastFile, Library

COLUMNS = ("skill", "crps", "mae", "rmse", "spread", "event")
_PAUSE = 0.002


class Ranking:
    """The scores of the windows of one file, as far as they are known."""

    def __init__(self, library: Library, file: ForecastFile) -> None:
        self._library, self.file = library, file
        empty: list[Any] = [None] * file.windows
        self._found = [{name: list(empty) for name in COLUMNS} for _ in file.channels]
        self._done = 0
        self._fault = ""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._compute, name=f"scores of {file.key}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the computation."""
        self._stopped.set()

    def table(self, channel: int) -> dict[str, Any]:
        """Return the columns, ``None`` where a window is not done or has no such score."""
        own = self._found[channel] if 0 <= channel < len(self._found) else {}
        return {"done": self._done, "total": self.file.windows, "fault": self._fault, "columns": own}

    def _compute(self) -> None:
        for number in range(self.file.windows):
            if self._stopped.is_set():
                return
            try:
                found = window_scores(self._library.read(self.file, number))["total"]
            except FramecastError as error:  # one damaged window must not stop the others
                self._fault = str(error)
            else:
                for channel, columns in enumerate(self._found):
                    for name in COLUMNS:
                        columns[name][number] = found[name][channel]
            self._done = number + 1
            time.sleep(_PAUSE)  # requests come first


class Rankings:
    """The rankings of all requested files."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._rankings: dict[str, Ranking] = {}
        self._lock = threading.Lock()

    def of(self, key: str) -> Ranking:
        """Return the ranking of a file, started now on the first request or if the file was rewritten."""
        file = self._library.file(key)
        with self._lock:
            found = self._rankings.get(key)
            if found is None or found.file is not file:
                if found is not None:
                    found.stop()
                found = self._rankings[key] = Ranking(self._library, file)
            return found

    def close(self) -> None:
        """End all computations."""
        for ranking in self._rankings.values():
            ranking.stop()
