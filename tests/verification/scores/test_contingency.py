"""Scores of warnings, by hand (Finley's tornadoes, 1884) and by pysteps."""

import numpy as np
import pytest

from framecast.verification.scores.contingency import (
    critical_success,
    detection,
    false_alarm_ratio,
    heidke_skill,
    true_skill,
)

HITS, ALARMS, MISSES, NEGATIVES = (np.array(n) for n in (28, 72, 23, 2680))


def test_tornadoes():
    """Wilks (2011), section 8.2.3."""
    assert detection(HITS, MISSES) == pytest.approx(0.549, abs=1e-3)
    assert false_alarm_ratio(HITS, ALARMS) == pytest.approx(0.720, abs=1e-3)
    assert critical_success(HITS, ALARMS, MISSES) == pytest.approx(0.228, abs=1e-3)
    assert true_skill(HITS, ALARMS, MISSES, NEGATIVES) == pytest.approx(0.523, abs=1e-3)
    assert heidke_skill(HITS, ALARMS, MISSES, NEGATIVES) == pytest.approx(0.355, abs=1e-3)


def test_pysteps_says_the_same():
    verification = pytest.importorskip("pysteps.verification.detcatscores")
    random = np.random.default_rng(0)
    forecast, seen = random.normal(size=(2, 1000))
    seen = 0.6 * forecast + 0.8 * seen
    theirs = verification.det_cat_fct(forecast, seen, 0.5, ["POD", "FAR", "CSI", "HK", "HSS"])
    warned, happened = forecast > 0.5, seen > 0.5
    cells = [np.sum(a & b) for a, b in ((warned, happened), (warned, ~happened), (~warned, happened))]
    negatives = np.sum(~warned & ~happened)
    ours = {
        "POD": detection(cells[0], cells[2]),
        "FAR": false_alarm_ratio(cells[0], cells[1]),
        "CSI": critical_success(*cells),
        "HK": true_skill(*cells, negatives),
        "HSS": heidke_skill(*cells, negatives),
    }
    for name, value in ours.items():
        assert value == pytest.approx(theirs[name]), name


def test_nothing_warned_of_and_nothing_happened_has_no_value():
    none = np.zeros(3)
    for value in (detection(none, none), false_alarm_ratio(none, none), critical_success(none, none, none)):
        assert np.isnan(value).all()
    assert np.isnan(true_skill(none, none, none, none + 5)).all()
