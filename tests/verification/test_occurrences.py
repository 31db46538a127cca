"""Whether something happens within the horizon: a world in which the probability is known."""

import numpy as np
import pytest
import scoringrules

from framecast.core.errors import ConfigError, DataError
from framecast.data.forecasts import open_forecast
from framecast.reports.tables import occurrences
from framecast.verification.evaluation import evaluate
from framecast.verification.files import from_plain, to_plain
from framecast.verification.occurrences import Event, JudgedWindows, judge_event
from framecast.verification.scores import Bootstrap

N, MEMBERS = 600, 20
CLASSES = ("none", "C", "M", "X")


def world(*, seed: int = 0) -> tuple[JudgedWindows, np.ndarray]:
    """A log-normal peak whose median is known to the model, and to the past with an error; and the probability of 100.

    The class follows from the true peak; the model's members are too narrow and too low.
    """
    random = np.random.default_rng(seed)
    median = random.normal(np.log(60), 0.8, N)
    came = np.exp(median + 0.5 * random.normal(size=N))
    members = np.exp(median - 0.3 + 0.2 * random.normal(size=(MEMBERS, N)))
    before = np.exp(median + 0.8 * random.normal(size=N))
    labels = [CLASSES[int(np.searchsorted([50, 100, 300], peak, side="right"))] for peak in came]
    windows = JudgedWindows(
        values={"peak": {"model": members}},
        came={"peak": came},
        before={"peak": before},
        labels=labels,
        classes=CLASSES,
    )
    from scipy.stats import norm

    return windows, norm.cdf((median - np.log(100)) / 0.5)


BLOCKS = [str(k // 4) for k in range(N)]


@pytest.fixture(scope="module")
def judged():
    windows, _ = world()
    bootstrap = Bootstrap(BLOCKS, replicates=200)
    return judge_event(Event.parse("peak>=100"), windows, ["model"], BLOCKS, bootstrap, lead="peak")


def test_calibrated_probabilities_come_near_the_known_ones(judged):
    windows, probability = world()
    happened = windows.came["peak"] >= 100
    best = float(np.mean(scoringrules.brier_score(happened.astype(float), probability)))
    own, raw = judged.forecasts["model"], judged.forecasts["model (members)"]
    assert best - 0.01 < float(own.brier) < best + 0.01
    assert float(own.brier) < float(raw.brier)  # the members are overconfident and biased
    low, high = own.observed.bounds()
    inside = (low - 0.1 <= own.probability) & (own.probability <= high + 0.1)
    assert inside.mean() > 0.8


def test_references_are_the_frequency_and_the_past(judged):
    rate = judged.happened / judged.windows
    climatology, activity = judged.forecasts["climatology"], judged.forecasts["activity"]
    assert float(climatology.brier) == pytest.approx(rate * (1 - rate), rel=0.02)
    assert float(climatology.brier) > float(activity.brier) > float(judged.forecasts["model"].brier)
    for other in ("climatology", "activity"):
        own = judged.forecasts["model"]
        expected = 1 - float(own.brier) / float(judged.forecasts[other].brier)
        assert float(own.skill[other]) == pytest.approx(expected) and own.skill[other].sign == 1


def test_tables_give_the_skill_scores(judged):
    own = judged.forecasts["model"]
    hits, alarms, misses, negatives = own.table
    assert hits + misses == judged.happened and sum(own.table) == judged.windows
    assert float(own.tss) == pytest.approx(hits / (hits + misses) - alarms / (alarms + negatives))
    assert own.tss.certain and own.hss.certain and 0.8 < float(own.roc_area) < 1
    assert float(own.tss) > float(judged.forecasts["activity"].tss)
    assert int(own.count.sum()) == judged.windows


def test_levels_of_activity_are_thirds_of_the_past(judged):
    counts = judged.activity
    assert list(counts) == ["low", "medium", "high"]
    assert sum(windows for windows, _ in counts.values()) == judged.windows
    rates = [happened / windows for windows, happened in counts.values()]
    assert rates == sorted(rates)
    briers = judged.forecasts["model"].by_activity
    total = sum(float(briers[level]) * counts[level][0] for level in counts) / judged.windows
    assert total == pytest.approx(float(judged.forecasts["model"].brier))


@pytest.mark.thorough
def test_classes_are_forecast_from_the_size_of_the_ensemble():
    windows, _ = world()
    found = {
        text: judge_event(Event.parse(text), windows, ["model"], BLOCKS, Bootstrap(BLOCKS, replicates=100), lead="peak")
        for text in ("class>=C", "class>=M", "class>=X")
    }
    counts = [each.happened for each in found.values()]
    assert counts == sorted(counts, reverse=True)
    assert found["class>=M"].happened == sum(label in ("M", "X") for label in windows.labels)
    for each in found.values():
        assert float(each.forecasts["model"].skill["climatology"]) > 0.2
        assert "model (members)" not in each.forecasts


def test_no_skill_is_found_where_there_is_none():
    windows, _ = world()
    random = np.random.default_rng(5)
    shuffled = JudgedWindows(
        values={"peak": {"model": windows.values["peak"]["model"][:, random.permutation(N)]}},
        came=windows.came,
        before={"peak": windows.before["peak"][random.permutation(N)]},
    )
    bootstrap = Bootstrap(BLOCKS, replicates=200)
    found = judge_event(Event.parse("peak>=100"), shuffled, ["model"], BLOCKS, bootstrap, lead="peak")
    own = found.forecasts["model"]
    assert abs(float(own.skill["climatology"])) < 0.03 and abs(float(own.tss)) < 0.12


def test_what_cannot_be_judged_is_refused():
    windows, _ = world()
    bootstrap = Bootstrap(BLOCKS, replicates=100)

    def ask(text: str, own: JudgedWindows = windows) -> None:
        judge_event(Event.parse(text), own, ["model"], BLOCKS, bootstrap, lead="peak")

    for text, reason in (
        ("peak", "is not an event"),
        ("peak>=much", "'much' is not a number"),
        ("pole>=3", "no quantity 'pole'; choose from peak"),
        ("class>=Z", "no class 'Z'; choose from none, C, M, X"),
    ):
        with pytest.raises(ConfigError, match=reason):
            ask(text)
    with pytest.raises(DataError, match=f"occurs in 0 of {N} .*from .* to "):
        ask("peak>=1e9")
    with pytest.raises(DataError, match="needs the class of each window"):
        ask("class>=M", JudgedWindows(values=windows.values, came=windows.came, before={}))


@pytest.mark.thorough
def test_an_evaluation_judges_events_and_keeps_them(gaussian_forecast, tmp_path):
    path = gaussian_forecast(tmp_path / "f.zarr", samples=40, sequences=10, size=(8, 8))
    totals = open_forecast(path)["truth"].sum(("y", "x", "channel")).max("lead_time")
    value = float(totals.median())
    scores = evaluate(path, replicates=100, events=[f"peak>={value}"]).scores
    (found,) = scores.occurrences
    assert (found.windows, found.happened) == (40, 20)
    own = found.forecasts["gaussian"]
    assert float(own.brier) < float(found.forecasts["climatology"].brier)
    assert sum(own.table) == 40 and set(own.skill) == {"climatology", "activity"}
    again = from_plain(to_plain(scores)).occurrences[0]
    assert again.forecasts["gaussian"].table == own.table
    assert float(again.forecasts["gaussian"].tss) == float(own.tss)
    table = occurrences(scores)
    assert len(table.rows) == len(found.forecasts) and "40 windows" in table.rows[0].hint
    with pytest.raises(ConfigError, match="no quantity 'pole'"):
        evaluate(path, replicates=100, events=["pole>=3"])
