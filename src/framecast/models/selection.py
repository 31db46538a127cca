"""Which pasts of an archive are forecast, and how far. Light, so that the command line can show it at once."""

from dataclasses import dataclass, fields
from typing import Literal

from framecast.core.errors import ConfigError

Side = Literal["train", "validation", "test", "all"]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which pasts of an archive are forecast, and how far; of the first four at most one.

    Attributes:
        latest: only from the newest past, in every sequence that has it; no later frames are needed.
        time: only from the past that ends at this time (UTC), such as 2021-07-14T12:00, or 90min since the start
            where the archive has no dates.
        all_windows: from every past, whether or not the archive contains its future.
        split: hindcasts, whose future is in the archive: one part of the model's own split, or all windows.
            [default: validation for the archive of the training, else as --all-windows]
        horizon: forecast horizon, such as 24h; beyond the model's own frames each member is continued from its own
            forecast.
            [default: the model's frames]
        limit: largest number of windows, evenly spaced.
    """

    latest: bool = False
    time: str | None = None
    all_windows: bool = False
    split: Side | None = None
    horizon: str | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        given = [field.name for field in fields(self)[:4] if getattr(self, field.name) not in (None, False)]
        if len(given) > 1:
            flags = [f"--{name.replace('_', '-')}" for name in given]
            raise ConfigError(f"{' and '.join(flags)} choose different windows: give one of them")
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"limit is {self.limit}; at least one window is forecast")
