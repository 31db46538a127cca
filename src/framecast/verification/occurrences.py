"""Events within the forecast horizon: the peak exceeds x, or an event of class M or above occurs.

There is one binary outcome for each window. The predictors are the fraction of members that reach the threshold, and
the peak of the median member. A logistic regression on both turns that into a calibrated probability; it is fitted on
the other blocks (cross-validation). Two references are computed in the same way: *climatology*, the frequency of the
event in the other blocks, and *persistence of activity*, a logistic regression on the maximum of the past. A warning
is given where the probability exceeds the value with the best true skill statistic (TSS) on the other blocks.

References:
    Leka et al. (2019), "A comparison of flare forecasting methods. II", ApJS 243 (Brier skill, reliability, ROC, TSS,
    HSS, and the references); Wilks (2011), ch. 7.2 (logistic regression of ensembles).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.verification.results import OccurrenceForecast, Occurrences
from framecast.verification.scores import Bootstrap, ratio, roc
from framecast.verification.scores.bootstrap import Statistic, mean
from framecast.verification.scores.events import heidke_skill, true_skill

Array = np.ndarray

CLASS = "class"
CLIMATOLOGY, ACTIVITY, RAW = "climatology", "activity", "members"
_LABELS = {CLIMATOLOGY: "Climatology", ACTIVITY: "Persistence of activity"}
_FOLDS, _BINS = 10, 10
_PENALTY = 1e-2
_LEVELS = ("low", "medium", "high")


@dataclass(frozen=True)
class Event:
    """An event: a derived quantity reaches a value, or a class is reached: ``peak>=50000``, ``class>=M``."""

    subject: str
    least: str

    @classmethod
    def parse(cls, text: str) -> "Event":
        """Return the event that ``text`` names.

        Raises:
            ConfigError: it is not of this form, or the value is not a number.
        """
        found = re.fullmatch(r"\s*(\w+)\s*(?:>=|≥|>)\s*(\S+)\s*", text)
        if found is None:
            raise ConfigError(f"{text!r} is not an event: write QUANTITY>=VALUE or class>=CLASS, such as peak>=50000")
        subject, least = found.groups()
        if subject != CLASS:
            try:
                float(least)
            except ValueError:
                raise ConfigError(f"{text!r}: {least!r} is not a number") from None
        return cls(subject, least)

    def check(self, quantities: Iterable[str], classes: Sequence[str]) -> None:
        """Raise `ConfigError` if there is no such quantity or class, `DataError` if there are no classes."""
        if self.subject != CLASS and self.subject not in (names := list(quantities)):
            raise ConfigError(f"{self}: there is no quantity {self.subject!r}; choose from {', '.join(names)}")
        if self.subject == CLASS and not classes:
            raise DataError(f"{self} needs the class of each window: forecast an archive with labels")
        if self.subject == CLASS and self.least not in classes:
            raise ConfigError(f"{self}: there is no class {self.least!r}; choose from {', '.join(classes)}")

    def __str__(self) -> str:
        return f"{self.subject}>={self.least}"


@dataclass(frozen=True, kw_only=True)
class JudgedWindows:
    """Data of the windows of one evaluation, in their order.

    Attributes:
        values: name of a quantity -> name of a forecast -> its values, largest over channels, ``[member, sample]``.
        came: name of a quantity -> the true values ``[sample]``.
        before: name of a quantity -> the same of the past, ``[sample]``; empty if it is not among the past channels.
        labels: class of each window, empty where unknown.
        classes: their names, in increasing order.
    """

    values: dict[str, dict[str, Array]]
    came: dict[str, Array]
    before: dict[str, Array]
    labels: Sequence[str] = ()
    classes: Sequence[str] = ()


def judge_event(
    event: Event,
    windows: JudgedWindows,
    models: Sequence[str],
    blocks: Sequence[str],
    bootstrap: Bootstrap,
    *,
    lead: str,
) -> Occurrences:
    """Return how well each model forecasts an event, compared with climatology and persistence of activity.

    ``blocks`` is the block of each sample, ``lead`` the name of the quantity that predicts classes.

    Raises:
        ConfigError: there is no such quantity or class.
        DataError: the event occurs in no window or in all, or no window has a label.
    """
    happened = _happened(event, windows)
    known = np.isfinite(happened)
    quantity = lead if event.subject == CLASS else event.subject
    if not known.any() or not 0 < happened[known].mean() < 1:
        values = windows.came.get(event.subject, happened)[known]
        least, middle, most = np.quantile(values, [0, 0.5, 1]) if values.size else [np.nan] * 3
        raise DataError(
            f"{event} occurs in {int(np.nansum(happened))} of {int(known.sum())} windows with a known outcome "
            f"(values from {least:.4g} to {most:.4g}, median {middle:.4g}): choose one that occurs in some windows "
            "but not in all"
        )
    folds = _folds(blocks)
    before = windows.before.get(quantity)
    activity = _size(before if before is not None else np.full(len(happened), np.nan))
    found: dict[str, Array] = {CLIMATOLOGY: _cross_fitted(np.zeros((len(happened), 0)), happened, folds)}
    if before is not None:
        found[ACTIVITY] = _cross_fitted(activity[:, None], happened, folds)
    for name in models:
        members = windows.values[quantity][name]
        inputs = [_size(np.nanmedian(members, axis=0))]
        if event.subject != CLASS:
            raw = np.where(np.isfinite(members).any(0), np.nanmean(members >= float(event.least), axis=0), np.nan)
            found[f"{name} ({RAW})"] = raw
            count = len(members)
            odds = (raw * count + 0.5) / (count + 1)
            inputs.append(np.log(odds / (1 - odds)))
        found[name] = _cross_fitted(np.stack(inputs, 1), happened, folds)
    # All are scored on the same windows.
    for own in found.values():
        known &= np.isfinite(own)
    squared = {name: np.where(known, (own - happened) ** 2, 0.0) for name, own in found.items()}
    counted, levels = known.astype(np.float64), _levels(activity, known)
    return Occurrences(
        event=str(event),
        windows=int(known.sum()),
        happened=int(happened[known].sum()),
        models=list(models),
        forecasts={
            name: OccurrenceForecast(
                label=_LABELS.get(name, name),
                brier=bootstrap.estimate(mean(squared[name], counted)),
                skill={
                    other: bootstrap.estimate(_skill(squared[name], squared[other], counted))
                    for other in (CLIMATOLOGY, ACTIVITY)
                    if other in found and other != name
                },
                by_activity={
                    level: bootstrap.estimate(mean(squared[name] * part, part.astype(np.float64)))
                    for level, part in levels.items()
                },
                **_results(own, happened, known, folds, bootstrap),
            )
            for name, own in found.items()
        },
        activity={level: [int(part.sum()), int(happened[part].sum())] for level, part in levels.items()},
    )


def _happened(event: Event, windows: JudgedWindows) -> Array:
    """Return 1 where the event occurred, 0 where it did not, NaN where unknown."""
    order = list(windows.classes) if any(windows.labels) else []
    event.check(windows.came, order)
    if event.subject != CLASS:
        came = windows.came[event.subject]
        return np.where(np.isfinite(came), came >= float(event.least), np.nan)
    place = [order.index(label) if label in order else np.nan for label in windows.labels]
    return np.where(np.isfinite(place), np.asarray(place) >= order.index(event.least), np.nan)


def _results(probability: Array, happened: Array, known: Array, folds: Array, bootstrap: Bootstrap) -> dict[str, Any]:
    """Return the fields of `OccurrenceForecast` that do not follow from the squared errors."""
    p, o = (np.where(known, values, 0.0) for values in (probability, happened))
    warned, came, draw = p >= _thresholds(p, o == 1, known, folds), o == 1, bootstrap.estimate
    outcomes = (warned & came, warned & ~came, ~warned & came, ~warned & ~came)
    cells = np.stack([known & outcome for outcome in outcomes], axis=1).astype(np.float64)
    bins = np.eye(_BINS)[np.clip(np.floor(p * _BINS), 0, _BINS - 1).astype(int)] * known[:, None]
    bins = bins[:, bins.sum(0) > 0]
    ranks = (known[:, None] & (p[:, None] == np.unique(p[known]))).astype(np.float64)
    return {
        "roc_area": draw(lambda weights: roc(weights @ ranks, weights @ (ranks * o[:, None]))[2]),
        "tss": draw(lambda weights: np.asarray(true_skill(*(weights @ cells).T))),
        "hss": draw(lambda weights: np.asarray(heidke_skill(*(weights @ cells).T))),
        "table": [int(count) for count in cells.sum(0)],
        "probability": (bins * p[:, None]).sum(0) / bins.sum(0),
        "observed": draw(mean(bins * o[:, None], bins)),
        "count": bins.sum(0),
    }


def _thresholds(probability: Array, came: Array, known: Array, folds: Array) -> Array:
    """Return, for each window, the probability that warns best (by TSS) in the other folds."""
    chosen = np.full(len(came), 0.5)
    for fold in np.unique(folds):
        other = known & (folds != fold)
        p, o = probability[other], came[other]
        if o.any() and not o.all():
            tried = np.unique(p)
            skills = [(p[o] >= t).mean() - (p[~o] >= t).mean() for t in tried]
            chosen[folds == fold] = tried[int(np.argmax(skills))]
    return chosen


def _skill(own: Array, other: Array, count: Array) -> Statistic:
    return lambda weights: 1 - ratio(mean(own, count)(weights), mean(other, count)(weights))


def _folds(blocks: Sequence[str]) -> Array:
    """Return the fold of each sample: whole blocks, at most ten folds; single samples where all are one block."""
    _, place = np.unique(np.asarray(blocks), return_inverse=True)
    if place.max(initial=0) == 0:
        place = np.arange(len(place)) * _FOLDS // max(len(place), 1)  # neighbours together
    return np.asarray(place % _FOLDS)


def _cross_fitted(inputs: Array, happened: Array, folds: Array) -> Array:
    """Return the probability of the event in each window, by a logistic regression on the other folds."""
    found = np.full(len(happened), np.nan)
    complete = np.isfinite(inputs).all(axis=1) if inputs.size else np.ones(len(happened), dtype=bool)
    for fold in np.unique(folds):
        own, other = complete & (folds == fold), complete & (folds != fold) & np.isfinite(happened)
        if other.any():
            found[own] = _logistic(inputs[other], happened[other], inputs[own])
    return found


def _logistic(inputs: Array, happened: Array, wanted: Array) -> Array:
    """Return probabilities by a logistic regression with a small ridge penalty on standardised inputs (Newton)."""
    centre, scale = inputs.mean(0), np.where(inputs.std(0) > 0, inputs.std(0), 1.0)
    rows, asked = (np.c_[np.ones(len(x)), (x - centre) / scale] for x in (inputs, wanted))
    # Half an event is added on either side, so that events that never occurred are not impossible.
    rate = (happened.sum() + 0.5) / (len(happened) + 1)
    weights = np.r_[np.log(rate / (1 - rate)), np.zeros(inputs.shape[1])]
    if inputs.shape[1] and 0 < happened.mean() < 1:
        ridge = np.diag([1e-9, *[_PENALTY * len(happened)] * inputs.shape[1]])
        for _ in range(50):
            p = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
            slope = rows.T @ (happened - p) - ridge @ weights
            step = np.linalg.solve((rows * (p * (1 - p))[:, None]).T @ rows + ridge + 1e-9 * np.eye(len(ridge)), slope)
            weights = weights + np.clip(step, -2, 2)
            if np.abs(step).max() < 1e-8:
                break
    return np.asarray(1 / (1 + np.exp(-np.clip(asked @ weights, -30, 30))))


def _size(values: Array) -> Array:
    """Return the logarithm of values that are all positive, else the values."""
    known = values[np.isfinite(values)]
    return np.log(values) if known.size and (known > 0).all() else np.asarray(values, dtype=np.float64)


def _levels(activity: Array, known: Array) -> dict[str, Array]:
    """Return which windows have a low, medium and high level of activity before: thirds of the known ones."""
    known = known & np.isfinite(activity)
    if known.sum() < len(_LEVELS):
        return {}
    edges = np.quantile(activity[known], [1 / 3, 2 / 3])
    place = np.searchsorted(edges, activity, side="right")
    return {name: known & (place == k) for k, name in enumerate(_LEVELS)}
