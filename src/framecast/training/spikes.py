"""Detection of unusually large gradients."""

from collections import deque
from statistics import median

_REMEMBERED = 100
_FEWEST = 20
_TIMES = 5.0


class Spikes:
    """Compares each gradient norm with those of the last hundred steps."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)

    def is_one(self, norm: float) -> bool:
        """Whether ``norm`` is more than five times the median of those before it; NaN never is, and is not kept."""
        if norm != norm or norm == float("inf"):
            return False
        spike = len(self._seen) >= _FEWEST and norm > _TIMES * median(self._seen)
        self._seen.append(norm)
        return spike
