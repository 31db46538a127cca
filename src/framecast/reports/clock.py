"""Lead times in suitable units: minutes for rain, hours for storms, days for the weather."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clock:
    """The unit in which a set of lead times is given.

    Attributes:
        seconds: length of the unit.
    """

    unit: str
    seconds: float

    @classmethod
    def of(cls, longest: float) -> "Clock":
        """Return the clock for lead times of up to ``longest`` seconds."""
        if longest < 300:
            return cls("s", 1.0)
        if longest < 2 * 3600:
            return cls("min", 60.0)
        if longest <= 7 * 86400:
            return cls("h", 3600.0)
        return cls("d", 86400.0)

    @property
    def name(self) -> str:
        """The unit in full."""
        return {"s": "seconds", "min": "minutes", "h": "hours", "d": "days"}[self.unit]

    def number(self, seconds: float) -> float:
        """Return ``seconds`` in this unit."""
        return seconds / self.seconds

    def text(self, seconds: float, *, sign: bool = False) -> str:
        """Return ``seconds`` in words, with a sign before it if wanted: ``6 h``, ``+6 h``, ``−30 min``."""
        value = f"{self.number(seconds):+.3g}" if sign else f"{self.number(seconds):.3g}"
        return f"{value} {self.unit}".replace("-", "−")
