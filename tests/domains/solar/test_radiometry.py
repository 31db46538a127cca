"""From DN to DN/s: each step does its own, in order, and says so in the archive."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import aiapy
import numpy as np
import pytest

from framecast.data.archive.reader import Archive
from framecast.domains.solar.degradation import CorrectionTable
from framecast.domains.solar.despike import Despiking
from framecast.domains.solar.image import SolarImage
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.radiometry import Radiometry, pedestal
from framecast.domains.solar.reader import read_image

pytestmark = pytest.mark.thorough

TABLE = Path(aiapy.__file__).parent / "tests" / "data" / "aia_V8_20171210_050627_response_table.txt"


@pytest.fixture(scope="module")
def sun(tmp_path_factory: pytest.TempPathFactory, write_sun: Callable[..., list[Path]]) -> Path:
    folder = tmp_path_factory.mktemp("sun")
    write_sun(folder, hours=[0.0, 2.0, 4.0], size=64, scale=38.4)
    return folder


def test_every_step_leaves_its_mark(sun: Path) -> None:
    image = read_image(sorted(sun.iterdir())[0])
    data = image.data.copy()
    data[32, 40] += 30_000
    struck = SolarImage(header=image.header, data=data)
    table = CorrectionTable.read(TABLE)
    plain = Radiometry().rate(struck)
    assert np.array_equal(plain, data / 2)  # exposures of 2 s
    aged = Radiometry(degradation=table).rate(struck)
    assert aged == pytest.approx(plain / table.factor(171, image.header.time), rel=1e-5)
    clean = Radiometry(despiking=Despiking()).rate(struck)
    assert clean[32, 40] < 1000
    assert plain[32, 40] > 14_000
    history = Radiometry(despiking=Despiking(), degradation=table).history([image.header])
    assert [step.split()[0] for step in history] == ["hits", "saturated", "divided", "divided"]


def test_the_archive_tells_how_it_was_calibrated(sun: Path, tmp_path: Path) -> None:
    table = CorrectionTable.read(TABLE)
    options = {"size": 8, "pixel": 38.4, "minimum_frames": 3, "spacing": 40.0, "cadence": 7200.0}
    prepare(sun, tmp_path / "plain.zarr", **options)
    prepare(sun, tmp_path / "aged.zarr", radiometry=Radiometry(degradation=table), **options)
    plain, aged = Archive.open(tmp_path / "plain.zarr"), Archive.open(tmp_path / "aged.zarr")
    name = plain.sequences[0]
    factor = table.factor(171, plain.times(name)[0])
    assert 0.7 < factor < 0.8
    assert aged.read(name) == pytest.approx(plain.read(name) / factor, rel=1e-4)
    assert plain.sequence(name)["degradation"].values == pytest.approx(1.0)
    assert aged.sequence(name)["degradation"].values == pytest.approx(factor, rel=1e-4)
    told = aged.attrs["radiometry"]
    assert told["despiking"] is None
    assert told["degradation"]["table"] == TABLE.name
    assert any("degradation" in step for step in aged.attrs["history"])
    assert plain.attrs["radiometry"] == {
        "despiking": None,
        "degradation": None,
        "saturation": None,
        "bleeding_arcsec": 1.8,
    }


def test_real_eit_loses_its_pedestal_and_keeps_its_sun(real_data: Path) -> None:
    images = [read_image(path) for path in sorted((real_data / "eit-2004-03-01").glob("*.fits"))]
    offsets = [pedestal(image) for image in images]
    assert all(820 < offset < 870 for offset in offsets)
    assert np.ptp(offsets) < 10
    rate = Radiometry().rate(images[0])
    assert abs(np.nanmedian(rate[:8, :8])) < 1  # DN/s in a corner, where 70 would be the pedestal's
    assert 2 < np.nanmedian(rate[48:80, 48:80]) < 20
    history = Radiometry().history([images[0].header])
    assert "pedestal" in history[1]


def test_saturated_pixels_are_those_that_the_observatory_counts(real_data: Path, tmp_path: Path) -> None:
    """NSATPIX of JSOC, counted at level 1, on the cut-outs of a flare."""
    from astropy.io import fits

    folder = real_data / "aia-cutouts-2012-07-19" / "aia193"
    paths = sorted(folder.glob("*.fits"))[:6]
    for path in paths:
        counted = Radiometry().saturated(read_image(path)).sum()
        assert abs(int(counted) - fits.getheader(path, 1)["NSATPIX"]) <= 1
    long = read_image(paths[1])
    saturated, spoilt = Radiometry().saturated(long), Radiometry().spoilt(long)
    assert saturated.sum() > 3000
    assert (spoilt >= saturated).all()
    assert 1.1 < spoilt.sum() / saturated.sum() < 2.5
    assert not Radiometry(saturation=0).saturated(long).any()
    (tmp_path / "places.csv").write_text("id,time,x,y\nflare,2012-07-19T07:30:00,905,-250\n")
    options = {"size": 48, "pixel": 4.8, "regions": tmp_path / "places.csv", "angle": 89.9, "off_limb": "keep"}
    for path in paths:
        (tmp_path / "aia").mkdir(exist_ok=True)
        (tmp_path / "aia" / path.name).symlink_to(path)
    summary = prepare(tmp_path / "aia", tmp_path / "a.zarr", minimum_frames=1, pointing="fixed", **options)
    assert len(summary.saturated) == 4
    archive = Archive.open(tmp_path / "a.zarr")
    sequence = archive.sequence("flare")
    masked, words = sequence["saturated"].values[:, 0], sequence["quality_word"].values[:, 0]
    assert ((masked > 0) == [False, True, False, True, True, True]).all()
    assert ((words >> 24 & 1).astype(bool) == (masked > 0)).all()
    assert (archive.quality("flare") == 0).all()  # their other pixels are good
    unknown = np.isnan(archive.read("flare")).sum(axis=(0, 2, 3))
    assert (np.diff(unknown - masked) == 0).all()
    assert sequence["mu"].isnull().all() or sequence["mu"].values[0] < 0.4
    assert np.ptp(sequence["hpc_x"].values) == 0
    prepare(tmp_path / "aia", tmp_path / "b.zarr", accept_quality=(30,), minimum_frames=1, pointing="fixed", **options)
    assert ((Archive.open(tmp_path / "b.zarr").quality("flare") > 0) == (masked > 0)).all()


def test_only_eit_has_a_pedestal_and_only_where_the_corners_are_sky(real_data: Path) -> None:
    image = read_image(real_data / "eit-2004-03-01" / "efz20040301.000010_s.fits")
    other = SolarImage(header=replace(image.header, instrument="AIA_3"), data=image.data)
    assert pedestal(other) == 0
    part = image.data[40:80, 40:80]
    assert pedestal(SolarImage(header=replace(image.header, shape=part.shape), data=part)) == 0
