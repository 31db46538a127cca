import subprocess
import sys

import numpy as np
import pytest
from scipy.stats import ks_2samp

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.domains.corona.dynamics import region_streams
from framecast.domains.corona.oracle import has_oracle
from framecast.domains.corona.region import Region, draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import dn_per_photon
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.writing import evolve, write_corona


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Archive:
    path = tmp_path_factory.mktemp("corona") / "sun.zarr"
    write_corona(path, regions=3, frames=5, size=(24, 32), seed=3)
    return Archive.open(path)


@pytest.mark.thorough
def test_an_archive_says_what_it_is(archive):
    assert archive.channels == ("193", "211", "94")
    assert (archive.height, archive.width, archive.unit, archive.cadence) == (24, 32, "DN/s", 7200.0)
    assert archive.attrs["independent_sequences"] is True
    assert archive.attrs["seed"] == 3
    assert CoronaSpec.from_json(archive.attrs["spec"]) == CoronaSpec(height=24, width=32)
    assert has_oracle(archive)
    assert np.diff(archive.times("region-0000")).tolist() == [7200 * 10**9] * 4


def test_the_stored_state_explains_the_frames_up_to_photons(archive):
    spec = CoronaSpec.from_json(archive.attrs["spec"])
    for name in archive.sequences:
        sequence = archive.sequence(name)
        region = Region.from_vector(sequence["region"].values, archive.attrs["region_layout"])
        expected = Renderer(spec, region)(sequence["state"].values)
        worth = np.array([dn_per_photon(c) for c in spec.channels])[:, None, None] / spec.exposure
        score = (sequence["intensity"].values - expected) / np.sqrt(expected * worth)
        assert score.mean() == pytest.approx(0.0, abs=0.03)
        assert score.var() == pytest.approx(1.0, abs=0.05)


@pytest.mark.thorough
def test_a_region_does_not_depend_on_how_many_there_are_nor_on_how_long(archive, tmp_path):
    write_corona(tmp_path / "one.zarr", regions=2, frames=3, size=(24, 32), seed=3)
    other = Archive.open(tmp_path / "one.zarr")
    for name in other.sequences:
        assert np.array_equal(other.read(name), archive.read(name, range(3)))
        assert np.array_equal(other.sequence(name)["state"], archive.sequence(name)["state"][:3])


def test_regions_and_seeds_differ(archive, tmp_path):
    write_corona(tmp_path / "other.zarr", regions=1, frames=1, size=(24, 32), seed=4)
    other = Archive.open(tmp_path / "other.zarr").read("region-0000")
    frames = [archive.read(name, [0]) for name in archive.sequences]
    assert not np.array_equal(other, frames[0])
    assert np.corrcoef(frames[0].ravel(), frames[1].ravel())[0, 1] < 0.95


def test_any_channels_and_cadence(tmp_path):
    calls = []
    write_corona(
        tmp_path / "a.zarr",
        regions=2,
        frames=4,
        size=16,
        cadence=12.0,
        channels=("171",),
        progress=lambda done, total: calls.append((done, total)),
    )
    video = Archive.open(tmp_path / "a.zarr").read("region-0001")
    assert video.shape == (1, 4, 16, 16)
    assert calls == [(1, 2), (2, 2)]
    # In 12 s hardly anything but the photons changes.
    assert np.abs(np.diff(video, axis=1)).mean() < 0.1 * video.std()


@pytest.mark.thorough
def test_intensities_are_those_of_the_sun_and_stationary():
    spec = CoronaSpec(height=16, width=16, cadence=2 * 86400.0)
    streams = [region_streams(9, k) for k in range(80)]
    regions = [draw_region(spec, stream.geometry) for stream in streams]
    states = evolve(spec, regions, streams, 3)
    videos = np.stack([Renderer(spec, region)(state) for region, state in zip(regions, states, strict=True)])
    quiet = np.median(videos, axis=(0, 1, 3, 4))
    bright = np.quantile(videos, 0.995, axis=(0, 1, 3, 4))
    assert ((quiet > [100, 30, 0.5]) & (quiet < [600, 300, 5])).all()
    assert ((bright > [1500, 700, 50]) & (bright < [8000, 4000, 2000])).all()
    level = np.log(videos.mean(axis=(3, 4)))
    for later in (1, 2):
        change = level[:, later] - level[:, 0]
        error = change.std(axis=0) / np.sqrt(len(change))
        assert (np.abs(change.mean(axis=0)) < 3.5 * error).all()
        for channel in range(len(spec.channels)):
            assert ks_2samp(level[:, 0, channel], level[:, later, channel]).pvalue > 1e-3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regions": 0}, "use at least 1"),
        ({"channels": ("195",)}, "name at least one of"),
        ({"size": 4}, "at least 8×8"),
        ({"cadence": -1.0}, "cadence is -1.0; it must be positive"),
    ],
)
def test_impossible_requests_are_refused(tmp_path, options, message):
    with pytest.raises(ConfigError, match=message):
        write_corona(tmp_path / "a.zarr", **options)
    assert list(tmp_path.iterdir()) == []


def test_an_existing_archive_is_kept(archive):
    with pytest.raises(FramecastError, match="exists already"):
        write_corona(archive.path, regions=1, frames=1, size=16)


@pytest.mark.parametrize(
    "text", ['{"channels": ["193"], "colour": 3}', "None", "[" * 10**5, '{"arcs": 1000000000}', '{"arcs": "x"}', "[]"]
)
def test_an_unreadable_specification_is_named(text):
    with pytest.raises(DataError, match="unreadable"):
        CoronaSpec.from_json(text)


@pytest.mark.thorough
def test_generation_needs_no_torch():
    code = (
        "import sys, framecast.domains.corona.writing, framecast.domains.corona.response; print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
