"""Blocks of samples that are treated as independent by the bootstrap.

Samples of the same weather are not independent: many places on the same two days are evidence from two days. ``auto``
therefore uses the metadata and the scores:

- sequences are blocks where the archive says that they are independent, or where nothing is known and forecasts of
  different sequences at the same time have scores no more similar than at different times;
- else time is cut into periods, at first of a day or of the length of a window, then twice as long as often as
  the scores of successive periods are correlated.

Fewer than five blocks allow no interval.
"""

from dataclasses import dataclass

import numpy as np

from framecast.core.options import format_duration
from framecast.verification.cases import Cases
from framecast.verification.options import Blocks

ENOUGH_BLOCKS = 8
"""With fewer blocks percentile intervals are too narrow to be trusted."""

LEAST_BLOCKS = 5
"""With fewer blocks, ``auto`` gives no interval."""

_PERMUTATIONS = 199
_SIGNIFICANT = 0.01
_DAY = 86400.0


@dataclass(frozen=True)
class Chosen:
    """The block of each sample, their kind, the reason for it, and the number below which there is no interval."""

    names: list[str]
    blocks: str
    reason: str = ""
    least: int = 2


def choose_blocks(cases: Cases) -> Blocks:
    """Return sequences if there are enough of them, or times have no dates, else the kind with the most blocks."""
    if len(set(cases.sequences)) >= ENOUGH_BLOCKS or cases.calendar.name == "none":
        return "sequence"
    known: tuple[Blocks, ...] = ("sequence", "day", "sequence-day")
    return max(known, key=lambda blocks: len(set(cases.named(blocks))))


def independent_blocks(cases: Cases, values: np.ndarray) -> Chosen:
    """Return the blocks chosen by ``auto``; see the module.

    ``values`` is a score of each sample, NaN where it has none; best the logarithm of the ratio to a baseline.
    """
    seconds = (cases.issue_times - cases.issue_times.min()) / np.timedelta64(1, "s")
    several, told = len(set(cases.sequences)) > 1, cases.sources[0].dataset.attrs.get("independent_sequences")
    if several and told is None:
        if not _alike(values, seconds):
            own = choose_blocks(cases)
            return Chosen(cases.named(own), own, "as far as their scores tell", LEAST_BLOCKS)
        told = False
    if several and told:
        return Chosen(cases.sequences, "sequence", "as their archive says", LEAST_BLOCKS)
    length = max(_DAY, cases.lead_times[-1] - cases.past_times[0])
    while _successive(values, periods := np.floor(seconds / length).astype(int)):
        length *= 2
    alike = "sequences of the same days" if several else "samples close in time"
    reason = f"{alike} are not independent"
    return Chosen([str(k) for k in periods], f"periods of {format_duration(length)}", reason, LEAST_BLOCKS)


def effective_number(values: np.ndarray, draws: np.ndarray) -> float:
    """Return the number of independent samples with the same uncertainty of the mean as ``values``.

    ``draws`` are the means of the values in each draw of blocks.
    """
    known, draws = values[np.isfinite(values)], draws[np.isfinite(draws)]
    if len(known) < 2 or len(draws) < 2 or not np.var(draws) > 0:
        return float("nan")
    return float(min(len(known), np.var(known) / np.var(draws)))


def _alike(values: np.ndarray, seconds: np.ndarray) -> bool:
    """Whether scores at the same time are more similar than by chance: a permutation test of their variance."""
    known = np.isfinite(values)
    values, (_, slot) = values[known], np.unique(seconds[known], return_inverse=True)
    count = np.bincount(slot)
    if len(count) < 2 or count.max() < 2:
        return False

    def between(own: np.ndarray) -> float:
        means = np.bincount(slot, own) / count
        return float((count * (means - own.mean()) ** 2).sum())

    random = np.random.default_rng(0)
    found = between(values)
    beyond = sum(between(random.permutation(values)) >= found for _ in range(_PERMUTATIONS))
    return (beyond + 1) / (_PERMUTATIONS + 1) <= _SIGNIFICANT


def _successive(values: np.ndarray, periods: np.ndarray) -> bool:
    """Whether the mean scores of successive periods are correlated beyond chance, of at least eight periods."""
    known = np.isfinite(values)
    names, place = np.unique(periods[known], return_inverse=True)
    if len(names) < ENOUGH_BLOCKS:
        return False
    means = np.bincount(place, values[known]) / np.bincount(place)
    means = means - means.mean()
    pairs = np.flatnonzero(np.diff(names) == 1)
    if len(pairs) < ENOUGH_BLOCKS - 1 or not means.any():
        return False
    correlation = (means[pairs] * means[pairs + 1]).mean() / (means**2).mean()
    return bool(correlation > 1.645 / np.sqrt(len(pairs)))
