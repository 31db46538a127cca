"""Scores of the two-by-two table of hits, false alarms, misses and correct negatives.

Each is a function of counts, or of fractions of all cases, as arrays of any shape; NaN if undefined.

References:
    Wilks (2011), "Statistical Methods in the Atmospheric Sciences", ch. 8.2; Bloomfield et al. (2012), "Toward reliable
    benchmarking of solar flare forecasting methods", ApJ Lett. 747 (TSS for rare events).
"""

from typing import Any

from framecast.verification.scores.bootstrap import ratio

Counts = Any
"""Numbers, or arrays of any shape."""


def detection(hits: Counts, misses: Counts) -> Counts:
    """Return the probability of detection (POD): the fraction of events that were warned of; 1 is best."""
    return ratio(hits, hits + misses)


def false_alarm_ratio(hits: Counts, alarms: Counts) -> Counts:
    """Return the false alarm ratio (FAR): the fraction of warnings after which nothing happened; 0 is best."""
    return ratio(alarms, hits + alarms)


def critical_success(hits: Counts, alarms: Counts, misses: Counts) -> Counts:
    """Return the critical success index (CSI, threat score): hits over warnings and events together; 1 is best."""
    return ratio(hits, hits + alarms + misses)


def true_skill(hits: Counts, alarms: Counts, misses: Counts, negatives: Counts) -> Counts:
    """Return the true skill statistic (TSS, Peirce): POD minus the false alarm rate; 0 is no skill, 1 is best."""
    return detection(hits, misses) - ratio(alarms, alarms + negatives)


def heidke_skill(hits: Counts, alarms: Counts, misses: Counts, negatives: Counts) -> Counts:
    """Return the Heidke skill score (HSS): the fraction correct beyond chance, over what is possible; 1 is best."""
    above = 2 * (hits * negatives - alarms * misses)
    return ratio(above, (hits + misses) * (misses + negatives) + (hits + alarms) * (alarms + negatives))
