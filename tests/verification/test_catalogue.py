"""Entries of one's own, from outside the package, in tables, comparisons, files and arrays."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from framecast.core.errors import ConfigError, DataError
from framecast.verification.baselines import Baseline, from_past
from framecast.verification.catalogue import SCORES, Score
from framecast.verification.evaluation import Evaluation, evaluate, score
from framecast.verification.files import from_plain, to_plain
from framecast.verification.quantities import QUANTITIES, Quantity
from framecast.verification.rows import score_rows
from framecast.verification.scores import vector_energy_score

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]

BIAS = Score(name="bias", label="Bias", function=lambda sample: sample.error, better=None, shown="console")
RANGE = Quantity(
    name="range",
    label="Range",
    function=lambda video, cadence: video.flatten(-3).amax(-1) - video.flatten(-3).amin(-1),
    headline=True,
)
MEAN_PAST = Baseline(
    name="mean_past",
    label="Mean of the past",
    prepare=from_past(lambda past, leads: past.mean(1)[None, :, None].expand(1, -1, len(leads), -1, -1)),
)


@pytest.fixture(scope="module")
def judged(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    path = gaussian_forecast(tmp_path_factory.mktemp("own") / "f.zarr", samples=6, bias=2.0, oracle=False)
    return evaluate(path, replicates=100, scores=[BIAS], quantities=[RANGE], baselines=[MEAN_PAST])


def test_names_are_unique() -> None:
    for entries in (SCORES, QUANTITIES):
        names = [entry.name for entry in entries]
        assert len(set(names)) == len(names)


def test_psnr_is_that_of_scikit_image() -> None:
    from skimage.metrics import peak_signal_noise_ratio

    truth, member = np.random.default_rng(0).normal(50, 20, (2, 9, 7)).astype(np.float32)
    found = score(member[None], truth, data_range=30.0)
    expected = peak_signal_noise_ratio(truth, member, data_range=30.0)
    assert float(found["psnr"]) == float(found["member_psnr"]) == pytest.approx(expected, rel=1e-6)


def test_a_score_of_ones_own(judged: Evaluation) -> None:
    found = judged.scores["gaussian"]["bias"]
    assert found.value == pytest.approx(2.0, abs=0.1)
    assert found.by_lead.value.shape == (3,)
    assert judged.scores.score_info["bias"].label == "Bias"
    assert float(judged.to_dataset()["bias"].sel(forecast="gaussian")) == found.value
    assert any(row["score"] == "bias" for row in score_rows(judged.scores))


def test_a_quantity_of_ones_own(judged: Evaluation) -> None:
    assert "range" in judged.scores.headline
    assert judged.scores["gaussian"]["range_crps"].value > 0
    assert 0 <= float(judged.scores["gaussian"].quantities["range"].intervals[90].coverage) <= 1


def test_a_baseline_of_ones_own(judged: Evaluation) -> None:
    assert judged.scores["mean_past"].label == "Mean of the past"
    assert "mean_past" in judged.scores.baselines
    assert judged.scores["gaussian"].skill["mean_past"]["crps"].verdict == "better"
    past = judged.cases[0].past
    assert torch.equal(judged.cases[0].forecasts["mean_past"][0, :, 0], past.mean(1))


def test_a_baseline_of_another_shape_is_refused(gaussian_forecast: Write, tmp_path: Path) -> None:
    wrong = Baseline(name="wrong", label="Wrong", prepare=from_past(lambda past, leads: past))
    with pytest.raises(DataError, match=r"\(1, 1, 3, 12, 16\)"):
        evaluate(gaussian_forecast(tmp_path / "f.zarr", samples=1, sequences=1), baselines=[wrong])


def test_the_file_holds_what_was_found(judged: Evaluation) -> None:
    plain = to_plain(judged.scores)
    assert plain["schema_version"] == 3
    assert to_plain(from_plain(json.loads(json.dumps(plain, allow_nan=False)))) == plain


@pytest.mark.parametrize(
    "content", [None, [], {}, {"schema_version": 99}, {"schema_version": 3}, {"schema_version": 2}]
)
def test_what_is_not_a_result_is_refused(content: object) -> None:
    with pytest.raises(DataError, match=r"scores\.json"):
        from_plain(content)


def test_arrays_are_scored_as_files_are(judged: Evaluation) -> None:
    cases = list(judged.cases)
    members = torch.stack([case.forecasts["gaussian"] for case in cases])
    truth = torch.stack([case.truth for case in cases])
    found = score(members, truth, cadence=7200.0, unit="DN/s", replicates=100, blocks=judged.cases.sequences)
    own = judged.scores["gaussian"]
    for name in ("crps", "rmse", "spread_skill", "energy_score", "integral_crps", "psnr", "member_ssim"):
        assert float(found[name]) == pytest.approx(own[name].value, rel=1e-6), name
    assert found["crps"].attrs["units"] == "DN/s"
    assert found["crps_by_lead"]["lead_time"].values.tolist() == [2.0, 4.0, 6.0]
    dims = ("sample", "member", "channel", "lead_time", "y", "x")
    mixed = xr.DataArray(members.numpy(), dims=dims).transpose("x", "member", "y", "sample", "lead_time", "channel")
    came = xr.DataArray(truth.numpy(), dims=[name for name in dims if name != "member"])
    assert float(score(mixed, came, replicates=100)["crps"]) == pytest.approx(own["crps"].value, rel=1e-6)


def test_channels_of_one_unit_are_also_scored_as_a_vector() -> None:
    random = np.random.default_rng(0)
    members, truth = random.normal(size=(4, 6, 2, 3, 8, 9)), random.normal(size=(4, 2, 3, 8, 9))
    truth[0, 0, :, :4] = np.nan  # u alone is unknown there
    found = score(members, truth, unit="m/s", replicates=100)
    pairs = zip(torch.from_numpy(members), torch.from_numpy(truth), strict=True)
    values = torch.stack([vector_energy_score(own, came) for own, came in pairs])
    assert values.isnan().sum() == 3 * 4 * 9
    assert float(found["vector_energy_score"]) == pytest.approx(values.nanmean().item())
    by_lead = found["vector_energy_score_by_lead"].values
    np.testing.assert_allclose(by_lead, values.nanmean((0, 2, 3)), rtol=1e-6)
    assert found["vector_energy_score"].attrs["units"] == "m/s"
    weights = random.random((8, 9))
    weighed = float(score(members, truth, unit="m/s", replicates=100, weights=weights)["vector_energy_score"])
    known = ~values.isnan()
    share = torch.from_numpy(weights).expand_as(values)[known]
    assert weighed == pytest.approx(((values[known] * share).sum() / share.sum()).item())
    assert "vector_energy_score" not in score(members, truth, unit="m/s, K", replicates=100)
    assert "vector_energy_score" not in score(members[:, :, :1], truth[:, :1], unit="m/s", replicates=100)


def test_images_and_single_videos_are_scored_too() -> None:
    random = np.random.default_rng(0)
    image = score(random.normal(size=(5, 8, 9)), np.zeros((8, 9)), replicates=100)
    assert image.sizes["lead_time"] == 1
    video = score(random.normal(size=(5, 4, 8, 9)), np.zeros((4, 8, 9)), replicates=100)
    assert video.sizes["lead_time"] == 4
    assert np.isnan(video["crps_interval"]).all()  # one sample has no interval
    with pytest.raises(ConfigError, match="5 × 4 × 8 × 9"):
        score(random.normal(size=(5, 4, 8, 9)), np.zeros((3, 8, 9)))
