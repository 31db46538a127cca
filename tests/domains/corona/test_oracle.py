import numpy as np
import pytest
import xarray as xr
from scipy.stats import chisquare

from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive, ArchiveWriter
from framecast.data.windows import find_windows
from framecast.domains.corona.dynamics import region_streams
from framecast.domains.corona.oracle import draw_futures, has_oracle, oracle_ensemble
from framecast.domains.corona.region import draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import expose
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.writing import evolve, write_corona
from framecast.videos.frames import FrameSpec

pytestmark = pytest.mark.thorough

CHANNELS = ("193", "211", "94")


def frame_spec(**changes) -> FrameSpec:
    fields = {"past_channels": CHANNELS, "future_channels": CHANNELS, "past": 2, "future": 3, "cadence": 7200.0}
    return FrameSpec(**{**fields, "height": 16, "width": 16, **changes})


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Archive:
    path = tmp_path_factory.mktemp("corona") / "sun.zarr"
    write_corona(path, regions=2, frames=8, size=16, seed=1)
    return Archive.open(path)


def test_a_member_depends_on_seed_window_and_number_alone(archive):
    frames = frame_spec()
    first, second = find_windows(archive, frames)[:2]
    three = oracle_ensemble(archive, first, frames=frames, members=3, seed=5)
    assert three.shape == (3, 3, 3, 16, 16)
    assert three.dtype == np.float32
    assert np.array_equal(oracle_ensemble(archive, first, frames=frames, members=2, seed=5), three[:2])
    assert not np.array_equal(three[0], three[1])
    assert not np.array_equal(oracle_ensemble(archive, first, frames=frames, members=1, seed=6)[0], three[0])
    assert not np.array_equal(oracle_ensemble(archive, second, frames=frames, members=1, seed=5)[0], three[0])


def test_channels_are_picked_and_ordered(archive):
    frames = frame_spec()
    window = find_windows(archive, frames)[0]
    every = oracle_ensemble(archive, window, frames=frames, members=2, seed=0)
    some = oracle_ensemble(archive, window, frames=frame_spec(future_channels=("94", "193")), members=2, seed=0)
    assert np.array_equal(some, every[:, [2, 0]])


def test_the_oracle_starts_from_the_issue_time_and_beats_persistence(archive):
    # Without 94: the mean of few windows would rest on whether one of them flares.
    frames = frame_spec(past_channels=CHANNELS[:2], future_channels=CHANNELS[:2])
    persistence, perfect = [], []
    for window in find_windows(archive, frames):
        video = np.log1p(archive.read(window.sequence, window.indices)[:2])
        futures = np.log1p(oracle_ensemble(archive, window, frames=frames, members=8, seed=0))
        persistence.append(np.square(video[:, 2:] - video[:, 1:2]).mean(axis=(0, 2, 3)))
        perfect.append(np.square(video[:, 2:] - futures.mean(axis=0)).mean(axis=(0, 2, 3)))
    ratio = np.mean(perfect, axis=0) / np.mean(persistence, axis=0)
    # The background's amplitudes have no velocity: what they do in one step, nobody knows.
    assert (ratio < [0.9, 0.8, 0.75]).all()


def test_a_coarser_cadence_than_the_archives(archive):
    frames = frame_spec(future=2, cadence=14400.0)
    window = find_windows(archive, frames)[0]
    assert oracle_ensemble(archive, window, frames=frames, members=2, seed=0).shape == (2, 3, 2, 16, 16)


def test_uneven_lead_times_are_frames_of_the_even_ones(archive):
    even = frame_spec(future=4)
    uneven = frame_spec(future=2, lags=even.past_times, leads=(7200.0, 28800.0))
    window = find_windows(archive, even)[0]
    every = oracle_ensemble(archive, window, frames=even, members=2, seed=0)
    assert np.array_equal(oracle_ensemble(archive, window, frames=uneven, members=2, seed=0), every[:, :, [0, 3]])


def test_mistakes_are_named(archive, tmp_path):
    frames = frame_spec()
    window = find_windows(archive, frames)[0]
    with pytest.raises(ConfigError, match=r"171 at 16×16; .* 193, 211, 94"):
        oracle_ensemble(archive, window, frames=frame_spec(future_channels=("171",)), members=1, seed=0)
    with pytest.raises(ConfigError, match="members is 0"):
        oracle_ensemble(archive, window, frames=frames, members=0, seed=0)
    with ArchiveWriter(
        tmp_path / "plain.zarr", channels=CHANNELS, unit="DN/s", cadence=7200.0, height=16, width=16
    ) as writer:
        sequence = archive.sequence(window.sequence)
        writer.add("a", xr.Dataset({"intensity": sequence["intensity"]}))
    plain = Archive.open(tmp_path / "plain.zarr")
    assert not has_oracle(plain)
    with pytest.raises(DataError, match="no simulation state to continue"):
        oracle_ensemble(plain, window, frames=frames, members=1, seed=0)


def futures_of_many_regions(regions: int, members: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return oracle futures ``[region, member, lead, channel, y, x]`` and truths, one window for each region."""
    spec = CoronaSpec(height=size, width=size)
    streams = [region_streams(77, k) for k in range(regions)]
    places = [draw_region(spec, stream.geometry) for stream in streams]
    states = evolve(spec, places, streams, 4)
    ensembles, truths = [], []
    for k, region in enumerate(places):
        pairs = [(np.random.default_rng([k, m, 1]), np.random.default_rng([k, m, 2])) for m in range(members)]
        ensembles.append(draw_futures(spec, region, states[k, 0], frames=3, hours=spec.hours, streams=pairs))
        truth = draw_truth(spec, region, states[k, 1:], streams[k].photons)
        truths.append(truth)
    return np.stack(ensembles), np.stack(truths)


def draw_truth(spec, region, states, photons):
    return expose(Renderer(spec, region)(states), spec.channels, spec.exposure, photons)


def check_calibration(ensemble: np.ndarray, truth: np.ndarray) -> None:
    """Assert that truth and members are exchangeable in the flux and in one pixel of each channel and lead time."""
    rng = np.random.default_rng(0)
    count, members = ensemble.shape[:2]
    middle = truth.shape[-1] // 2
    for quantity in (lambda a: a.sum(axis=(-1, -2)), lambda a: a[..., middle, middle]):
        e, y = np.log1p(quantity(ensemble)), np.log1p(quantity(truth))
        ties = (e == y[:, None]).sum(axis=1)
        ranks = (e < y[:, None]).sum(axis=1) + rng.integers(0, ties + 1)
        ratio = np.sqrt((members + 1) / members * e.var(axis=1, ddof=1).mean(axis=0))
        ratio /= np.sqrt(np.square(e.mean(axis=1) - y).mean(axis=0))
        for lead in range(truth.shape[1]):
            for channel in range(truth.shape[2]):
                histogram = np.bincount(ranks[:, lead, channel], minlength=members + 1)
                assert chisquare(histogram).pvalue > 1e-4, (lead, channel, histogram)
                # The central interval that leaves one rank out on either side.
                inside = (count - histogram[0] - histogram[-1]) / count
                said = (members - 1) / (members + 1)
                assert abs(inside - said) < 4 * np.sqrt(said * (1 - said) / count)
        assert ratio == pytest.approx(np.ones_like(ratio), abs=6 / np.sqrt(count))


@pytest.mark.slow
def test_the_truth_is_one_more_member():
    check_calibration(*futures_of_many_regions(100, 7, 16))


@pytest.mark.slow
def test_the_truth_is_one_more_member_of_a_large_ensemble():
    check_calibration(*futures_of_many_regions(1200, 19, 24))
