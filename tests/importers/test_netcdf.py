"""NetCDF files that name plugins or other files, or claim more than they hold."""

import gzip

import h5netcdf
import h5py
import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.formats import open_source
from framecast.importers.netcdf import open_netcdf
from framecast.importers.options import ImportOptions


def grid() -> xr.Dataset:
    times = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    values = np.arange(4 * 6 * 8, dtype="f4").reshape(4, 6, 8)
    return xr.Dataset({"rain": (("time", "y", "x"), values, {"units": "mm/h"})}, {"time": times})


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "rain.nc"
    grid().to_netcdf(path, engine="h5netcdf", encoding={"rain": {"zlib": True, "shuffle": True, "fletcher32": True}})
    return path


@pytest.mark.parametrize("format", ["NETCDF4", "NETCDF3_CLASSIC", "NETCDF3_64BIT", "gzip"])
def test_every_kind_is_read(tmp_path, format):
    plain, path = tmp_path / "plain.nc", tmp_path / "rain.nc.gz"
    engine = "h5netcdf" if format == "NETCDF4" else "scipy"
    grid().to_netcdf(plain, engine=engine, format="NETCDF3_CLASSIC" if format == "gzip" else format)
    if format == "gzip":
        path.write_bytes(gzip.compress(plain.read_bytes()))
    with open_netcdf(path if format == "gzip" else plain) as found:
        np.testing.assert_array_equal(found["rain"].values, grid()["rain"].values)


def test_a_filter_that_is_a_plugin_is_the_users_own_to_allow(path, monkeypatch):
    monkeypatch.delenv("HDF5_PLUGIN_PATH", raising=False)
    with h5py.File(path, "r+") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((2, 2))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        space = h5py.h5s.create_simple((4, 4))
        h5py.h5d.create(file.id, b"other", h5py.h5t.IEEE_F32LE, space, plan)
    with pytest.raises(DataError, match=r"filter 32015, .*HDF5_PLUGIN_PATH"):
        open_netcdf(path)
    monkeypatch.setenv("HDF5_PLUGIN_PATH", "/nowhere")
    open_netcdf(path).close()


def external(file, other):
    file["stolen"] = h5py.ExternalLink(str(other), "/rain")


def outside(file, other):
    file.create_dataset("stolen", (10,), "u1", external=[(str(other), 0, 10)])


def virtual(file, other):
    layout = h5py.VirtualLayout((4, 6, 8), "f4")
    layout[:] = h5py.VirtualSource(str(other), "rain", (4, 6, 8))
    file.create_virtual_dataset("stolen", layout)


def many_values(file, other):
    file.create_dataset("stolen", (10**12,), "f8", chunks=(1000,))


def many_chunks(file, other):
    file.create_dataset("stolen", (4, 10**6, 8), "f4", chunks=(1, 6, 8))


def long_attribute(file, other):
    file.attrs.create("long", np.zeros(2**19), dtype="f8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (external, "in another file"),
        (outside, "in other files"),
        (virtual, "in other files"),
        (many_values, "bytes along one dimension"),
        (many_chunks, "claims 666668 chunks"),
        (long_attribute, "attribute of 4194304 bytes"),
    ],
)
def test_what_leads_elsewhere_or_claims_too_much_is_refused(path, tmp_path, change, message):
    other = tmp_path / "other.nc"
    other.write_bytes(path.read_bytes())
    with h5py.File(path, "r+", libver="latest") as file:
        change(file, other)
    with pytest.raises(DataError, match=message) as error:
        open_netcdf(path)
    assert "\n" not in str(error.value)


def test_frames_that_nothing_could_be_computed_on_are_refused(tmp_path):
    with h5netcdf.File(tmp_path / "large.nc", "w") as file:
        file.dimensions = {"time": 4, "y": 10**5, "x": 10**5}
        file.create_variable("time", ("time",), "i8", data=np.arange(4)).attrs["units"] = "hours since 2020-01-01"
        file.create_variable("rain", ("time", "y", "x"), "f4", chunks=(1, 1000, 1000)).attrs["units"] = "mm/h"
    with pytest.raises(DataError, match="100000 by 100000 pixels"):
        open_source([tmp_path / "large.nc"], ImportOptions())


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    from framecast.importers import netcdf

    monkeypatch.setattr(netcdf, "_MOST_UNPACKED", 10**6)
    (tmp_path / "bomb.nc.gz").write_bytes(gzip.compress(b"CDF\x01" + bytes(10**7)))
    with pytest.raises(DataError, match="over 1000000 bytes"):
        open_netcdf(tmp_path / "bomb.nc.gz")


def test_a_heap_without_an_end_is_damage(path):
    """HDF5 2.0 reads one for ever, which no signal but SIGKILL ends."""
    content = bytearray(path.read_bytes())
    start = content.find(b"GCOL")
    assert start > 0
    content[start + 16 : start + 4000] = bytes(3984)
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"heap at byte {start} has no end"):
        open_netcdf(path)


@pytest.mark.slow
@pytest.mark.thorough
def test_damage_in_the_reader_is_told_as_damage(path):
    """Whatever kind of error the libraries raise: each byte of the first kilobytes is zeroed in turn."""
    content = path.read_bytes()
    for at in range(0, len(content), 97):
        path.write_bytes(content[:at] + bytes(8) + content[at + 8 :])
        try:
            data, _ = open_source([path], ImportOptions())
            list(data.frames(0, np.arange(len(data.times(0)))))
        except DataError as error:
            assert "\n" not in str(error)
