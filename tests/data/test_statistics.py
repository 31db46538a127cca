import numpy as np
import pytest
import torch

from framecast.core.errors import ConfigError, DataError
from framecast.data.datasets import WindowDataset
from framecast.data.statistics import fit_anomalies, fit_change_scale, fit_normaliser
from framecast.data.windows import find_windows
from framecast.videos.forcings import clock, frame_times
from framecast.videos.frames import FrameSpec
from framecast.videos.normalise import Normaliser, Stretch

FRAMES = FrameSpec(
    past_channels=("94", "193"), future_channels=("94",), past=3, future=2, cadence=3600.0, height=3, width=4
)
IDENTITY = Normaliser(stretches={"94": Stretch(curve="linear"), "193": Stretch(curve="linear")})


def dataset(archive, frames=FRAMES) -> WindowDataset:
    return WindowDataset(archive, find_windows(archive, frames, max_masked=1.0), frames)


def random_pixels(seed=0, masked=()):
    """Gamma-distributed pixels that walk at random, with some rows masked."""

    def edit(name, data):
        rng = np.random.default_rng([seed, int(name[-2:])])
        shape = data["intensity"].shape
        data["intensity"].values[:] = 100 * np.exp(np.cumsum(rng.normal(0, 0.1, shape), axis=0))
        for row in masked:
            data["intensity"][:, :, row] = np.nan
        return data

    return edit


class TestNormaliser:
    @pytest.mark.thorough
    @pytest.mark.parametrize("curve", ["linear", "sqrt", "log1p", "asinh"])
    def test_training_pixels_get_mean_zero_and_deviation_one(self, make_archive, curve):
        train = dataset(make_archive(sequences=3, edit=random_pixels(masked=[1])))
        normaliser = fit_normaliser(train, curve=curve)
        videos = [train[k] for k in range(len(train))]
        for channel, row in (("94", 0), ("193", 1)):
            pixels = torch.stack([sample.past[row : row + 1] for sample in videos])
            if channel == "94":
                pixels = torch.cat([pixels, torch.stack([sample.future for sample in videos])], dim=2)
            z = normaliser.forward(pixels, [channel])
            assert z.nanmean().item() == pytest.approx(0, abs=1e-4)
            assert z[~z.isnan()].std(correction=0).item() == pytest.approx(1, abs=1e-4)

    def test_settings_by_channel(self, make_archive):
        train = dataset(make_archive(edit=random_pixels()))
        normaliser = fit_normaliser(
            train,
            curve={"94": "asinh", "193": "sqrt"},
            softening={"94": 5.0, "193": 1.0},
            saturation={"94": 150.0, "193": None},
        )
        a, b = normaliser.stretches["94"], normaliser.stretches["193"]
        assert (a.curve, a.softening, a.saturation) == ("asinh", 5.0, 150.0)
        assert (b.curve, b.softening, b.saturation) == ("sqrt", 1.0, None)

    def test_the_stretch_of_each_channel_is_chosen_from_its_training_pixels(self, make_archive):
        def signed(name, data):
            random_pixels()(name, data)
            data["intensity"].values[:, 0] -= 100
            return data

        archive = make_archive(edit=signed)
        stretches = fit_normaliser(dataset(archive)).stretches
        curve = {name: stretch.curve for name, stretch in stretches.items()}
        first, second = archive.channels[0], archive.channels[1]
        assert curve[first] in ("linear", "asinh")
        assert "below zero" in stretches[first].reason
        assert "below zero" not in stretches[second].reason
        with pytest.raises(DataError, match=rf"channel {first}: log1p .*negative"):
            fit_normaliser(dataset(archive), curve="log1p")

    @pytest.mark.thorough
    def test_a_bounded_sample_decided_by_the_seed(self, make_archive):
        archive = make_archive(sequences=4, edit=random_pixels())
        everything = fit_normaliser(dataset(archive))
        some = [fit_normaliser(dataset(archive), pixels=1, seed=seed) for seed in (0, 0, 1)]
        assert some[0] == some[1] != some[2]
        assert some[0] != everything
        assert some[0].stretches["94"].mean == pytest.approx(everything.stretches["94"].mean, rel=0.1)

    def test_a_constant_channel_is_named(self, make_archive):
        def flat(name, data):
            data["intensity"][:, 0] = 0.0
            return data

        with pytest.raises(DataError, match=r"channel 193: .*constant \(0\)"):
            fit_normaliser(dataset(make_archive(edit=flat)))


class TestChangeScale:
    def test_a_linear_rise_changes_by_its_slope(self, make_archive):
        # Every pixel grows by 1000 from frame to frame.
        assert fit_change_scale(dataset(make_archive()), IDENTITY) == ((1000.0, 2000.0),)

    @pytest.mark.thorough
    def test_of_a_random_walk_grows_like_the_square_root_of_the_lead_time(self, make_archive):
        train = dataset(make_archive(sequences=5, frames=120, height=8, width=8, edit=random_pixels(masked=[0])), EIGHT)
        logarithm = Normaliser(stretches={"94": Stretch(curve="log1p", softening=1e-3), "193": Stretch()})
        scale = fit_change_scale(train, logarithm)
        np.testing.assert_allclose(scale[0], 0.1 * np.sqrt([1, 2]), rtol=0.03)

    def test_the_encoded_change_has_unit_mean_square(self, make_archive):
        train = dataset(make_archive(edit=random_pixels(masked=[2])))
        normaliser = fit_normaliser(train)
        scale = torch.tensor(fit_change_scale(train, normaliser))[:, :, None, None]
        changes = []
        for k in range(len(train)):
            last = normaliser.forward(train[k].past[:1, -1:], ["94"])
            changes.append((normaliser.forward(train[k].future, ["94"]) - last) / scale)
        assert torch.stack(changes).square().nanmean(dim=(0, 3, 4)).flatten().tolist() == pytest.approx(
            [1, 1], rel=1e-4
        )

    def test_a_frozen_channel_is_named(self, make_archive):
        def freeze(name, data):
            data["intensity"][:, 1] = data["intensity"][0, 1]
            return data

        with pytest.raises(DataError, match=r"channel 94 .*lead time 1 "):
            fit_change_scale(dataset(make_archive(edit=freeze)), IDENTITY)


def test_changes_of_a_channel_that_is_not_seen(make_archive):
    frames = FrameSpec(
        past_channels=("193",), future_channels=("94",), past=3, future=2, cadence=3600.0, height=3, width=4
    )
    train = dataset(make_archive(), frames)
    with pytest.raises(ConfigError, match="needs 94 among the past channels"):
        fit_change_scale(train, IDENTITY)


def test_no_window_to_learn_from(make_archive):
    archive = make_archive()
    with pytest.raises(DataError, match="no training window"):
        fit_normaliser(WindowDataset(archive, (), FRAMES))


EIGHT = FrameSpec(
    past_channels=("94", "193"), future_channels=("94",), past=3, future=2, cadence=3600.0, height=8, width=8
)


def test_anomalies_have_mean_zero_and_deviation_one_at_every_hour(make_archive):
    hours = np.arange(240)
    mean, std = 280 + 5 * np.cos(2 * np.pi * hours / 24), 2 + np.sin(2 * np.pi * hours / 24)

    def edit(name, data):
        noise = np.random.default_rng(int(name[-2:])).normal(size=data["intensity"].shape)
        data["intensity"].values[:] = mean[:, None, None, None] + std[:, None, None, None] * noise
        data["intensity"][:, :, 0, 0] = np.nan
        return data

    train = dataset(make_archive(sequences=2, frames=240, edit=edit))
    found = fit_anomalies(train, ["hour"])
    assert (found.channels, found.harmonics) == (("94", "193"), (2,))
    z, hour = [], []
    for k in range(len(train)):
        times = frame_times(train.windows[k].issue_time, FRAMES)
        z.append(found.forward(train[k].past, FRAMES.past_channels, torch.from_numpy(clock("hour", times[:3]))))
        hour += times[:3].astype("datetime64[h]").astype(int).tolist()
    values = torch.cat(z, dim=1)
    assert values[:, :, 0, 0].isnan().all()
    for own in (0, 6, 12, 18):
        at = values[:, np.array(hour) % 24 == own].flatten()
        at = at[~at.isnan()]
        assert at.mean().item() == pytest.approx(0, abs=0.15)
        assert at.std().item() == pytest.approx(1, abs=0.15)
