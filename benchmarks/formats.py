"""The same frames written in every supported format, imported, and compared value by value.

    python benchmarks/formats.py

prints the table of docs/importing.md. Formats whose package is not installed are left out with the reason.
"""

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
import zarr
from PIL import Image

import framecast as fc
from framecast.data.archive.reader import Archive

warnings.simplefilter("ignore")
COUNT, HEIGHT, WIDTH = 12, 32, 48
HOURS = np.datetime64("2020-01-01", "ns") + np.arange(COUNT) * np.timedelta64(1, "h")
VALUES = np.random.default_rng(0).integers(0, 250, (COUNT, HEIGHT, WIDTH)).astype(np.float32)
"""Whole numbers of 8 bits, which every format can hold."""
NORTH_FIRST = np.linspace(60, 60 - 0.25 * (HEIGHT - 1), HEIGHT)


def grid() -> xr.Dataset:
    lat = ("lat", NORTH_FIRST, {"units": "degrees_north"})
    lon = ("lon", np.linspace(-10, 1.75, WIDTH), {"units": "degrees_east"})
    data = xr.Dataset(
        {"rain": (("time", "lat", "lon"), VALUES, {"units": "K"})}, {"time": HOURS, "lat": lat, "lon": lon}
    )
    return data


def netcdf(engine: str, **encoding: object) -> Callable[[Path], dict]:
    def write(folder: Path) -> dict:
        grid().to_netcdf(folder / "a.nc", engine=engine, encoding={"rain": encoding} if encoding else None)
        return {"source": folder / "a.nc"}

    return write


def files(folder: Path) -> dict:
    for k in range(COUNT):
        grid().isel(time=[k]).to_netcdf(folder / f"a{k}.nc", engine="h5netcdf")
    return {"source": folder}


def zarr_store(version: int, *, packed: bool = False) -> Callable[[Path], dict]:
    def write(folder: Path) -> dict:
        path = folder / ("a.zarr.zip" if packed else "a.zarr")
        store = zarr.storage.ZipStore(path, mode="w") if packed else path
        grid().to_zarr(store, zarr_format=version)
        if packed:
            store.close()
        return {"source": path}

    return write


def hdf5(folder: Path) -> dict:
    import h5py

    with h5py.File(folder / "a.h5", "w") as file:
        file["vil"] = np.moveaxis(VALUES[None], 1, -1)
    return {"source": folder / "a.h5", "dims": "sample,y,x,time", "cadence": "1h", "unit": "K"}


def npy(folder: Path) -> dict:
    np.save(folder / "a.npy", VALUES)
    return {"source": folder / "a.npy", "cadence": "1h", "unit": "K"}


def npz(folder: Path) -> dict:
    np.savez(folder / "a.npz", rain=VALUES, time=HOURS, lat=NORTH_FIRST)
    return {"source": folder / "a.npz", "unit": "K"}


def grib(edition: int) -> Callable[[Path], dict]:
    def write(folder: Path) -> dict:
        import eccodes

        with (folder / "a.grib").open("wb") as file:
            for k in range(COUNT):
                message = eccodes.codes_grib_new_from_samples(f"regular_ll_sfc_grib{edition}")
                for key, value in {
                    "Ni": WIDTH,
                    "Nj": HEIGHT,
                    "iDirectionIncrementInDegrees": 0.25,
                    "jDirectionIncrementInDegrees": 0.25,
                    "latitudeOfFirstGridPointInDegrees": 60,
                    "latitudeOfLastGridPointInDegrees": float(NORTH_FIRST[-1]),
                    "longitudeOfFirstGridPointInDegrees": 350,
                    "longitudeOfLastGridPointInDegrees": 1.75,
                    "dataDate": 20200101,
                    "dataTime": 100 * k,
                    "shortName": "2t",
                    "bitsPerValue": 24,
                }.items():
                    eccodes.codes_set(message, key, value)
                eccodes.codes_set_values(message, VALUES[k].ravel().astype(float))
                eccodes.codes_write(message, file)
                eccodes.codes_release(message)
        return {"source": folder / "a.grib"}

    return write


def geotiff(folder: Path) -> dict:
    import rasterio

    place = rasterio.transform.from_origin(-10.125, 60.125, 0.25, 0.25)
    about = {"driver": "GTiff", "height": HEIGHT, "width": WIDTH, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
    for k, frame in enumerate(VALUES):
        with rasterio.open(folder / f"t20200101T{k:02d}00.tif", "w", transform=place, **about) as file:
            file.write(frame, 1)
    return {"source": folder, "unit": "K"}


def pictures(ending: str, kind: str, **options: object) -> Callable[[Path], dict]:
    def write(folder: Path) -> dict:
        for k, frame in enumerate(VALUES.astype(kind)):
            Image.fromarray(frame).save(folder / f"sat_20200101_{k:02d}00.{ending}", **options)
        return {"source": folder, "unit": "K"}

    return write


def animation(folder: Path) -> dict:
    frames = [Image.fromarray(frame) for frame in VALUES.astype("u1")]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:], duration=500)
    return {"source": folder / "a.gif", "unit": "K"}


def film(ending: str, codec: str, pixels: str) -> Callable[[Path], dict]:
    def write(folder: Path) -> dict:
        import av

        y, x = np.mgrid[:HEIGHT, :WIDTH]
        smooth = [120 + 90 * np.sin((x + 3 * k) / 9) * np.cos(y / 11) for k in range(COUNT)]
        with av.open(str(folder / f"a.{ending}"), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
            for frame in np.stack(smooth).astype("u1"):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "gray")))
            container.mux(stream.encode())
        return {
            "source": folder / f"a.{ending}",
            "unit": "K",
            "truth": np.stack(smooth).astype("u1").astype(np.float32),
        }

    return write


# name, what writes it, whether the file says dates, whether it says places, which row comes first
FORMATS = (
    ("NetCDF 4", netcdf("h5netcdf"), "upper"),
    ("NetCDF 4, packed int16", netcdf("h5netcdf", dtype="int16", scale_factor=0.5, _FillValue=-1), "upper"),
    ("NetCDF 3", netcdf("scipy"), "upper"),
    ("NetCDF, a file per frame", files, "upper"),
    ("Zarr 2", zarr_store(2), "upper"),
    ("Zarr 3", zarr_store(3), "upper"),
    ("Zarr 3, zip", zarr_store(3, packed=True), "upper"),
    ("HDF5 without scales", hdf5, "lower"),
    ("NumPy .npy", npy, "lower"),
    ("NumPy .npz", npz, "upper"),
    ("GRIB 1", grib(1), "upper"),
    ("GRIB 2", grib(2), "upper"),
    ("GeoTIFF, a file per frame", geotiff, "upper"),
    ("PNG, 8 bits", pictures("png", "u1"), "upper"),
    ("PNG, 16 bits", pictures("png", "u2"), "upper"),
    ("JPEG, quality 95", pictures("jpg", "u1", quality=95), "upper"),
    ("TIFF, 16 bits", pictures("tif", "u2"), "upper"),
    ("TIFF, 32-bit integers", pictures("tif", "i4"), "upper"),
    ("TIFF, float", pictures("tif", "f4"), "upper"),
    ("GIF, a file per frame", pictures("gif", "u1"), "upper"),
    ("PGM", pictures("pgm", "u1"), "upper"),
    ("GIF animation", animation, "upper"),
    ("film, FFV1 (lossless)", film("mkv", "ffv1", "gray"), "upper"),
    ("film, MP4 (H.264)", film("mp4", "libx264", "yuv420p"), "upper"),
    ("film, WebM (VP9)", film("webm", "libvpx-vp9", "yuv420p"), "upper"),
)


def row(name: str, write: Callable[[Path], dict], first_row: str) -> str:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        try:
            options = write(folder)
            truth = options.pop("truth", VALUES)
            fc.import_data(options.pop("source"), Path(place) / "out.zarr", progress=False, **options)
        except (ImportError, fc.FramecastError) as error:
            return f"| {name} | left out: {error} | | |"
        archive = Archive.open(Path(place) / "out.zarr")
        found = archive.read(archive.sequences[0])[0]
        error = np.abs(found - (truth[:, ::-1] if first_row == "upper" else truth)).max()
        times = archive.times(archive.sequences[0])
        dated = "dates" if archive.calendar.ordinary and (times == HOURS).all() else "elapsed"
        if dated == "elapsed" and not np.allclose(np.diff(times).astype(float), archive.cadence * 1e9, rtol=1e-3):
            dated = "WRONG"
        y = archive.sequence(archive.sequences[0])["y"]
        located = "yes" if y.size and abs(float(y[-1]) - 60) < 1e-6 else "pixels"
        return f"| {name} | {'equal' if error == 0 else f'{error:.2g} of 250'} | {dated} | {located} |"


if __name__ == "__main__":
    print("| format | largest difference of a value | times | places |\n|---|---|---|---|")
    for entry in FORMATS:
        print(row(*entry), flush=True)
