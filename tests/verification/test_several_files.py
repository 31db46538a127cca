"""Several forecast files in one evaluation: names, common windows, paired differences."""

import math
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr

from framecast.core.errors import DataError
from framecast.verification.baselines import BASELINES
from framecast.verification.evaluation import Cases, Evaluation, evaluate
from framecast.verification.files import to_plain

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def good(gaussian_forecast: Write, folder: Path) -> Path:
    return _called(gaussian_forecast(folder / "good.zarr", samples=20, sequences=10), "good")


def _called(path: Path, model: str) -> Path:
    attrs = zarr.open_group(path, mode="r+").attrs
    attrs["model"] = model
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zarr: consolidation is not yet in the standard
        zarr.consolidate_metadata(path)
    return path


def _other(good: Path, to: Path, model: str, change: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Path:
    """Copy ``good`` with its members changed: ``change(members, last frame)``."""
    shutil.copytree(good, to)
    group = zarr.open_group(to, mode="r+")
    last = group["past"][:, -1, 1:][:, None, None]
    group["forecast"][...] = change(group["forecast"][:], last)
    return _called(to, model)


@pytest.fixture(scope="module")
def both(good: Path, folder: Path) -> Evaluation:
    """A perfect forecast against the same members moved up by 2."""
    moved = _other(good, folder / "moved.zarr", "moved", lambda members, last: members + 2)
    return evaluate([good, moved])


def test_forecasts_of_all_files_and_the_baselines_stand_side_by_side(both: Evaluation, good: Path) -> None:
    scores = both.scores
    assert scores.models == ["good", "moved"]
    assert list(scores.forecasts) == ["good", "moved", "persistence", "dressed_persistence", "oracle"]
    assert [entry.kind for entry in scores.forecasts.values()][:3] == ["model", "model", "persistence"]
    assert list(scores.provenance) == ["good", "moved"]
    alone = to_plain(evaluate(good).scores)["forecasts"]
    together = to_plain(scores)["forecasts"]
    assert alone["good"] == together["good"]
    assert alone["dressed_persistence"] == together["dressed_persistence"]


def test_each_pair_is_compared_once_under_the_same_draws(both: Evaluation) -> None:
    scores = both.scores
    assert len(scores.differences) == 5 * 4 / 2
    pair = scores.difference("good", "moved").scores
    crps = pair["crps"]
    values = [scores[name]["crps"].value for name in ("good", "moved")]
    assert float(crps.total) == pytest.approx(values[0] - values[1])
    assert crps.relative == pytest.approx(values[0] / values[1] - 1)
    (low, high), (lower, higher) = crps.total.bounds(90), crps.total.bounds(95)
    assert lower < low < float(crps.total) < high < higher < 0
    assert crps.by_lead.value.shape == (3,)
    for score in ("crps", "rmse", "mae", "energy_score", "total_crps", "peak_crps", "integral_crps"):
        assert pair[score].verdict == "better", score
    assert (float(pair["time_of_peak_crps"].total), pair["time_of_peak_crps"].verdict) == (0.0, "undecided")
    assert scores.difference("moved", "oracle").scores["crps"].verdict == "worse"
    assert scores.difference("good", "oracle").scores["crps"].verdict == "undecided"
    assert scores.difference("oracle", "good") is None


def test_the_paired_interval_is_narrower_than_the_two_intervals_side_by_side(both: Evaluation) -> None:
    low, high = both.scores.difference("persistence", "dressed_persistence").scores["crps"].total.bounds()
    apart = [both.scores[name]["crps"].total.bounds() for name in ("persistence", "dressed_persistence")]
    assert high - low < 0.9 * math.hypot(*(end[1] - end[0] for end in apart))


def test_a_single_member_is_judged_as_a_point(good: Path, gaussian_forecast: Write, folder: Path) -> None:
    point = _other(
        gaussian_forecast(folder / "one.zarr", samples=20, sequences=10, members=1, oracle=False),
        folder / "point.zarr",
        "point",
        lambda members, last: np.broadcast_to(last[:, :, :], members.shape),
    )
    group, whole = zarr.open_group(point, mode="r+"), zarr.open_group(good, mode="r")
    for name in ("truth", "past"):
        group[name][...] = whole[name][:]
    group["forecast"][...] = whole["past"][:, -1, 1:][:, None, None]
    scores = evaluate([good, point]).scores
    point_scores = scores["point"]
    assert point_scores["crps"].value == point_scores["mae"].value == scores["persistence"]["mae"].value
    assert point_scores["spread_skill"].value == 0.0
    assert float(point_scores.skill["persistence"]["crps"].total) == 0.0
    # the best point, the last frame, is as good as the mean of members by RMSE and worse by CRPS
    pair = scores.difference("good", "point").scores
    assert pair["crps"].verdict == "better"
    assert pair["crps"].relative == pytest.approx(1 / math.sqrt(2) - 1, abs=0.01)
    assert pair["rmse"].verdict == "worse"
    assert scores["dressed_persistence"].members == 10  # as many as the largest ensemble


def test_only_common_windows_are_judged(good: Path, folder: Path) -> None:
    half = folder / "half.zarr"
    shutil.copytree(good, half)
    group = zarr.open_group(half, mode="r+")
    order = np.roll(np.arange(20), 7)
    for name in ("truth", "past", "forecast", "oracle", "issue_time", "sequence"):
        group[name][...] = group[name][:][order]
    renamed = group["sequence"][:]
    renamed[:5] = "elsewhere"
    group["sequence"][...] = renamed
    _called(half, "half")
    judged = evaluate([good, half])
    found = judged.scores
    assert found.samples == 15
    assert found.left_out.windows == {"good": 5, "half": 5}
    assert (
        found["half"]["crps"].value == found["good"]["crps"].value
    )  # the same members of the same windows, whatever their order
    group["sequence"][...] = np.array(["nowhere"] * 20, dtype=renamed.dtype)
    with pytest.raises(DataError, match=r"good.zarr 20, half.zarr 20"):
        evaluate([good, half])


def test_names_are_the_models_or_the_files(good: Path, folder: Path) -> None:
    for place, model in (("twin", "good"), ("flat", "persistence"), ("deep/twin", "good")):
        (folder / place).parent.mkdir(exist_ok=True)
        _called(shutil.copytree(good, folder / f"{place}.zarr"), model)
    assert Cases([good, folder / "flat.zarr"], baselines=BASELINES).models == ["good", "flat"]
    twins = [good, folder / "twin.zarr", folder / "deep" / "twin.zarr"]
    assert Cases(twins, baselines=BASELINES).models == ["good", *map(str, twins[1:])]
    with pytest.raises(DataError, match="given twice"):
        Cases([good, folder / "deep" / ".." / "good.zarr"])
    with pytest.raises(DataError, match="no forecast was given"):
        Cases([])


def test_what_does_not_compare_is_refused_in_one_line(gaussian_forecast: Write, good: Path, folder: Path) -> None:
    for name, options, words in (
        ("wide", {"size": (12, 18)}, "frames of 12×16 pixels and wide.zarr 12×18 pixels"),
        ("long", {"leads": 4}, "lead times of 2, 4, 6 h and long.zarr 2, 4, 6, 8 h"),
        ("blue", {"channels": ("193",)}, "the channels 171 and blue.zarr 193"),
        ("fresh", {"seed": 9, "sequences": 10}, "different observations of region-000 after 2017-08-13 00:00"),
    ):
        other = gaussian_forecast(folder / f"{name}.zarr", **{"samples": 20, **options})
        with pytest.raises(DataError, match=words) as error:
            evaluate([good, other])
        assert "\n" not in str(error.value)


def test_baselines_come_from_the_file_that_has_what_they_need(good: Path, folder: Path) -> None:
    bare = shutil.copytree(good, folder / "bare.zarr")
    for name in ("dressing", "oracle"):
        shutil.rmtree(bare / name)
    _called(bare, "bare")
    assert list(Cases(bare, baselines=BASELINES).members) == ["bare", "persistence"]
    cases = Cases([bare, good], baselines=BASELINES)
    assert (
        list(cases.members)
        == list(cases[3].forecasts)
        == ["bare", "good", "persistence", "dressed_persistence", "oracle"]
    )
