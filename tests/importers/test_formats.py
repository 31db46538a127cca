"""Every kind of file that people have, made small: (file) to (archive) is the same values, times and places."""

import gzip
import http.server
import os
import shutil
import struct
import sys
import threading
import zipfile
import zlib
from functools import partial
from pathlib import Path

import fsspec
import numpy as np
import pytest
import xarray as xr
import zarr
from fsspec.implementations.memory import MemoryFileSystem
from PIL import ExifTags, Image
from typer.testing import CliRunner

from framecast.cli import app
from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.data.archive.reader import Archive
from framecast.importers.filenames import times_in_names
from framecast.importers.formats import FORMATS, open_decoded
from framecast.importers.importing import Imported, import_data
from framecast.importers.options import ImportOptions

pytestmark = pytest.mark.thorough

HOURS = np.datetime64("2020-01-01", "ns") + np.arange(6) * np.timedelta64(1, "h")
VALUES = np.random.default_rng(0).integers(0, 200, (6, 8, 10)).astype(np.float32)


def archived(source: object, tmp_path: Path, **options: object) -> tuple[Archive, Imported]:
    imported = import_data(source, tmp_path / "out.zarr", overwrite=True, progress=False, **options)
    return Archive.open(tmp_path / "out.zarr"), imported


def grid(values: np.ndarray = VALUES, times: np.ndarray = HOURS, name: str = "rain") -> xr.Dataset:
    coords = {"time": times, "y": np.arange(8.0), "x": np.arange(10.0)}
    return xr.Dataset({name: (("time", "y", "x"), values, {"units": "mm/h"})}, coords)


# Several files.


def test_files_are_joined_in_time_by_pattern_folder_and_list(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):  # each counts from its own beginning
        part = grid(VALUES[2 * k : 2 * k + 2], HOURS[2 * k : 2 * k + 2])
        encoding = {
            "time": {"units": f"minutes since {HOURS[2 * k]}"},
            "rain": {"dtype": "int16", "scale_factor": 0.5 + k, "_FillValue": -1},
        }
        part.to_netcdf(tmp_path / "in" / f"r{2 - k}.nc", engine="h5netcdf", encoding=encoding)
    files = sorted((tmp_path / "in").iterdir())
    for source in (tmp_path / "in", f"{tmp_path}/in/r*.nc", files):
        archive, imported = archived(source, tmp_path)
        (name,) = archive.sequences
        np.testing.assert_allclose(archive.read(name)[0], VALUES, atol=1.3)
        np.testing.assert_array_equal(archive.times(name), HOURS)
        assert (imported.cadence, imported.gaps) == (3600, 0)
    archive, _ = archived(tmp_path / "in", tmp_path, sequence="file")
    assert archive.sequences == ("r0", "r1", "r2")


def test_variables_in_files_of_their_own_are_channels(tmp_path) -> None:
    for name in ("u", "v"):
        grid(VALUES * (1 if name == "u" else -1), name=name).to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    archive, _ = archived([tmp_path / "u.nc", tmp_path / "v.nc"], tmp_path, variables=("u", "v"))
    np.testing.assert_array_equal(archive.read(archive.sequences[0], range(6), ["v"])[0], -VALUES)
    grid(VALUES, HOURS + np.timedelta64(1, "h"), "v").to_netcdf(tmp_path / "v.nc", engine="h5netcdf")
    with pytest.raises(DataError, match="different time"):
        archived([tmp_path / "u.nc", tmp_path / "v.nc"], tmp_path, variables=("u", "v"))


@pytest.mark.parametrize("change", ["size", "unit", "grid"])
def test_files_that_do_not_fit_together_are_named(change, tmp_path) -> None:
    first, other = grid(VALUES[:3], HOURS[:3]), grid(VALUES[3:], HOURS[3:])
    if change == "size":
        other = other.isel(x=slice(5))
    elif change == "unit":
        other["rain"].attrs["units"] = "m/s"
    else:
        other = other.assign_coords(x=other.x + 1)
    for name, data in (("a", first), ("b", other)):
        data.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"b\.nc"):
        archived([tmp_path / "a.nc", tmp_path / "b.nc"], tmp_path)


# Zarr and addresses.


@pytest.mark.parametrize("version", [2, 3])
def test_zarr_in_a_zip_file_and_at_an_address(version, tmp_path) -> None:
    grid().to_zarr(zarr.storage.ZipStore(tmp_path / "r.zarr.zip", mode="w"), zarr_format=version, mode="w")
    grid().to_zarr(tmp_path / "r.zarr", zarr_format=version)
    shutil.copy(tmp_path / "r.zarr.zip", tmp_path / "z.zip")
    for source in (tmp_path / "r.zarr.zip", tmp_path / "z.zip", f"file://{tmp_path}/r.zarr"):
        archive, _ = archived(source, tmp_path)
        np.testing.assert_array_equal(archive.read(archive.sequences[0])[0], VALUES)


def test_a_zip_file_of_files_is_read_as_a_folder(tmp_path) -> None:
    with zipfile.ZipFile(tmp_path / "month.zip", "w") as packed:
        for k in range(2):
            grid(VALUES[3 * k : 3 * k + 3], HOURS[3 * k : 3 * k + 3]).to_netcdf(tmp_path / f"{k}.nc", engine="h5netcdf")
            packed.write(tmp_path / f"{k}.nc", f"days/{k}.nc")
    archive, _ = archived(tmp_path / "month.zip", tmp_path)
    np.testing.assert_array_equal(archive.read("month")[0], VALUES)
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(DataError, match=r"bad\.zip is not a zip file"):
        archived(tmp_path / "bad.zip", tmp_path)


@pytest.fixture
def server(tmp_path):
    """The address of a web server on this machine that serves the folder of the test."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_files_and_stores_of_a_web_server(server, tmp_path) -> None:
    pytest.importorskip("aiohttp")
    grid().to_netcdf(tmp_path / "r.nc", engine="h5netcdf")
    for version in (2, 3):
        grid().to_zarr(tmp_path / f"r{version}.zarr", zarr_format=version)
    for source, name in (("r.nc", "r"), ("r2.zarr", "r2"), ("r3.zarr/", "r3")):
        archive, _ = archived(f"{server}/{source}", tmp_path)
        np.testing.assert_array_equal(archive.read(name)[0], VALUES)
    archive, imported = archived([f"{server}/r.nc", f"{server}/r.nc"], tmp_path)
    assert (archive.sequences, imported.repeated) == (("r",), 6)
    for absent in (f"{server}/absent.nc", f"file://{tmp_path}/absent.nc"):
        with pytest.raises(FramecastError, match=r"nothing at .*absent\.nc"):
            archived(absent, tmp_path)
    with pytest.raises(FramecastError, match=r"absent\.zarr is not a Zarr store"):
        archived(f"{server}/absent.zarr", tmp_path)
    with pytest.raises(FramecastError, match="Protocol not known"):
        archived("moon://r.zarr", tmp_path)


@pytest.mark.parametrize("name", ["r.nc", "r.zarr"])
def test_an_error_of_a_service_is_no_bug_and_no_damage(name, tmp_path) -> None:
    """Services raise errors of their own, such as botocore's for missing credentials, which derive from Exception."""

    class Closed(MemoryFileSystem):
        protocol = "closed"
        async_impl = True
        asynchronous = True

        def _open(self, path: str, *arguments: object, **keywords: object) -> None:
            raise NoCredentials

        async def _cat_file(self, path: str, *arguments: object, **keywords: object) -> None:
            raise NoCredentials

    class NoCredentials(Exception):
        """Unable to locate credentials."""

        def __str__(self) -> str:
            return "Unable to locate credentials"

    fsspec.register_implementation("closed", Closed, clobber=True)
    with pytest.raises(FramecastError, match=f"closed://bucket/{name} cannot be read: Unable to locate credentials"):
        archived(f"closed://bucket/{name}", tmp_path)


def test_a_bare_zarr_array(tmp_path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=VALUES)
    with pytest.raises(DataError, match="--cadence"):
        archived(tmp_path / "a.zarr", tmp_path, unit="K")
    archive, imported = archived(tmp_path / "a.zarr", tmp_path, unit="K", cadence="5min")
    np.testing.assert_array_equal(archive.read("a")[0], VALUES)
    assert (imported.cadence, archive.calendar.name) == (300, "none")


# HDF5 and NumPy, without names of dimensions.


def test_hdf5_without_dimension_scales(tmp_path) -> None:
    import h5py

    clips = np.random.default_rng(1).integers(0, 255, (4, 8, 8, 6)).astype(np.uint8)  # sample, y, x, time
    with h5py.File(tmp_path / "clips.h5", "w") as file:
        file["vil"] = clips
    with pytest.raises(DataError, match=r"vil has the shape 4×8×8×6 .*--dims sample,y,x,time"):
        archived(tmp_path / "clips.h5", tmp_path, unit="1", cadence="5min")
    options = {"dims": "sample,y,x,time", "unit": "1", "cadence": "5min", "independent": True}
    archive, _ = archived(tmp_path / "clips.h5", tmp_path, **options)
    assert len(archive.sequences) == 4
    np.testing.assert_array_equal(archive.read(archive.sequences[2])[0], np.moveaxis(clips[2], -1, 0))
    with pytest.raises(ConfigError, match="names 3 dimensions and vil has 4"):
        archived(tmp_path / "clips.h5", tmp_path, dims="time,y,x")


@pytest.mark.parametrize("dims", [None, "time,y,x", "sample,time,y,x", "time,channel,y,x"])
def test_numpy_arrays(dims, tmp_path) -> None:
    values = VALUES if dims is None or dims.count(",") == 2 else np.stack([VALUES, VALUES + 1], dims.startswith("time"))
    np.save(tmp_path / "a.npy", values)
    archive, _ = archived(tmp_path / "a.npy", tmp_path, dims=dims, unit="K", cadence="1h")
    assert (len(archive.sequences), len(archive.channels)) == (
        2 if dims and dims.startswith("sample") else 1,
        2 if dims and "channel" in dims else 1,
    )
    last = archive.read(archive.sequences[-1])[-1]
    np.testing.assert_array_equal(last, VALUES + (values.ndim == 4))


def test_numpy_archives_with_their_coordinates(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", rain=VALUES, time=HOURS, lat=np.linspace(57, 50, 8), note=np.array("text"))
    archive, imported = archived(tmp_path / "a.npz", tmp_path, unit="mm/h")
    np.testing.assert_array_equal(archive.read("a")[0], VALUES[:, ::-1])
    np.testing.assert_array_equal(archive.times("a"), HOURS)
    assert "upward" in imported.understood
    np.save(tmp_path / "o.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(DataError, match=r"o\.npy"):
        archived(tmp_path / "o.npy", tmp_path)


def test_a_file_with_its_dimensions_in_another_order(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    square = VALUES[:, :, :8]
    data = xr.Dataset(
        {"rain": (("time", "y", "x"), square, {"units": "mm/h"})},
        {"time": HOURS, "y": np.arange(8.0), "x": np.arange(8.0)},
    )
    data.isel(time=slice(3)).to_netcdf(tmp_path / "in" / "a.nc", engine="h5netcdf")
    data.isel(time=slice(3, 6)).transpose("x", "time", "y").to_netcdf(tmp_path / "in" / "b.nc", engine="h5netcdf")
    archive, _ = archived(tmp_path / "in", tmp_path)
    np.testing.assert_array_equal(archive.read("in")[0], square)


def test_files_of_one_run_are_joined_by_their_valid_times(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    attrs = {"standard_name": "time"}
    for k in range(3):  # as cfgrib writes them
        frame = grid(VALUES[k : k + 1], HOURS[:1]).isel(time=0)
        frame = frame.assign_coords(time=((), HOURS[0], attrs), valid_time=((), HOURS[k + 1], attrs))
        frame.to_netcdf(tmp_path / "in" / f"{k}.nc", engine="h5netcdf")
    archive, _ = archived(tmp_path / "in", tmp_path)
    np.testing.assert_array_equal(archive.times("in"), HOURS[1:4])


def test_levels_are_not_joined_in_time(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for k, level in enumerate((500.0, 850.0)):
        part = grid(VALUES[3 * k : 3 * k + 3], HOURS[3 * k : 3 * k + 3]).assign_coords(plev=level)
        part.to_netcdf(tmp_path / "in" / f"{k}.nc", engine="h5netcdf")
    with pytest.raises(DataError, match=r"plev is 500 in .* and 850 in .*--sequence file"):
        archived(tmp_path / "in", tmp_path)
    assert archived(tmp_path / "in", tmp_path, sequence="file")[0].sequences == ("0", "1")


# Pictures.


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ("png", "u1"),
        ("png", "u2"),
        ("tif", "u1"),
        ("tif", "u2"),
        ("tif", "i4"),
        ("tif", "f4"),
        ("pgm", "u1"),
        ("gif", "u1"),
    ],
)
@pytest.mark.parametrize("name", ["{:%Y%m%d_%H%M}", "sat.{:%Y.%m.%d_%H.%M.%S}", "A{:%Y%j%H%M}x", "{:%y%j%H%M}"])
def test_pictures_with_the_time_in_their_names(ending, kind, name, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    values = (VALUES * (100 if kind in ("u2", "i4") else 1) + (0.25 if kind == "f4" else 0)).astype(kind)
    for time, frame in zip(HOURS.astype("M8[us]").tolist(), values, strict=True):
        Image.fromarray(frame).save(tmp_path / "in" / f"{name.format(time)}.{ending}")
    archive, _ = archived(tmp_path / "in", tmp_path, unit="K")
    np.testing.assert_array_equal(archive.times("in"), HOURS)
    np.testing.assert_array_equal(archive.read("in")[0], values[:, ::-1])  # the first row of a picture is its top


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["r_2020010123", "r_2020010200"], ["2020-01-01T23", "2020-01-02T00"]),
        (["2020-01-01T12Z", "2020-01-02T12Z"], ["2020-01-01T12", "2020-01-02T12"]),
        (["2020-01-01T12-30", "2020-01-01T13-30"], ["2020-01-01T12:30", "2020-01-01T13:30"]),
    ],
)
def test_hours_without_minutes_in_names(names, expected) -> None:
    found, _ = times_in_names([Path(f"{name}.png") for name in names])
    np.testing.assert_array_equal(found, np.array(expected, "M8[ns]"))


@pytest.mark.parametrize(
    ("names", "expected", "said"),
    [
        (["a_2020-01-01T12:00+01:00", "a_2020-01-01T13:00+01:00"], ["2020-01-01T11", "2020-01-01T12"], "+01:00"),
        (["20200101T1200+0100", "20200101T1300+0100"], ["2020-01-01T11", "2020-01-01T12"], "+0100"),
        (["20201025_0230+0200", "20201025_0230+0100"], ["2020-10-25T00:30", "2020-10-25T01:30"], "+0200, +0100"),
        (["20200101_1200Z", "20200101_1300Z"], ["2020-01-01T12", "2020-01-01T13"], "names"),
        ([f"20200101_{k}00+0{k - 10}00" for k in (12, 13, 14)], [f"2020-01-01T{k}" for k in (12, 13, 14)], "not read"),
        (["2020010112+0100", "2020010112+0200"], [100, 200], "numbered"),  # lead times
        (["20200101_1200-0100", "20200101_1300-0100"], ["2020-01-01T12", "2020-01-01T13"], "not read"),
        (["20200101T10:00-05:00", "20200101T11:00-05:00"], ["2020-01-01T15", "2020-01-01T16"], "-05:00"),
        (["20200101_10:00-11:00", "20200101_11:00-12:00"], ["2020-01-01T10", "2020-01-01T11"], "not read"),
    ],
)
def test_offsets_from_utc_in_names(names, expected, said) -> None:
    times, found = times_in_names([Path(f"{name}.png") for name in names])
    assert times.tolist() == np.array(expected, times.dtype).tolist()
    assert said in found


def test_an_offset_of_a_pattern_is_taken_off() -> None:
    times, _ = times_in_names([Path("20200101T1200-0500.png")], "%Y%m%dT%H%M%z")
    assert times == np.datetime64("2020-01-01T17")


def test_the_step_of_numbered_frames_is_one_that_occurs(tmp_path) -> None:
    for k in (1, 2, 10):
        Image.fromarray(VALUES[0].astype("u1")).save(tmp_path / f"{k}.png")
    archive, _ = archived([tmp_path / f"{k}.png" for k in (1, 2, 10)], tmp_path, cadence="1h")
    (name,) = archive.sequences
    assert [archive.calendar.text(time) for time in archive.times(name)] == ["0s", "1h", "9h"]


@pytest.mark.parametrize("kind", ["i1", "u4"])
def test_numbers_of_tiff_files_keep_their_sign(kind, tmp_path) -> None:
    tifffile = pytest.importorskip("tifffile")
    info = np.iinfo(kind)
    values = np.linspace(info.min, info.max, 80).astype(kind).reshape(1, 8, 10).repeat(2, axis=0)
    tifffile.imwrite(tmp_path / "x.tif", values)
    archive, _ = archived(tmp_path / "x.tif", tmp_path, cadence="1h")
    np.testing.assert_allclose(archive.read("x")[0], values[:, ::-1], rtol=1e-6)


@pytest.mark.parametrize("kind", ["u1", "u2"])
def test_tiff_files_in_which_0_is_white_are_inverted(kind, tmp_path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = VALUES[:2].astype(kind)
    for k, frame in enumerate(np.iinfo(kind).max - values):
        tifffile.imwrite(tmp_path / f"a{k}.tif", frame, photometric="miniswhite")
    archive, _ = archived(tmp_path / "a*.tif", tmp_path, cadence="5min")
    np.testing.assert_array_equal(archive.read(archive.sequences[0])[0], values[:, ::-1])


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_turned_as_their_exif_orientation_says(mode, tmp_path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the first row is the right edge
    for k, frame in enumerate(VALUES[:2].astype(np.uint8)):
        picture = Image.fromarray(frame).convert(mode)
        picture.save(tmp_path / f"a{k}.png", exif=exif)
        picture.save(tmp_path / f"b{k}.jpg", exif=exif, quality=100)
    expected = np.rot90(VALUES[:2], -1, axes=(1, 2))[:, ::-1]
    for pattern, error in (("a*.png", 0), ("b*.jpg", 3)):
        archive, _ = archived(tmp_path / pattern, tmp_path, cadence="5min")
        np.testing.assert_allclose(archive.read(archive.sequences[0])[0], expected, atol=error)


def test_pixels_of_pictures_are_no_fractions(tmp_path) -> None:
    for k, frame in enumerate(VALUES[:2].astype(np.uint8)):
        Image.fromarray(frame).save(tmp_path / f"a{k}.png")
    archive, _ = archived(tmp_path / "a*.png", tmp_path, cadence="5min", unit="%")
    np.testing.assert_array_equal(archive.read(archive.sequences[0])[0], VALUES[:2, ::-1])


def test_colours_of_16_bits_are_refused_however_they_are_stored(tmp_path) -> None:
    tifffile = pytest.importorskip("tifffile")
    for planes in ("separate", "contig"):
        values = np.full((2, 3, 8, 10) if planes == "separate" else (2, 8, 10, 3), 1000, "u2")
        tifffile.imwrite(tmp_path / "x.tif", values, photometric="rgb", planarconfig=planes)
        with pytest.raises(DataError, match="colours of 16 bits"):
            archived(tmp_path / "x.tif", tmp_path, cadence="1h")


@pytest.mark.parametrize("kind", ["imagej", "ome", "plain"])
def test_pages_of_several_channels_are_not_read_as_frames(kind, tmp_path) -> None:
    tifffile = pytest.importorskip("tifffile")
    values = np.arange(6 * 2 * 80, dtype="u2").reshape(6, 2, 8, 10)
    told = {} if kind == "plain" else {kind: True, "metadata": {"axes": "TCYX"}}
    tifffile.imwrite(tmp_path / "x.tif", values, **told)
    with pytest.raises(DataError, match=r"the 12 pages of .*--dims time,channel,y,x"):
        archived(tmp_path / "x.tif", tmp_path, cadence="1h")
    told = {} if kind == "plain" else {kind: True, "metadata": {"axes": "TYX"}}
    tifffile.imwrite(tmp_path / "x.tif", values[:, 0], **told)
    archive, _ = archived(tmp_path / "x.tif", tmp_path, cadence="1h")
    np.testing.assert_array_equal(archive.read("x")[0], values[:, 0, ::-1])


def test_pictures_that_are_numbered_and_one_without_a_number(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for k, frame in enumerate(VALUES.astype("u1")):
        Image.fromarray(frame).save(tmp_path / "in" / f"frame{k + 8}.png")  # 8, 9, 10 …
    archive, imported = archived(tmp_path / "in", tmp_path, cadence="10s")
    np.testing.assert_array_equal(archive.read("in")[0], VALUES[:, ::-1])
    assert (imported.cadence, archive.unit) == (10, "1")
    _, imported = archived(tmp_path / "in", tmp_path, cadence="10s", every="2", start="10s")
    assert imported.frames == 3


def test_colours_are_channels_palettes_are_resolved_and_the_transparent_is_unknown(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    colours = np.random.default_rng(3).integers(0, 255, (2, 8, 10, 4)).astype("u1")
    colours[..., 3] = 255
    colours[0, 0, 0, 3] = 0
    for k in range(2):
        Image.fromarray(colours[k]).save(tmp_path / "in" / f"2020010{k + 1}.png")
    archive, _ = archived(tmp_path / "in", tmp_path)
    assert archive.channels == ("red", "green", "blue")
    found = archive.read("in")
    assert np.isnan(found[:, 0, -1, 0]).all()
    np.testing.assert_array_equal(found[:, 1], np.moveaxis(colours[1, ::-1, :, :3], -1, 0))


def test_the_values_of_a_pgm_are_not_stretched(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(3):
        counts = (np.arange(80).reshape(8, 10) * 12 + k).astype(">u2")
        with gzip.open(tmp_path / "in" / f"2020-01-0{k + 1}.pgm.gz", "wb") as file:
            file.write(b"P5\n10 8\n1023\n" + counts.tobytes())
    archive, _ = archived(tmp_path / "in", tmp_path)
    np.testing.assert_array_equal(archive.read("in")[0, 2], np.arange(80).reshape(8, 10)[::-1] * 12 + 2)


@pytest.mark.parametrize("bits", [2, 4])
def test_the_values_of_a_png_of_few_bits_are_not_stretched(bits, tmp_path) -> None:
    values = np.arange(80).reshape(8, 10) % 2**bits
    packed = np.packbits(((values[..., None] >> np.arange(bits)[::-1]) & 1).reshape(8, -1), axis=1)
    rows = np.insert(packed, 0, 0, axis=1).tobytes()  # no filter
    parts = {b"IHDR": struct.pack(">IIBBBBB", 10, 8, bits, 0, 0, 0, 0), b"IDAT": zlib.compress(rows), b"IEND": b""}
    content = b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
        for name, part in parts.items()
    )
    for k in range(2):
        (tmp_path / f"2020010{k + 1}.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    archive, _ = archived([tmp_path / "20200101.png", tmp_path / "20200102.png"], tmp_path)
    np.testing.assert_array_equal(archive.read(archive.sequences[0])[0, 1], values[::-1])


def test_an_animation_knows_its_times(tmp_path) -> None:
    frames = [Image.fromarray(frame) for frame in VALUES.astype("u1")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=200)
    archive, imported = archived(tmp_path / "a.gif", tmp_path)
    assert imported.cadence == pytest.approx(0.2)
    np.testing.assert_array_equal(archive.read("a")[0], VALUES[:, ::-1])
    frames[0].save(tmp_path / "a.tif", save_all=True, append_images=frames[1:])
    archive, _ = archived(tmp_path / "a.tif", tmp_path, cadence="1min")
    np.testing.assert_array_equal(archive.read("a")[0], VALUES[:, ::-1])


# Formats with a package of their own.


@pytest.mark.parametrize(("ending", "codec"), [("mkv", "ffv1"), ("mp4", "libx264"), ("webm", "libvpx-vp9")])
def test_films(ending, codec, tmp_path) -> None:
    av = pytest.importorskip("av")
    y, x = np.mgrid[:32, :48]
    values = np.stack([100 + 80 * np.sin((x + 3 * k) / 7) * np.cos(y / 9) for k in range(40)]).astype("u1")
    with av.open(str(tmp_path / f"a.{ending}"), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "gray" if codec == "ffv1" else "yuv420p"
        for frame in values:
            for packet in stream.encode(av.VideoFrame.from_ndarray(frame, "gray")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    archive, imported = archived(tmp_path / f"a.{ending}", tmp_path)
    assert (imported.frames, imported.cadence) == (40, pytest.approx(1 / 30, abs=1e-6))
    error = np.abs(archive.read("a")[0] - values[:, ::-1]).mean(axis=(1, 2))
    assert error.max() < (0.1 if codec == "ffv1" else 12)


def test_grib(tmp_path) -> None:
    eccodes = pytest.importorskip("eccodes")
    pytest.importorskip("cfgrib")
    with (tmp_path / "a.grib").open("wb") as file:
        for k in range(6):
            message = eccodes.codes_grib_new_from_samples("regular_ll_sfc_grib2")
            for key, value in {
                "Ni": 10,
                "Nj": 8,
                "iDirectionIncrementInDegrees": 1,
                "jDirectionIncrementInDegrees": 1,
                "latitudeOfFirstGridPointInDegrees": 57,
                "latitudeOfLastGridPointInDegrees": 50,
                "longitudeOfFirstGridPointInDegrees": 355,
                "longitudeOfLastGridPointInDegrees": 4,
                "dataDate": 20200101,
                "dataTime": 100 * k,
                "shortName": "2t",
                "bitsPerValue": 24,
            }.items():
                eccodes.codes_set(message, key, value)
            eccodes.codes_set_values(message, VALUES[k].ravel().astype(float))
            eccodes.codes_write(message, file)
            eccodes.codes_release(message)
    archive, _imported = archived(tmp_path / "a.grib", tmp_path)
    np.testing.assert_allclose(archive.read("a")[0], VALUES[:, ::-1], atol=1e-4)
    np.testing.assert_array_equal(archive.times("a"), HOURS)
    assert (archive.unit, archive.channels) == ("K", ("t2m",))
    np.testing.assert_allclose(archive.sequence("a").x, np.arange(-5, 5))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.grib", "out.zarr"]  # no index beside it


def test_geotiff(tmp_path) -> None:
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    (tmp_path / "in").mkdir()
    place = rasterio.transform.from_origin(500_000, 6_000_000, 1000, 1000)
    for time, frame in zip(HOURS.astype("M8[us]").tolist(), VALUES, strict=True):
        stored = np.where(frame == VALUES[0, 0, 0], -9999, frame)
        about = {"driver": "GTiff", "height": 8, "width": 10, "count": 1, "dtype": "float32", "nodata": -9999}
        with rasterio.open(
            tmp_path / "in" / f"t{time:%Y%m%dT%H%M}.tif", "w", crs="EPSG:32632", transform=place, **about
        ) as file:
            file.write(stored, 1)
    archive, _imported = archived(tmp_path / "in", tmp_path, unit="K")
    expected = np.where(VALUES[0, 0, 0] == VALUES, np.nan, VALUES)[:, ::-1]
    np.testing.assert_array_equal(archive.read("in")[0], expected)
    sequence = archive.sequence("in")
    np.testing.assert_allclose(sequence.y, 5_992_500 + 1000 * np.arange(8))
    assert "32632" in str(sequence.crs.attrs)
    about |= {"count": 6, "transform": place, "crs": "EPSG:32632"}
    with rasterio.open(tmp_path / "stack.tif", "w", **about) as file:  # more bands than a picture has colours
        file.write(VALUES)
    archive, _ = archived(tmp_path / "stack.tif", tmp_path, unit="K", time="band", cadence="1h")
    np.testing.assert_array_equal(archive.read("stack")[0], VALUES[:, ::-1])


def test_bands_of_a_geotiff_have_their_own_units_and_scales(tmp_path) -> None:
    rasterio = pytest.importorskip("rasterio")
    pytest.importorskip("rioxarray")
    place = rasterio.transform.from_origin(10, 50, 0.5, 0.25)
    codes = VALUES.astype("i2").reshape(3, 2, 8, 10)

    def written(transform: object = place, **told: object) -> Path:
        (tmp_path / "in").mkdir(exist_ok=True)
        about = {"driver": "GTiff", "height": 8, "width": 10, "count": 2, "dtype": "int16", "crs": "EPSG:4326"}
        for k, bands in enumerate(codes):
            with rasterio.open(tmp_path / "in" / f"2020-01-0{k + 1}.tif", "w", transform=transform, **about) as file:
                file.write(bands)
                for key, values in told.items():
                    setattr(file, key, values)
        return tmp_path / "in"

    expected = codes[:, :, ::-1].swapaxes(0, 1)
    archive, _ = archived(written(units=("K", "K")), tmp_path)
    assert archive.unit == "K"
    np.testing.assert_array_equal(archive.read("in"), expected)
    archive, _ = archived(written(units=("K", "K"), scales=(0.5, 2.0), offsets=(0.0, 3.0)), tmp_path)
    np.testing.assert_allclose(archive.read("in"), [expected[0] * 0.5, expected[1] * 2 + 3])
    archive, _ = archived(written(units=("K", "m")), tmp_path, variables=("band_1", "band_2"))
    assert (archive.channels, archive.unit) == (("band_1", "band_2"), "K, m")
    with pytest.raises(DataError, match=r"rotated .* gdalwarp"):
        archived(written(place * rasterio.Affine.rotation(10), units=("K", "K")), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "unit", "shape"), [("fmi", "dBZ", (1226, 760)), ("mch", "mm", (640, 710))])
def test_composites_of_weather_services(kind, unit, shape, real_data, tmp_path) -> None:
    pytest.importorskip("pysteps")
    files = sorted(path for path in (real_data / "radar-rain" / kind).rglob("*") if path.is_file())[:2]
    archive, imported = archived(files, tmp_path)
    assert (archive.unit, (archive.height, archive.width), imported.cadence) == (unit, shape, 300)
    assert {"y", "x", "crs"} <= set(archive.sequence(archive.sequences[0]).coords)


@pytest.mark.parametrize(
    ("file", "module", "extra"),
    [("a.mp4", "av", "films"), ("a.grib2", "cfgrib", "grib"), ("AQC151351545F_00005.801.gif", "pysteps", "radar")],
)
def test_a_package_that_is_absent_is_named_with_its_extra(file, module, extra, tmp_path, monkeypatch) -> None:
    (tmp_path / file).write_bytes(b"GRIB")
    for name in [module, *(name for name in sys.modules if name.startswith(f"{module}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        FramecastError, match=rf"{module} is not installed .*pip install 'framecast\[{extra}\]'"
    ) as error:
        archived(tmp_path / file, tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("a.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n#EXT-X-ENDLIST\n"),
        ("a.mp4", b"ffconcat version 1.0\nfile '/etc/hostname'\n"),
        ("a.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 9999, 9999), }"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(file, content, tmp_path) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(FramecastError, match=file.replace(".", r"\.")) as error:
        archived(tmp_path / file, tmp_path, unit="1", cadence="1h")
    assert "\n" not in str(error.value)


# What is taken of a source.


def lonlat(lon: np.ndarray) -> xr.Dataset:
    lat = ("lat", np.linspace(57, 50, 8), {"units": "degrees_north"})
    values = np.broadcast_to(np.arange(10.0, dtype="f4"), (6, 8, 10))
    coords = {"time": HOURS, "lat": lat, "lon": ("lon", lon, {"units": "degrees_east"})}
    return xr.Dataset({"t": (("time", "lat", "lon"), values, {"units": "K"})}, coords)


@pytest.mark.parametrize(
    ("lon", "region", "columns", "x"),
    [
        (np.arange(10.0), (2, 52, 5, 55), [2, 3, 4, 5], [2, 3, 4, 5]),
        (np.arange(0, 360, 36.0), (-40, 50, 40, 57), [9, 0, 1], [-36, 0, 36]),
        (np.arange(350.0, 360), (-8, 50, -5, 57), [2, 3, 4, 5], [-8, -7, -6, -5]),
    ],
)
def test_a_region_by_its_edges(lon, region, columns, x, tmp_path) -> None:
    lonlat(lon).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    archive, _ = archived(tmp_path / "a.nc", tmp_path, region=region)
    np.testing.assert_array_equal(archive.read("a")[0, 0, 0], columns)
    np.testing.assert_allclose(archive.sequence("a").x, x)
    assert archive.sequence("a").y.values.min() >= region[1]
    with pytest.raises(DataError, match=r"the region .* contains no pixel"):
        archived(tmp_path / "a.nc", tmp_path, region=(2, 70, 5, 80))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({"start": "2020-01-01T02:00"}, [2, 3, 4, 5]),
        ({"end": "2020-01-01 03:00"}, [0, 1, 2, 3]),
        ({"end": "2020-01-01"}, [0, 1, 2, 3, 4, 5]),
        ({"every": "2h"}, [0, 2, 4]),
        ({"every": "3", "start": "2020-01-01T01:00"}, [1, 4]),
    ],
)
def test_times_that_are_taken(options, kept, tmp_path) -> None:
    grid().to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    archive, _ = archived(tmp_path / "a.nc", tmp_path, **options)
    np.testing.assert_array_equal(archive.times("a"), HOURS[kept])
    np.testing.assert_array_equal(archive.read("a")[0], VALUES[kept])
    with pytest.raises(DataError, match="no frame lies between 2021"):
        archived(tmp_path / "a.nc", tmp_path, start="2021-01-01")


def test_channels_are_computed_and_converted_each_with_its_unit(tmp_path) -> None:
    data = grid(name="u")
    data["u"].attrs["units"] = "m s-1"
    data["v"] = (data.u + 1).assign_attrs(units="m s-1")
    data["t2m"] = (data.u + 273).assign_attrs(units="K")
    data["lsm"] = (("y", "x"), (np.arange(80).reshape(8, 10) % 3 == 0).astype("f4"))
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    channel, unit = ("speed=hypot(u, v)", "warm=t2m"), ("speed=km/h", "warm=degC")
    archive, imported = archived(tmp_path / "a.nc", tmp_path, channel=channel, unit=unit, mask="lsm > 0.5")
    assert (archive.channels, archive.unit) == (("speed", "warm"), "km/h, degC")
    speed, warm = archive.read("a")
    land = np.arange(80).reshape(8, 10) % 3 == 0
    assert (np.isnan(speed) == land).all() and imported.unknown == pytest.approx(land.mean())
    np.testing.assert_allclose(speed[:, ~land], 3.6 * np.hypot(VALUES, VALUES + 1)[:, ~land], rtol=1e-5)
    np.testing.assert_allclose(warm[:, ~land], VALUES[:, ~land] - 0.15, atol=1e-3)
    with pytest.raises(DataError, match=r"speed is in m s-1 .* cannot be converted to K"):
        archived(tmp_path / "a.nc", tmp_path, channel="speed=hypot(u, v)", unit="K")
    for wrong in ("speed=__import__('os')", "speed=u.real", "speed=lambda: 1", "speed=nothing + u"):
        with pytest.raises((ConfigError, DataError)):
            archived(tmp_path / "a.nc", tmp_path, channel=wrong, unit="K")


def test_frames_of_one_time_in_several_files_are_told_of_with_what_to_do(tmp_path) -> None:
    (tmp_path / "in").mkdir()
    for k in range(2):
        grid(VALUES + k).to_netcdf(tmp_path / "in" / f"member{k}.nc", engine="h5netcdf")
    command = ["import", str(tmp_path / "in"), str(tmp_path / "out.zarr")]
    said = " ".join(CliRunner().invoke(app, command).output.split())
    assert "left out: 6 frames that have the time of an earlier frame" in said
    assert "--sequence file" in said
    archive, imported = archived(tmp_path / "in", tmp_path, sequence="file")
    assert (imported.repeated, imported.sequences) == (0, 2)
    np.testing.assert_array_equal(archive.read("member1")[0], VALUES + 1)


def test_the_command_says_what_it_understood_first_and_what_comes_next_last(tmp_path) -> None:
    data = grid()
    data["rain"].values[:, :3] = np.nan
    data.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    result = CliRunner().invoke(app, ["import", str(tmp_path / "a.nc"), str(tmp_path / "a.zarr"), "--coarsen", "2"])
    assert result.exit_code == 0, result.output
    lines = result.output.strip().splitlines()
    assert lines[:2] == [f"reading {tmp_path}/a.nc", "rain in mm/h: time time, rows y, columns x"]
    assert lines[-1].startswith(f"next: framecast train auto --data {tmp_path}/a.zarr --out runs/a")
    assert "data.max_masked=0.55" in lines[-1]


@pytest.mark.timeout(60)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("ending", [*(ending for kind in FORMATS for ending in kind.endings), ".h5.gz", ""])
def test_a_pipe_is_refused_whatever_its_name(tmp_path, ending):
    os.mkfifo(tmp_path / f"pipe{ending}")
    for importer in (None, "numpy", "netcdf"):
        with pytest.raises(DataError, match="a pipe"):
            open_decoded(tmp_path / f"pipe{ending}", ImportOptions(), importer)
