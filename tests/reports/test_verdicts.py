"""What the report says in sentences: no verdict where the interval holds the nominal value, none that flatters."""

from types import SimpleNamespace

import numpy as np
import pytest

from framecast.reports.verdicts import _but, _opposite, _structure, structure
from framecast.verification.results import Comparison
from framecast.verification.scores import Estimate

WAVES = (32 / np.arange(1, 17)).tolist()


def members(power, width=0.05):
    """A forecast whose members have this power, relative to the truth, at each wavelength."""
    value = np.broadcast_to(np.asarray(power, float), 16)
    ends = (value * (1 - width), value * (1 + width))
    return SimpleNamespace(scores={"power_ratio": SimpleNamespace(total=Estimate(value, {90: ends, 95: ends}))})


def test_as_much_structure_as_observed_is_not_distinguishable():
    [sentence] = _structure("net", structure(members(1.02), WAVES))
    assert sentence == "The structure of single members of net is not distinguishable from that of the observations."


def test_white_noise_is_never_called_good():
    noise = members(np.geomspace(0.3, 40, 16))
    bands = structure(noise, WAVES)
    assert [band.name for band in bands if band.implausible] == ["large", "small"] or bands[-1].implausible
    [sentence] = _structure("net", bands)
    assert "too much (noise) at small scales" in sentence and "waves of 2 to" in sentence
    said = _but(
        "net is better than persistence: its CRPS is 20 % lower.", ["its members do not look like observations"]
    )
    assert said.endswith("; but its members do not look like observations.")


def test_blurred_members_and_a_little_too_much():
    [sentence] = _structure("net", structure(members(np.geomspace(1.0, 0.05, 16)), WAVES))
    assert "too little (blurred) at small scales" in sentence
    [sentence] = _structure("net", structure(members(1.2), WAVES))
    assert "too much at small scales" in sentence and "noise" not in sentence


def test_noise_is_called_noise_even_where_there_is_no_interval():
    bands = structure(members(np.geomspace(1, 30, 16), width=np.nan), WAVES)
    assert [band.judged for band in bands] == [False] * 3
    [sentence] = _structure("net", bands)
    assert "too much (noise) at small scales" in sentence and "no interval" in sentence
    [sentence] = _structure("net", structure(members(0.2, width=np.nan), WAVES))
    assert sentence.count("too little (blurred)") == 3
    assert _structure("net", structure(members(1.3, width=np.nan), WAVES)) == []


def test_nothing_is_said_where_no_spectrum_is_known():
    assert _structure("net", structure(members(np.nan), WAVES)) == []


@pytest.mark.parametrize(
    ("verdict", "expected"), [("better", "worse in member SSIM"), ("worse", ""), ("undecided", "")]
)
def test_a_score_that_got_worse_stands_beside_one_that_got_better(verdict, expected):
    nothing = Estimate(np.array(0.0), {90: (np.array(0.0),) * 2, 95: (np.array(0.0),) * 2})
    pair = SimpleNamespace(scores={"ssim": Comparison(total=nothing, verdict="worse")})
    info = {"ssim": SimpleNamespace(shown="report", label="Member SSIM")}
    scores = SimpleNamespace(difference=lambda first, second: pair, score_info=info)
    assert _opposite("net", "persistence", verdict, scores) == expected


def test_scores_of_quantities_that_got_worse_are_named_together():
    nothing = Estimate(np.array(0.0), {90: (np.array(0.0),) * 2, 95: (np.array(0.0),) * 2})
    labels = {"rmse": "RMSE", "peak_crps": "Peak total, CRPS", "mean_crps": "Mean, CRPS"}
    pair = SimpleNamespace(scores={name: Comparison(total=nothing, verdict="worse") for name in labels})
    info = {name: SimpleNamespace(shown="report", label=label) for name, label in labels.items()}
    scores = SimpleNamespace(difference=lambda first, second: pair, score_info=info)
    assert _opposite("net", "persistence", "better", scores) == "worse in RMSE, and in the CRPS of peak total and mean"
