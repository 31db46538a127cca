"""From a folder of FITS to an archive."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from astropy.io import fits

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.domains.solar.prepare import prepare
from framecast.domains.solar.tracks import Track

pytestmark = pytest.mark.thorough

Writer = Callable[..., list[Path]]
Editor = Callable[..., None]

SMALL = {"size": 16, "pixel": 19.2, "minimum_frames": 2, "spacing": 30.0}


@pytest.fixture
def folder(tmp_path: Path, write_sun: Writer) -> Path:
    """Six hours of a small synthetic Sun."""
    write_sun(tmp_path / "src", hours=[0.0, 2.0, 4.0, 6.0], size=128, scale=19.2)
    return tmp_path / "src"


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.fits"))


def test_archive_says_where_every_frame_came_from(folder: Path, tmp_path: Path) -> None:
    summary = prepare(folder, tmp_path / "sun.zarr", **SMALL)
    archive = Archive.open(tmp_path / "sun.zarr")
    assert archive.channels == ("171",)
    assert archive.unit == "DN/s"
    assert archive.cadence == 7200
    assert len(archive.sequences) == summary.sequences > 4
    assert archive.attrs["rotation"].startswith("howard")
    name = archive.sequences[0]
    group = xr.open_zarr(tmp_path / "sun.zarr", group=name)
    assert group.intensity.dims == ("time", "channel", "y", "x")
    assert list(group.source.values[:, 0]) == [path.name for path in files_of(folder)][: group.sizes["time"]]
    assert (group.mu >= np.cos(np.radians(45))).all()
    assert (group.exposure == 2.0).all()
    assert group.x.values == pytest.approx((np.arange(16) - 7.5) * 19.2)
    assert (archive.quality(name) == 0).all()
    inside = group.intensity.values[np.isfinite(group.intensity.values)]
    assert np.median(inside) == pytest.approx(50.0, abs=1.0)  # 100 DN in 2 s


def test_size_may_be_rows_by_columns_and_the_field_of_view_given(folder: Path, tmp_path: Path) -> None:
    options = {key: value for key, value in SMALL.items() if key not in ("size", "pixel")}
    prepare(folder, tmp_path / "wide.zarr", size=(16, 24), field_of_view=480.0, **options)
    archive = Archive.open(tmp_path / "wide.zarr")
    assert (archive.height, archive.width) == (16, 24)
    assert archive.attrs["pixel_arcsec"] == pytest.approx(20.0)
    assert archive.attrs["field_of_view_arcsec"] == pytest.approx([320.0, 480.0])


def test_spot_stays_in_the_middle_of_the_archive(
    tmp_path: Path, write_sun: Writer, spots: list, start: np.datetime64
) -> None:
    write_sun(tmp_path / "src", hours=[0.0, 12.0, 24.0], roll=180.0)
    tracks = [
        Track(name=f"s{k}", longitude=s.longitude, latitude=s.latitude, reference=start) for k, s in enumerate(spots)
    ]
    prepare(tmp_path / "src", tmp_path / "a.zarr", size=33, pixel=9.6, tracks=tracks, minimum_frames=3, angle=60.0)
    archive = Archive.open(tmp_path / "a.zarr")
    assert archive.sequences == ("s0", "s1", "s2")
    for name in archive.sequences:
        for frame in archive.read(name, [0, 1, 2], ["171"])[0]:
            row, column = np.unravel_index(np.nanargmax(frame), frame.shape)
            assert (row, column) == (16, 16)


def test_channels_share_one_grid_although_their_pointing_differs(tmp_path: Path, write_sun: Writer) -> None:
    hours = [0.0, 2.0, 4.0]
    write_sun(tmp_path / "src", hours=hours, size=256, scale=9.6)
    write_sun(
        tmp_path / "src", hours=hours, wavelength=193, delay=8.0, factor=3.0, size=250, scale=9.9, centre=(120.0, 131.5)
    )
    prepare(tmp_path / "src", tmp_path / "a.zarr", wavelengths=[193, 171], **SMALL)
    archive = Archive.open(tmp_path / "a.zarr")
    assert archive.channels == ("193", "171")
    for name in archive.sequences:
        hot, warm = archive.read(name, [0], ["193", "171"])[:, 0]
        spot = warm > 80
        assert hot[~spot] == pytest.approx(3 * warm[~spot], abs=6)
        if spot.sum() > 3:
            assert np.corrcoef(hot[spot], warm[spot])[0, 1] > 0.995
    group = xr.open_zarr(tmp_path / "a.zarr", group=archive.sequences[0])
    apart = (group.observed[:, 0] - group.observed[:, 1]).values
    assert (apart == np.timedelta64(8, "s")).all()


def test_doubtful_frames_keep_their_reason(folder: Path, tmp_path: Path, edit_cards: Editor) -> None:
    edit_cards(files_of(folder)[1], QUALITY=1 << 30 | 1 << 13)
    summary = prepare(folder, tmp_path / "a.zarr", **SMALL)
    archive = Archive.open(tmp_path / "a.zarr")
    whole = next(name for name in archive.sequences if len(archive.times(name)) == 4)
    assert list(archive.quality(whole)) == [0, 1 << 13, 0, 0]
    assert [item.reason for item in summary.doubtful] == ["the spacecraft was in eclipse"]
    prepare(folder, tmp_path / "b.zarr", accept_quality=(13, 30), **SMALL)
    assert list(Archive.open(tmp_path / "b.zarr").quality(whole)) == [0, 0, 0, 0]


def test_a_missing_channel_is_masked_and_marked(tmp_path: Path, write_sun: Writer) -> None:
    write_sun(tmp_path / "src", hours=[0.0, 2.0, 4.0], size=128, scale=19.2)
    write_sun(tmp_path / "src", hours=[0.0, 4.0], wavelength=193, size=128, scale=19.2)
    prepare(tmp_path / "src", tmp_path / "a.zarr", wavelengths=[171, 193], **SMALL)
    archive = Archive.open(tmp_path / "a.zarr")
    whole = next(name for name in archive.sequences if len(archive.times(name)) == 3)
    assert list(archive.quality(whole)) == [0, 1 << 31, 0]
    frames = archive.read(whole, [0, 1, 2], ["171", "193"])
    assert np.isnan(frames[1, 1]).all()
    assert np.isfinite(frames[0, 1]).any()


def test_missing_pixels_are_masked_and_counted(tmp_path: Path, write_sun: Writer) -> None:
    paths = write_sun(tmp_path / "src", hours=[0.0, 2.0, 4.0], size=128, scale=19.2, extension=False)
    with fits.open(paths[1], mode="update") as hdus:
        hdus[0].data[60:68, 60:68] = np.nan
    summary = prepare(tmp_path / "src", tmp_path / "a.zarr", **SMALL)
    assert summary.missing == [64]
    archive = Archive.open(tmp_path / "a.zarr")
    names = [name for name in archive.sequences if len(archive.times(name)) == 3]
    holes = sum(np.isnan(archive.read(name, range(3), ["171"])).sum(axis=(0, 2, 3)) for name in names)
    assert holes[1] > 10
    assert holes[0] == holes[2] == 0


def test_beyond_the_limb_is_masked_unless_kept(folder: Path, tmp_path: Path) -> None:
    def masked(name: str, **options: object) -> int:
        prepare(folder, tmp_path / name, **(SMALL | {"pixel": 60.0} | options))
        archive = Archive.open(tmp_path / name)
        return int(sum(np.isnan(archive.read(n, [0], ["171"])).sum() for n in archive.sequences))

    assert masked("mask.zarr") > 100
    assert masked("keep.zarr", off_limb="keep", pixel=19.2) == 0


def test_unusable_files_are_listed_and_left_out_or_stop(folder: Path, tmp_path: Path, edit_cards: Editor) -> None:
    paths = files_of(folder)
    edit_cards(paths[0], CRPIX1=None)
    paths[3].write_bytes(paths[3].read_bytes()[:-9000])
    (folder / "readme.txt").write_text("no image")
    summary = prepare(folder, tmp_path / "a.zarr", **SMALL)
    reasons = {item.path.name: item.reason for item in summary.rejected}
    assert set(reasons) == {paths[0].name, paths[3].name, "readme.txt"}
    assert "no pointing" in reasons[paths[0].name]
    assert "truncated" in reasons[paths[3].name]
    assert len(summary.series.slots) == 2
    with pytest.raises(DataError, match="3 files cannot be used; the first"):
        prepare(folder, tmp_path / "b.zarr", strict=True, **SMALL)
    assert not (tmp_path / "b.zarr").exists()


def test_file_found_damaged_only_when_its_pixels_are_read(folder: Path, tmp_path: Path, monkeypatch) -> None:
    from framecast.domains.solar import cut as module

    broken = files_of(folder)[2]
    whole = module.read_image

    def read(path: Path):
        if path == broken:
            raise DataError(f"{path} cannot be read as FITS: bad tile")
        return whole(path)

    monkeypatch.setattr(module, "read_image", read)
    summary = prepare(folder, tmp_path / "a.zarr", **SMALL)
    assert [item.path for item in summary.rejected] == [broken]
    archive = Archive.open(tmp_path / "a.zarr")
    assert any(list(archive.quality(name)) == [0, 0, -1, 0] for name in archive.sequences)
    with pytest.raises(DataError, match="bad tile"):
        prepare(folder, tmp_path / "b.zarr", strict=True, **SMALL)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.zarr", "src"]


def test_other_wavelengths_are_counted(folder: Path, tmp_path: Path, write_sun: Writer) -> None:
    write_sun(folder / "deep" / "er", hours=[1.0, 3.0, 5.0], wavelength=304, size=128, scale=19.2)
    summary = prepare(folder, tmp_path / "a.zarr", wavelengths=[171], **SMALL)
    assert summary.other_wavelengths == {304: 3}
    assert len(summary.series.slots) == 4


def test_mistakes_are_told_before_anything_is_written(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.zarr"
    for options, complaint in [
        ({"wavelengths": [304]}, "no file has wavelength 304; the headers say 171"),
        ({"wavelengths": []}, "name at least one"),
        ({"size": 0}, "size is 0x0"),
        ({"pixel": 1e4}, "arcsec"),
        ({"pixel": 5.0, "field_of_view": 300.0}, "give one of them"),
        ({"start": "sometime"}, "--start is 'sometime'"),
        ({"minimum_frames": 99}, "the longest is in 4 of 4"),
        ({"off_limb": "dim"}, "mask or keep"),
        ({"rotation": "fast"}, "rotation is 'fast'"),
        ({"workers": 0}, "at least 1"),
    ]:
        with pytest.raises((ConfigError, DataError), match=complaint) as caught:
            prepare(folder, out, **(SMALL | options))
        assert "\n" not in str(caught.value)
    out.mkdir()
    with pytest.raises(FramecastError, match="exists already"):
        prepare(folder, out, **SMALL)


@pytest.mark.slow
def test_two_processes_write_what_one_does(folder: Path, tmp_path: Path) -> None:
    prepare(folder, tmp_path / "one.zarr", **SMALL)
    prepare(folder, tmp_path / "two.zarr", workers=2, **SMALL)
    one, two = Archive.open(tmp_path / "one.zarr"), Archive.open(tmp_path / "two.zarr")
    assert one.sequences == two.sequences
    for name in one.sequences:
        indices = range(len(one.times(name)))
        np.testing.assert_array_equal(one.read(name, indices, ["171"]), two.read(name, indices, ["171"]))


def test_interrupted_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("frames", 3):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(folder, tmp_path / "out" / "a.zarr", progress=interrupt, **SMALL)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
def test_signal_to_a_running_process_leaves_nothing(tmp_path: Path, write_sun: Writer) -> None:
    write_sun(tmp_path / "src", hours=[0.5 * k for k in range(14)], size=128, scale=19.2)
    code = (
        "import sys\n"
        "from framecast.domains.solar.prepare import prepare\n"
        "def show(what, done, total):\n"
        "    print(what, done, flush=True)\n"
        "    if (what, done) == ('frames', 3):\n"
        "        sys.stdin.read()  # until it is interrupted\n"
        "prepare(sys.argv[1], sys.argv[2], size=64, pixel=4.8, spacing=15, progress=show)\n"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "src"), str(tmp_path / "out" / "a.zarr")]
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=heed_interrupts,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("frames 3"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        process.wait(timeout=60)
    assert process.returncode != 0
    assert list((tmp_path / "out").iterdir()) == []


def heed_interrupts() -> None:
    """Undo what a shell does to a suite that runs in its background: there, processes are born deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_magnetograms_stay_in_gauss_and_need_no_exposure(tmp_path: Path, write_sun: Writer, edit_cards: Editor) -> None:
    layout = {"size": 128, "scale": 19.2, "extension": False}
    for path in write_sun(tmp_path / "src", hours=[0.0, 2.0, 4.0], wavelength=6173, factor=-1.0, **layout):
        edit_cards(path, BUNIT="Gauss", EXPTIME=None, QUALITY="0x00000000", INSTRUME="HMI_SIDE1")
    prepare(tmp_path / "src", tmp_path / "hmi.zarr", **SMALL)
    archive = Archive.open(tmp_path / "hmi.zarr")
    assert (archive.unit, archive.channels) == ("G", ("6173",))
    values = archive.read(archive.sequences[0])
    assert np.nanmedian(values) == pytest.approx(-100.0, abs=1.0)  # as in the files
    assert archive.sequence(archive.sequences[0])["exposure"].isnull().all()
    assert any("already in G" in step for step in archive.attrs["history"])
    with pytest.raises(DataError, match="6173 Å are in several units"):
        mixed = tmp_path / "src" / "6173_002.00.fits"
        edit_cards(mixed, BUNIT="DN/s")
        prepare(tmp_path / "src", tmp_path / "mixed.zarr", **SMALL)
    with pytest.raises(DataError, match="need counts"):
        edit_cards(mixed, BUNIT="Gauss")
        prepare(tmp_path / "src", tmp_path / "clean.zarr", despike=True, strict=True, **SMALL)
