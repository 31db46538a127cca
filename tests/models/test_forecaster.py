import subprocess
import sys

import numpy as np
import pytest
import torch
import xarray as xr

from framecast.core.errors import ConfigError, DataError, FramecastWarning
from framecast.data.archive.reader import Archive
from framecast.diffusion.sampler import DDIM, DDPM, DPMSolverPP, Heun, UniPC
from framecast.diffusion.times import Leading
from framecast.models.checkpoint import load
from framecast.models.config import attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe

pytestmark = [pytest.mark.portable, pytest.mark.thorough]


@pytest.fixture(scope="module")
def forecaster(small_run):
    return load(small_run)


@pytest.fixture
def past(small_archive):
    archive = Archive.open(small_archive)
    return archive.sequence(archive.sequences[0])["intensity"].isel(time=slice(1, 3)).load()


def test_an_ensemble_says_what_it_is(forecaster, past):
    ensemble = forecaster.forecast(past, members=3, seed=7)
    assert ensemble.dims == ("member", "lead_time", "channel", "y", "x")
    assert ensemble.shape == (3, 3, 2, 16, 24)
    assert list(ensemble["channel"].values) == ["94", "193"]
    assert (ensemble["lead_time"] / np.timedelta64(1, "h")).values.tolist() == [2.0, 4.0, 6.0]
    assert (ensemble["valid_time"].values == past["time"].values[-1] + ensemble["lead_time"].values).all()
    assert np.array_equal(ensemble["x"], past["x"])
    assert ensemble.attrs["units"] == "DN/s"
    assert {"model", "seed", "sampler", "steps", "framecast_version"} <= set(ensemble.attrs)
    assert (ensemble.attrs["seed"], ensemble.attrs["steps"]) == (7, 3)
    assert (ensemble.values >= 0).all()


def test_members_differ_and_a_seed_gives_them_again(forecaster, past):
    first, again, other = (forecaster.forecast(past, members=2, seed=seed).values for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_a_member_is_the_same_however_the_ensemble_is_cut(forecaster, past):
    video = torch.from_numpy(past.transpose("channel", "time", "y", "x").values)
    stochastic = forecaster.options(sampler=DDIM(eta=1.0))

    def draw(members, **options):
        return forecaster.draw(video, Draw(sample=5, members=members, seed=0, options=stochastic, **options))

    together = draw(range(7))
    assert torch.equal(draw(range(7), chunk=3), together)
    assert torch.equal(draw([6]), together[6:])
    assert torch.equal(draw([2, 5]), together[[2, 5]])


def test_clipped_members_stay_within_their_bounds_however_they_are_drawn(forecaster, past):
    free = forecaster.forecast(past, members=3, seed=7)
    low, high = (float(free.sel(channel="94").quantile(share)) for share in (0.2, 0.8))
    clipped = forecaster.forecast(past, members=3, seed=7, clip={"94": (low, high)})
    values = clipped.sel(channel="94").values
    np.testing.assert_allclose([values.min(), values.max()], [low, high], rtol=1e-4)
    assert float(clipped.sel(channel="193").max()) > high
    assert clipped.attrs["clip"] == {"94": [low, high]}
    assert "clip" not in free.attrs
    blocks = forecaster.options(clip={"94": (low, high)})
    video = torch.from_numpy(past.transpose("channel", "time", "y", "x").values)
    pasts = torch.stack([video, 1.5 * video, 2 * video])
    together, apart = (forecaster.draw(pasts, Draw(members=range(3), seed=1, options=blocks, chunk=c)) for c in (3, 1))
    assert torch.equal(together, apart)
    with pytest.raises(ConfigError, match=r"clip names 171; .* 94, 193"):
        forecaster.forecast(past, clip={"171": (0.0, 1.0)})
    with pytest.raises(ConfigError, match=r"clip of 94 is 2 to 1"):
        forecaster.forecast(past, clip={"94": (2.0, 1.0)})


@pytest.mark.parametrize("members", [0, -1, 2.5, "3"])
def test_a_number_of_members_that_is_none_is_refused(forecaster, past, members):
    with pytest.raises(ConfigError, match=f"members is {members}; .*whole number"):
        forecaster.forecast(past, members=members)


def test_more_members_than_memory_holds_are_refused(forecaster, past):
    with pytest.raises(ConfigError, match=r"10000000000, .* 9.22e\+04 GB"):
        forecaster.forecast(past, members=10**10)


def test_the_order_of_axes_and_channels_does_not_matter(forecaster, past):
    shuffled = past.isel(channel=[2, 0, 1]).transpose("y", "channel", "x", "time")
    expected = forecaster.forecast(past, members=1)
    assert np.array_equal(forecaster.forecast(shuffled, members=1), expected)
    array = past.transpose("channel", "time", "y", "x").values
    assert np.array_equal(forecaster.forecast(array, members=1), expected)
    assert np.array_equal(forecaster.forecast(array.astype(">f8"), members=1), expected)
    numbered = past.assign_coords(time=[0, 1])
    assert np.array_equal(forecaster.forecast(numbered, members=1), expected)


def test_other_sizes_are_forecast_too(forecaster):
    past = np.random.default_rng(0).uniform(0, 100, (3, 2, 32, 8)).astype(np.float32)
    assert forecaster.forecast(past, members=1).shape == (1, 3, 2, 32, 8)


def test_steps_and_grid_of_a_call_are_used_and_recorded(forecaster, past):
    own = forecaster.forecast(past, members=1)
    given = forecaster.forecast(past, members=1, steps=5, grid=Leading())
    assert (given.attrs["steps"], given.attrs["grid"]) == (5, "leading")
    assert not np.array_equal(own, given)
    assert forecaster.forecast(past, members=1, steps=None, precision="bf16").attrs["precision"] == "bf16"
    with pytest.raises(TypeError, match="unexpected keyword argument 'step'"):
        forecaster.forecast(past, members=1, step=5)


def test_steps_are_network_evaluations_with_every_sampler(forecaster, past):
    calls = []
    network = forecaster.generator.network
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    try:
        for sampler in (DDPM(), DDIM(), DPMSolverPP(), UniPC(), Heun()):
            calls.clear()
            forecaster.forecast(past, members=1, sampler=sampler, steps=7)
            assert len(calls) == 7, sampler
    finally:
        handle.remove()


def test_pixels_masked_in_all_past_frames_stay_masked(forecaster, past):
    past = past.copy()
    past[..., :4, :4] = np.nan
    ensemble = forecaster.forecast(past, members=2)
    assert np.isnan(ensemble.values[..., :4, :4]).all()
    assert np.isfinite(ensemble.values[..., 4:, :]).all()


def test_progress_counts_members(forecaster, past):
    seen = []
    forecaster.forecast(past, members=5, chunk=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(2, 5), (4, 5), (5, 5)]


def test_what_does_not_fit_is_refused_in_one_line(forecaster, past):
    cases = [
        (past.isel(channel=[0, 1]), "needs channel 94", DataError),
        (past.isel(time=[0]), "2 frames", DataError),
        (past.rename(y="lat"), "lacks y", DataError),
        (past.assign_coords(time=past["time"].values[0] + np.array([0, 1], "timedelta64[h]")), "3600", DataError),
        (np.zeros((3, 2, 16)), "has shape", DataError),
        (np.zeros((1, 1, 3, 2, 16, 24)), "has shape", DataError),
        (np.zeros((0, 3, 2, 16, 24)), "at least one", DataError),
        (past.where(past < past.max(), np.inf), "infinite", DataError),
        (past * np.nan, "only NaN", DataError),
        (past.to_dataset().assign(other=past), r"dataset\['intensity'\]", DataError),
        (np.full((3, 2, 16, 24), "x"), "no array of numbers", DataError),
    ]
    for wrong, message, kind in cases:
        with pytest.raises(kind, match=message) as caught:
            forecaster.forecast(wrong, members=1)
        assert "\n" not in str(caught.value)
    with pytest.raises(ConfigError, match="no labels"):
        forecaster.forecast(past, label="X", members=1)
    with pytest.raises(ConfigError, match="members is 0"):
        forecaster.forecast(past, members=0)


def test_many_pasts_make_one_ensemble_each_the_first_that_of_a_single_one(forecaster, past):
    video = past.transpose("channel", "time", "y", "x")
    alone = forecaster.forecast(past, members=2, seed=3)
    pasts = {
        "list": [past, 2 * past],
        "array": np.stack([video.values, 2 * video.values]),
        "DataArray": xr.concat([past, 2 * past], "case"),
        "Dataset": xr.concat([past, 2 * past], "case").to_dataset(),
        "channels": xr.concat([past, 2 * past], "case").to_dataset("channel"),
    }
    many = {name: forecaster.forecast(given, members=2, seed=3) for name, given in pasts.items()}
    for name, ensembles in many.items():
        assert ensembles.dims == ("sample", "member", "lead_time", "channel", "y", "x"), name
        np.testing.assert_array_equal(ensembles[0], alone, err_msg=name)
        np.testing.assert_array_equal(ensembles, many["list"], err_msg=name)
    assert not np.array_equal(many["list"][1], forecaster.forecast(2 * past, members=2, seed=3))
    assert many["list"].attrs["seed"] == 3
    with pytest.raises(ConfigError, match="3 labels were given for 2 pasts"):
        forecaster.forecast([past, past], label=["a", "b", "c"], members=1)


def test_what_comes_out_is_an_xarray_that_can_be_written(forecaster, past, tmp_path):
    ensemble = forecaster.forecast(past, members=2)
    ensemble.to_dataset().to_zarr(tmp_path / "e.zarr", consolidated=False)
    assert isinstance(ensemble, xr.DataArray)


@pytest.fixture(scope="module")
def untrained(small_archive, small_changes):
    """Make a forecaster with random weights from changes of the recipe ``tiny``."""

    def make(*changes):
        prepared = prepare(load_recipe("tiny", [*small_changes, *changes]), Archive.open(small_archive))
        torch.manual_seed(0)
        denoiser = attach(prepared.model, build_network(prepared.model))
        with torch.no_grad():
            for parameter in denoiser.parameters():
                parameter.add_(0.02 * torch.randn_like(parameter))
        return Forecaster(prepared.model, denoiser)

    return make


class TestRollout:
    def test_blocks_follow_each_other_from_each_members_own_past(self, untrained, past):
        forecaster = untrained("data.future_channels=null", "data.future=1")
        blocks = list(forecaster.rollout(past, blocks=3, members=2, seed=1))
        hours = [float(block["lead_time"].values[0] / np.timedelta64(1, "h")) for block in blocks]
        assert hours == [2.0, 4.0, 6.0]
        assert blocks[0].equals(forecaster.forecast(past, members=2, seed=1))
        # The third block of member 1 is what its first two blocks, taken for a past, lead to.
        second_past = torch.from_numpy(np.stack([blocks[k].values[1, 0] for k in (0, 1)], axis=1))
        again = forecaster.draw(second_past, Draw(members=[1], options=forecaster.sampling, seed=1, block=2))
        assert np.array_equal(again[0, :, 0], blocks[2].values[1, 0])

    def test_a_past_unlike_the_training_data_is_told_of(self, untrained, past, monkeypatch):
        forecaster = untrained("data.future_channels=null", "data.future=1")
        monkeypatch.setattr(forecaster, "objection", lambda pixels: "too bright")
        with pytest.warns(FramecastWarning, match="unlike the training data: too bright"):
            next(forecaster.rollout(past, blocks=2, members=1))

    def test_other_noise_in_every_block(self, untrained, past):
        forecaster = untrained("data.future_channels=null", "data.future=1")
        video = torch.from_numpy(past.transpose("channel", "time", "y", "x").values)
        first, second = (
            forecaster.draw(video, Draw(members=[0], options=forecaster.sampling, seed=0, block=block))
            for block in (0, 1)
        )
        assert not torch.equal(first, second)

    def test_a_long_future_gives_only_its_last_frames_as_the_next_past(self, untrained, past):
        forecaster = untrained("data.future_channels=null", "data.future=4")
        blocks = list(forecaster.rollout(past, blocks=2, members=1))
        next_past = torch.from_numpy(blocks[0].values[0, -2:]).movedim(0, 1)
        assert np.array_equal(
            forecaster.draw(next_past, Draw(members=[0], options=forecaster.sampling, seed=0, block=1))[0].movedim(
                0, 1
            ),
            blocks[1][0],
        )

    def test_a_channel_that_is_not_forecast_forbids_it(self, forecaster, past):
        with pytest.raises(ConfigError, match="sees 211 and does not forecast it"):
            next(forecaster.rollout(past, blocks=2))


class TestFrameMasks:
    MASKED = ("diffusion.masks={}", "target=future", "data.future_channels=null")

    @pytest.fixture(scope="class")
    def masked(self, untrained):
        return untrained(*self.MASKED)

    def test_it_forecasts_like_any_other(self, masked, past):
        ensemble = masked.forecast(past, members=2)
        assert ensemble.shape == (2, 3, 3, 16, 24)
        assert np.isfinite(ensemble.values).all()

    @pytest.mark.parametrize(
        "given", [[1, 1, 0, 0, 0], [0, 0, 1, 1, 1], [1, 0, 0, 1, 1], [0] * 5], ids=["future", "past", "gap", "nothing"]
    )
    def test_given_frames_stay_and_the_others_do_not_depend_on_what_stood_there(self, masked, small_archive, given):
        archive = Archive.open(small_archive)
        video = torch.from_numpy(archive.read(archive.sequences[0], range(5)))
        marks = np.array(given, dtype=bool)
        filled = masked.fill(video, marks, members=2)
        assert filled.shape == (2, 3, 5, 16, 24)
        assert torch.equal(filled[:, :, marks], video[:, marks].expand(2, -1, -1, -1, -1))
        spoilt = video.clone()
        spoilt[:, ~marks] = torch.nan
        assert torch.equal(masked.fill(spoilt, marks, members=2), filled)
        assert not torch.equal(filled[0, :, ~marks], filled[1, :, ~marks])

    def test_filling_the_future_is_the_forecast(self, masked, past):
        video = torch.from_numpy(past.transpose("channel", "time", "y", "x").values)
        filled = masked.fill(torch.nn.functional.pad(video, (0, 0, 0, 0, 0, 3)), [1, 1, 0, 0, 0], members=2)
        forecast = torch.from_numpy(masked.forecast(past, members=2).values).movedim(2, 1)
        torch.testing.assert_close(filled[:, :, 2:], forecast)

    def test_a_model_without_masks_cannot_fill(self, forecaster):
        with pytest.raises(ConfigError, match="trained to forecast only"):
            forecaster.fill(torch.zeros(3, 5, 16, 24), [1] * 5)

    def test_a_video_of_another_length_is_refused(self, masked):
        with pytest.raises(DataError, match="this model takes 5"):
            masked.fill(torch.zeros(3, 4, 16, 24), [1, 1, 0, 0])

    def test_what_masks_need_is_said(self, untrained):
        with pytest.raises(ConfigError, match="same past and future channels"):
            untrained("diffusion.masks={}", "target=future")


def test_a_past_as_array_dataarray_or_tensor_is_the_same_past(forecaster, past, recwarn):
    video = past.transpose("channel", "time", "y", "x").values
    named, array, tensor = (
        forecaster.forecast(given, members=2, steps=2).values
        for given in (past, video.astype(np.float64), torch.from_numpy(video).requires_grad_())
    )
    np.testing.assert_array_equal(array, named)
    np.testing.assert_array_equal(tensor, named)
    assert not recwarn.list


def test_a_past_of_another_shape_is_told_as_it_was_given(forecaster, past):
    video = past.transpose("channel", "time", "y", "x").values
    with pytest.raises(DataError, match=r"shape \[3, 1, 16, 24\]"):
        forecaster.forecast(video[:, :1])


def test_a_name_in_place_of_a_sampler_or_grid_is_refused():
    # In a process of its own, where nothing else checks the types of arguments.
    program = """
from framecast.core.errors import ConfigError
from framecast.diffusion.sampling import SamplingOptions
for choice in ({"sampler": "ddim"}, {"grid": "trailing"}):
    try:
        SamplingOptions(**choice)
    except ConfigError as error:
        print(error)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=900)
    assert said.stdout.splitlines() == [
        "sampling.sampler is 'ddim'; it must be a Sampler, such as DDIM()",
        "sampling.grid is 'trailing'; it must be a Grid, such as Trailing()",
    ]
