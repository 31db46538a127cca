"""What strangers' files can do: be read, or refused with one of `framecast.core.errors` in one line, and nothing else.

A valid file is changed, where it has a structure by changing its content: one value becomes another type, size or sign,
a hostile name or codec, is left out, or nested a hundredfold; else by changing bytes. Reading it may take five seconds
of the processor and a gigabyte of memory, starts no program and unpickles nothing. The tests try a few; more with

    python tests/test_fuzz.py --runs 100000
    python tests/test_fuzz.py --runs 1000 --only fits --seed 7
"""

import argparse
import contextlib
import copy
import csv
import gzip
import hashlib
import io
import json
import math
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import signal
import socket
import sys
import tarfile
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from h5netcdf import CompatibilityError
from PIL import Image

from framecast.core.errors import FramecastError

SECONDS = 5
GIGABYTES = 1
PORTION = 500
"""Inputs of one process in a long run: what libraries keep of them goes with it."""
PATIENCE = 60
"""Seconds on the clock after which a process that the timer cannot reach, in C or asleep, is given up."""

TYPES = (None, True, False, "", "x", "1", [], {}, [[]], {"a": 1}, 0.5, -0.0, 1e308, float("nan"), float("inf"))
SIZES = (-1, 0, 1, 2, 7, 255, 10**5, 2**31, 2**63, 10**18, 10**30, -(2**63))
NAMES = (
    "../../etc/passwd",
    "/etc/passwd",
    "\x1b]0;title\x07",
    "\u202e\u2066",
    "\ud800",
    "=1+1",
    "a" * 10**5,
    "$x_{",
    "",
)
CODECS = (
    {"id": "pickle"},
    {"name": "numcodecs.pickle"},
    "numcodecs.pickle",
    {"id": "json2"},
    {"id": "zlib"},
    "|O",
    "<f8",
    "M8[ns]",
)
CODECS += ({"name": "gzip", "configuration": {"level": 99}}, {"id": "blosc", "cname": "zstd"}, {"kind": "os:system"})
ODD = (*TYPES, *SIZES, *NAMES, *CODECS)

UNWRITABLE = (TypeError, ValueError, KeyError, AttributeError, OverflowError, RuntimeError, CompatibilityError)
"""What the libraries that write a kind of file say of content that such a file cannot hold."""

DANGEROUS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "pickle.find_class",
    "ctypes.dlopen",
)


class Hang(BaseException):
    """A reader took more than `SECONDS`."""


class Executed(BaseException):
    """A file made its reader start a program, or unpickle."""


# The mutation engine.


def mutated(document: Any, chance: random.Random) -> Any:
    """Change one to three of the values in plain data, and return them."""
    document = [document]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        *above, last = chance.choice(list(walk(document)))
        parent = document
        for key in above:
            parent = parent[key]
        change(parent, last, chance)
        document = document or [None]
    return document[0]


def change(parent: Any, key: Any, chance: random.Random) -> None:
    value = parent[key]
    kind = chance.choice(("odd", "odd", "odd", "size", "sign", "type", "drop", "double", "long", "deep", "name"))
    if kind == "odd":
        parent[key] = copy.deepcopy(chance.choice(ODD))
    elif kind == "size" and isinstance(value, int | float):
        parent[key] = value * 10 ** chance.choice((-3, 1, 3, 6, 9))
    elif kind == "sign" and isinstance(value, int | float):
        parent[key] = -value
    elif kind == "type":
        parent[key] = chance.choice((str(value), [value], {"value": value}, [value, value]))
    elif kind == "long" and isinstance(value, str | list) and len(repr(value)) < 1000:
        times = chance.choice((2, 50, 3000))
        longer = [copy.deepcopy(part) for _ in range(times) for part in value]  # each its own, to be changed by itself
        parent[key] = longer if isinstance(value, list) else value * times
    elif kind == "deep":
        for _ in range(chance.choice((3, 100))):
            parent[key] = [parent[key]]
    elif kind == "double" and isinstance(parent, list):
        parent.insert(key, copy.deepcopy(value))
    elif kind == "name" and isinstance(parent, dict):
        parent[chance.choice(NAMES)] = parent.pop(key)
    else:
        del parent[key]


def walk(document: Any, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every value below the document."""
    if isinstance(document, dict | list):
        for key, value in document.items() if isinstance(document, dict) else enumerate(document):
            yield (*path, key)
            yield from walk(value, (*path, key))


def scrambled(content: bytes, chance: random.Random) -> bytes:
    """Return ``content`` with bytes flipped, cut out, doubled, cut off or zeroed, often near its beginning."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(max(1, chance.choice((len(data), min(len(data), 3000)))))
        amount = chance.randint(1, 255)
        kind = chance.choice(("flip", "cut", "double", "end", "zero"))
        if kind == "flip" and at < len(data):
            data[at] ^= amount
        elif kind == "cut":
            del data[at : at + amount]
        elif kind == "double":
            data[at:at] = data[at : at + amount]
        elif kind == "end":
            del data[at:]
        else:
            data[at : at + amount] = bytes(len(data[at : at + amount]))
    return bytes(data)


# The readers.


@dataclass(frozen=True, kw_only=True)
class Reader:
    """What reads a file, and a valid one.

    Attributes:
        load: given the folder, reads the file.
        folder: a valid example.
        file: in it, that is changed.
        document: the content of the file as plain data, where it has a structure.
        write: turns such data into the file; raises one of `UNWRITABLE` where they cannot be written.
        settle: called with the folder afterwards, to bring a checksum up to date: strangers can do that too.
        settled: the files that ``settle`` changes.
    """

    load: Callable[[Path], object]
    folder: Path
    file: str
    document: Any = None
    write: Callable[[Any], bytes] = lambda document: json.dumps(document).encode()
    settle: Callable[[Path], None] = lambda folder: None
    settled: tuple[str, ...] = ()

    def mutation(self, seed: int) -> bytes:
        """Return the file number ``seed``: of the changes drawn, the first that a file can hold."""
        chance = random.Random(f"{self.file} {seed}")
        while self.document is not None and chance.random() > 0.25:
            with contextlib.suppress(*UNWRITABLE):
                return self.write(mutated(pickle.loads(self._packed), chance))
        return scrambled(self._originals[self.file], chance)

    @cached_property
    def _packed(self) -> bytes:
        return pickle.dumps(self.document)  # read again ten times as fast as it is copied

    @cached_property
    def _originals(self) -> dict[str, bytes]:
        return {name: (self.folder / name).read_bytes() for name in (self.file, *self.settled)}

    @cached_property
    def _listing(self) -> set[str]:
        return listing(self.folder)

    def copied(self, folder: Path) -> Path:
        """Return a copy of the example in ``folder``, whatever stood there."""
        shutil.rmtree(folder, ignore_errors=True)
        return shutil.copytree(self.folder, folder)

    def renew(self, folder: Path) -> None:
        """Bring a copy to its first state after an attempt."""
        if listing(folder) != self._listing:
            self.copied(folder)
        for name, content in self._originals.items():
            (folder / name).write_bytes(content)


def listing(folder: Path) -> set[str]:
    start = len(str(folder))
    return {f"{where[start:]}/{name}" for where, folders, files in os.walk(folder) for name in (*folders, *files)}


def json_reader(load: Callable[[Path], object], folder: Path, file: str, **options: Any) -> Reader:
    return Reader(load=load, folder=folder, file=file, document=json.loads((folder / file).read_text()), **options)


def make_readers(folder: Path) -> dict[str, Reader]:
    """Return every reader with valid files below ``folder``."""
    from framecast.models.add_reference import add_reference

    with tarfile.open(Path(__file__).parent / "fixtures/stored-0.1.0.tar.xz") as stored:
        stored.extractall(folder, filter="data")
    shutil.copytree(folder / "model", folder / "guarded")
    add_reference(folder / "guarded", folder / "archive.zarr")
    for name in range(2, 12):  # two sequences are opened five times as fast as twelve
        shutil.rmtree(folder / f"archive.zarr/event-{name:02d}")
    for document in folder.rglob("*.zarr/**/zarr.json"):  # consolidated metadata hide what stands in the files
        plain = json.loads(document.read_text())
        if plain.pop("consolidated_metadata", None):
            document.write_text(json.dumps(plain))
    (folder / "tables").mkdir()
    shutil.move(folder / "split.csv", folder / "tables/split.csv")
    return stored_readers(folder) | gridded_readers(folder / "gridded") | solar_readers(folder / "solar")


def stored_readers(folder: Path) -> dict[str, Reader]:
    from framecast.cli.info import describe_run
    from framecast.data.split_table import read_sides
    from framecast.models.checkpoint import load, read_config
    from framecast.models.config import build_network
    from framecast.models.header import find_model
    from framecast.models.reference import read_reference
    from framecast.training import TrainingOptions, TrainingState
    from framecast.training.recipe import load_recipe
    from framecast.training.run import Run
    from framecast.training.snapshots import make_average
    from framecast.verification.files import open_scores
    from framecast.verification.recalibration.calibration import read_calibration

    model, run, archive = folder / "model", folder / "run", folder / "archive.zarr"
    average = max((run / "averages").iterdir())
    checkpoint, step = max((run / "checkpoints").iterdir()), "checkpoints/00000004"
    config = read_config(find_model(run))
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    manifest.pop("sha256", None)  # as of old, or every change would be found by it alone
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))

    state = TrainingState(build_network(config), TrainingOptions(steps=4))

    def resume(folder: Path) -> None:
        newest, _ = Run(folder).newest()
        assert newest is not None
        state.load(Run(folder).load(newest)[0])

    def vouch(folder: Path) -> None:
        plain = json.loads((folder / "config.json").read_text())
        plain["weights_sha256"] = digest(folder / "weights.safetensors")
        (folder / "config.json").write_text(json.dumps(plain))

    def vouch_for_state(folder: Path) -> None:
        path = folder / step / "state.safetensors"
        plain = copy.deepcopy(manifest)
        plain["files"]["state.safetensors"] = {"bytes": path.stat().st_size, "sha256": digest(path)}
        (folder / step / "manifest.json").write_text(json.dumps(plain))

    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    sides = list(csv.reader((folder / "tables/split.csv").read_text().splitlines()))
    recipe = yaml.safe_load((run / "recipe.yaml").read_text())
    readers = {
        "model": json_reader(load, model, "config.json"),
        "weights": tensors(load, model, "weights.safetensors", settle=vouch, settled=("config.json",)),
        "calibration": json_reader(read_calibration, model, "calibration.json"),
        "reference": tensors(
            lambda f: read_reference(f, config.normaliser, config.frames), folder / "guarded", "reference.safetensors"
        ),
        "averages": tensors(lambda f: make_average(f, 0.1), run, f"averages/{average.name}"),
        "scores": json_reader(lambda f: open_scores(f / "scores.json"), folder / "report", "scores.json"),
        "recipe": Reader(
            load=lambda f: load_recipe(f / "recipe.yaml"),
            folder=run,
            file="recipe.yaml",
            document=recipe,
            write=lambda plain: yaml.dump(plain, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper)).encode(),
        ),
        "log": Reader(
            load=describe_run,
            folder=run,
            file="log.jsonl",
            document=log,
            write=lambda lines: "".join(json.dumps(line) + "\n" for line in lines).encode(),
        ),
        "data of a run": json_reader(describe_run, run, "data.json"),
        "manifest": json_reader(lambda f: Run(f).newest(), run, f"{step}/manifest.json"),
        "state": tensors(
            resume, run, f"{step}/state.safetensors", settle=vouch_for_state, settled=(f"{step}/manifest.json",)
        ),
        "split table": Reader(
            load=lambda f: read_sides(f / "split.csv"),
            folder=folder / "tables",
            file="split.csv",
            document=sides,
            write=table,
        ),
    }
    for name in ("zarr.json", *(f"event-00/{name}zarr.json" for name in ("", "intensity/", "time/", "masked/"))):
        readers[f"archive {name}"] = json_reader(read_archive, archive, name)
    readers["archive chunk"] = Reader(load=read_archive, folder=archive, file="event-00/intensity/c/0/0/0/0")
    for name in ("zarr.json", "forecast/zarr.json", "issue_time/zarr.json"):
        readers[f"forecast {name}"] = json_reader(read_forecast, folder / "forecast.zarr", name)
    return readers


def gridded_readers(folder: Path) -> dict[str, Reader]:
    """Return the readers of what `framecast import` takes."""
    folder.mkdir()
    store = folder / "two"
    (store / "rain.zarr/rain").mkdir(parents=True)
    (store / "rain.zarr/time").mkdir()
    array = {
        "zarr_format": 2,
        "shape": [4, 6, 8],
        "chunks": [2, 6, 8],
        "dtype": "<f4",
        "fill_value": None,
        "order": "C",
    }
    array |= {"compressor": {"id": "zlib", "level": 1}, "filters": [{"id": "shuffle", "elementsize": 4}]}
    times = array | {"shape": [4], "chunks": [4], "dtype": "<i8", "compressor": None, "filters": None}
    rain = {"_ARRAY_DIMENSIONS": ["time", "y", "x"], "units": "mm/h", "scale_factor": 0.5}
    for name, plain in {
        ".zgroup": {"zarr_format": 2},
        "rain/.zarray": array,
        "rain/.zattrs": rain,
        "time/.zarray": times,
        "time/.zattrs": {"_ARRAY_DIMENSIONS": ["time"], "units": "hours since 2020-01-01"},
    }.items():
        (store / "rain.zarr" / name).write_text(json.dumps(plain))
    import numcodecs

    for k in range(2):
        packed = numcodecs.Zlib(1).encode(numcodecs.Shuffle(4).encode(np.arange(96, dtype="<f4") + 96 * k))
        (store / "rain.zarr/rain" / f"{k}.0.0").write_bytes(packed)
    (store / "rain.zarr/time/0").write_bytes(np.arange(4, dtype="<i8").tobytes())

    def read_store(folder: Path) -> None:
        read_gridded(folder / "rain.zarr")

    readers = {
        f"zarr 2 {name}": json_reader(read_store, store, f"rain.zarr/{name}")
        for name in ("rain/.zarray", "rain/.zattrs", "time/.zarray", "time/.zattrs")
    }
    readers["zarr 2 chunk"] = Reader(load=read_store, folder=store, file="rain.zarr/rain/0.0.0")
    described = {
        "attrs": {"title": "rain"},
        "dimensions": {"time": 4, "y": 6, "x": 8},
        "variables": {
            "time": {"dims": ["time"], "type": "i8", "chunks": None, "attrs": {"units": "hours since 2020-01-01"}},
            "rain": {"dims": ["time", "y", "x"], "type": "f4", "chunks": [1, 6, 8], "attrs": {"units": "mm/h"}},
        },
    }
    described["variables"]["rain"]["attrs"] |= {"scale_factor": 0.5, "_FillValue": -1.0, "valid_range": [0.0, 9.0]}
    for name, content in {
        "rain.nc": hdf5(described),
        "classic.nc": classic(),
        "rain.nc.gz": gzip.compress(classic()),
    }.items():
        place = folder / name.replace(".", "-")
        place.mkdir()
        (place / name).write_bytes(content)
        structure = {"document": described, "write": hdf5} if name == "rain.nc" else {}
        readers[f"netcdf {name}"] = Reader(
            load=lambda f, name=name: read_gridded(f / name), folder=place, file=name, **structure
        )
    return readers


def hdf5(document: dict[str, Any]) -> bytes:
    """Return a NetCDF 4 file with these dimensions and variables."""
    import h5netcdf

    stream = io.BytesIO()
    with h5netcdf.File(stream, "w") as file:
        file.dimensions = {str(name): size for name, size in document["dimensions"].items()}
        for name, plain in document["variables"].items():
            chunks = plain["chunks"] and tuple(plain["chunks"])
            variable = file.create_variable(name, tuple(plain["dims"]), plain["type"], chunks=chunks)
            if math.prod(variable.shape) < 10**5:
                variable[...] = np.arange(math.prod(variable.shape)).reshape(variable.shape)
            variable.attrs.update(plain["attrs"])
        file.attrs.update(document["attrs"])
    return stream.getvalue()


def classic() -> bytes:
    """Return a NetCDF 3 file."""
    import xarray as xr

    values = np.arange(4 * 6 * 8, dtype="f4").reshape(4, 6, 8)
    times = np.datetime64("2020-01-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    grid = xr.Dataset({"rain": (("time", "y", "x"), values, {"units": "mm/h"})}, {"time": times})
    return bytes(grid.to_netcdf(engine="scipy"))


def solar_readers(folder: Path) -> dict[str, Reader]:
    """Return the readers of observations of the Sun; none where its libraries are not installed."""
    try:
        from astropy.io import fits
    except ModuleNotFoundError:
        return {}
    from framecast.domains.solar.fetch import read_record
    from framecast.domains.solar.flares import read_flares
    from framecast.domains.solar.labels import read_label_table
    from framecast.domains.solar.png import parse_name, read_picture
    from framecast.domains.solar.reader import read_image
    from framecast.domains.solar.tables import read_exclusions

    def example(name: str, content: bytes) -> Path:
        path = folder / name.replace("/", "-").replace(".", "-") / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        return folder / name.replace("/", "-").replace(".", "-")

    pixels = np.arange(48 * 48, dtype=">i2").reshape(48, 48)
    tiled = io.BytesIO()
    image = fits.PrimaryHDU(pixels, fits.Header.fromstring(fits_header(CARDS).decode()))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(pixels, image.header, compression_type="RICE_1")]).writeto(tiled)
    body = pixels.tobytes() + bytes(-pixels.nbytes % 2880)

    def plain(cards: list) -> bytes:
        return fits_header(cards) + body

    picture = io.BytesIO()
    Image.fromarray(np.arange(3 * 20 * 24, dtype=np.uint8).reshape(20, 24, 3)).save(picture, "PNG")
    name = "7115_20170906_0800_193x211x94.png"
    parsed = parse_name(Path(name))
    assert parsed is not None

    def read_png(folder: Path) -> None:
        read_picture(parse_name(folder / name), (81139.0, 8179.0, 6099.0))

    tables = {
        "events.csv": [
            ["start", "class", "region"],
            ["2017-09-06T08:57:00", "X2.2", "12673"],
            ["2017-09-07", "C1.0", ""],
        ],
        "samples.csv": [
            ["id", "HARPNUM", "T", "nextC_t2f_h", "nextM_t2f_h", "nextX_t2f_h"],
            ["1", "7115", "2017-09-06 08:00:00", "0.5", "", "0.95"],
            ["2", "7115", "2017-09-06 10:00:00", "", "1.0", "1.9"],
        ],
        "exclude.csv": [["start", "end"], ["2017-09-06T08:57:00", "2017-09-06T09:57:00"]],
    }
    loads = {"events.csv": read_flares, "samples.csv": read_label_table, "exclude.csv": read_exclusions}
    readers = {
        f"table {name}": Reader(
            load=lambda f, name=name: loads[name](f / name),
            folder=example(name, table(rows)),
            file=name,
            document=rows,
            write=table,
        )
        for name, rows in tables.items()
    }
    record = {"format": "framecast-fetch", "version": 1, "frames": [{"time": "2017-08-08T00:00:00", "wavelength": 171}]}
    record["frames"][0] |= {"path": "a.fits", "url": "http://a/a.fits", "bytes": 10, "sha256": "0" * 64}
    return readers | {
        "fits": Reader(
            load=lambda f: read_image(f / "plain.fits"),
            folder=example("plain.fits", plain(CARDS)),
            file="plain.fits",
            document=CARDS,
            write=plain,
        ),
        "fits tiled": Reader(
            load=lambda f: read_image(f / "tiled.fits"),
            folder=example("tiled.fits", tiled.getvalue()),
            file="tiled.fits",
        ),
        "fits packed": Reader(
            load=lambda f: read_image(f / "packed.fits"),
            folder=example("packed.fits", gzip.compress(plain(CARDS))),
            file="packed.fits",
            document=CARDS,
            write=lambda cards: gzip.compress(plain(cards)),
        ),
        "jpeg 2000": Reader(
            load=lambda f: read_image(f / "small.jp2"),
            folder=example("small.jp2", jpeg2000(CARDS)),
            file="small.jp2",
            document=CARDS,
            write=jpeg2000,
        ),
        "png": Reader(load=read_png, folder=example(name, picture.getvalue()), file=name),
        "fetch record": json_reader(read_record, example("fetch.json", json.dumps(record).encode()), "fetch.json"),
        "server": Reader(
            load=fetch_answer,
            folder=example("answer", answer(ANSWER, plain(CARDS))),
            file="answer",
            document=ANSWER,
            write=lambda plan: answer(plan, plain(CARDS)),
        ),
    }


CARDS = [
    ["SIMPLE", "T"], ["BITPIX", "16"], ["NAXIS", "2"], ["NAXIS1", "48"], ["NAXIS2", "48"],
    ["TELESCOP", "'SDO/AIA '"], ["INSTRUME", "'AIA_3   '"], ["WAVELNTH", "171"], ["DATE-OBS", "'2017-08-08T00:00:00'"],
    ["EXPTIME", "2.0"], ["QUALITY", "0"], ["CTYPE1", "'HPLN-TAN'"], ["CTYPE2", "'HPLT-TAN'"], ["CUNIT1", "'arcsec  '"],
    ["CUNIT2", "'arcsec  '"], ["CRVAL1", "0.0"], ["CRVAL2", "0.0"], ["CDELT1", "50.0"], ["CDELT2", "50.0"],
    ["CRPIX1", "24.5"], ["CRPIX2", "24.5"], ["DSUN_OBS", "1.5167E11"], ["HGLN_OBS", "0.0"], ["HGLT_OBS", "6.26"],
    ["CRLN_OBS", "100.0"], ["CRLT_OBS", "6.26"], ["BSCALE", "1.0"], ["BZERO", "0.0"],
]  # fmt: skip
"""Names and values of a FITS header as they are written."""

ANSWER = {
    "version": "HTTP/1.1",
    "status": "200",
    "reason": "OK",
    "length": "8640",
    "headers": [["Content-Type", "image/fits"]],
}
ANSWER["headers"] += [["Connection", "close"], ["Retry-After", "0"], ["Content-Encoding", "identity"]]


def fits_header(cards: list) -> bytes:
    text = "".join(f"{name!s:<8}= {value!s:>20}"[:80].ljust(80) for name, value in cards) + f"{'END':<80}"
    content = text.encode("utf-8", "surrogatepass")
    return content + b" " * (-len(content) % 2880)


def jpeg2000(cards: list) -> bytes:
    """Return a JPEG 2000 picture as Helioviewer has them: the header in an XML box."""
    pixels = np.arange(48 * 48, dtype=np.int16).reshape(48, 48)
    shares = {"P10": 10, "P25": 25, "MEDN": 50, "P75": 75, "P90": 90}
    known = [*cards, *([f"DATA{name}", np.percentile(pixels.astype(float), share)] for name, share in shares.items())]
    xml = "".join(f"<{name}>{str(value).strip(chr(39)).strip()}</{name}>" for name, value in known)
    xml = f"<meta><fits>{xml}</fits></meta>"
    shown = io.BytesIO()
    Image.fromarray((5 * np.sqrt(pixels[::-1])).astype(np.uint8)).save(shown, "JPEG2000")
    before, picture = shown.getvalue().split(b"jp2c")
    content = xml.encode("utf-8", "surrogatepass")
    return before[:-4] + (len(content) + 8).to_bytes(4) + b"xml " + content + before[-4:] + b"jp2c" + picture


def table(rows: list) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(row if isinstance(row, list) else [row] for row in rows)
    return stream.getvalue().encode("utf-8", "surrogatepass")


def tensors(load: Callable[[Path], object], folder: Path, file: str, **options: Any) -> Reader:
    """Return a reader of a safetensors file, whose header is JSON behind its length."""
    content = (folder / file).read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")

    def write(header: Any) -> bytes:
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text + content[end:]

    return Reader(load=load, folder=folder, file=file, document=json.loads(content[8:end]), write=write, **options)


def answer(plan: dict[str, Any], body: bytes) -> bytes:
    """Return what a server sends."""
    lines = [f"{plan['version']} {plan['status']} {plan['reason']}", f"Content-Length: {plan['length']}"]
    lines += [f"{name}: {value}" for name, value in plan["headers"]]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass") + body


def fetch_answer(folder: Path) -> None:
    """Fetch one image from a server that sends the file ``answer``; that it is missing is an answer too."""
    from framecast.domains.solar.fetch import fetch
    from framecast.domains.solar.options import Transfer
    from framecast.domains.solar.sources import SynopticSource

    content, listening = (folder / "answer").read_bytes(), socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError), listening:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(content)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    source = SynopticSource(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/")
    with tempfile.TemporaryDirectory() as out:
        report = fetch(
            [np.datetime64("2017-08-08T00:00:00")],
            [171],
            out,
            source=source,
            transfer=Transfer(tries=1, silence=1.0, timeout=2.0),
        )
    thread.join(1)
    for frame in report.missing:
        assert "\n" not in frame.missing and "\x1b" not in frame.missing
        raise FramecastError(frame.missing)


def read_archive(folder: Path) -> None:
    """Open an archive, find its windows and read the first."""
    from framecast.cli.info import describe_archive
    from framecast.data.archive.reader import Archive
    from framecast.data.windows import find_windows
    from framecast.videos.frames import FrameSpec

    archive = Archive.open(folder)
    names = {"past_channels": archive.channels, "future_channels": archive.channels}
    sizes = {"cadence": archive.cadence, "height": archive.height, "width": archive.width}
    windows = find_windows(archive, FrameSpec(**names, past=2, future=2, **sizes))
    if windows:
        archive.read(windows[0].sequence, windows[0].indices)
    describe_archive(folder)


def read_forecast(folder: Path) -> None:
    """Open a forecast as evaluation does, and read what identifies its windows."""
    from framecast.cli.info import describe_forecast
    from framecast.verification.sources import open_sources

    [source] = open_sources(folder)
    assert source.windows and source.lead_times and source.unit is not None
    describe_forecast(folder)


def read_gridded(path: Path) -> None:
    """Find out what a file holds, and read its first frames."""
    from framecast.importers.formats import open_source
    from framecast.importers.options import ImportOptions

    data, _ = open_source([path], ImportOptions())
    times = data.times(0)
    data.positions(0)
    for _ in data.frames(0, np.arange(min(4, len(times)))):
        pass


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# One attempt, and many.

_watching = False


def watch(event: str, arguments: tuple) -> None:
    """Raise if what is read makes its reader start a program or unpickle (an audit hook; Python keeps it for ever)."""
    if _watching and event.startswith(DANGEROUS) and "gnu_get_libc_version" not in str(arguments):
        raise Executed(f"{event} {str(arguments)[:100]}")


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Raise after some seconds of the processor (a busy machine is no hang), or when a gigabyte more is taken."""
    global _watching

    def ring(number: int, frame: object) -> None:
        raise Hang(f"no end after {SECONDS} s")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, ring)
    resource.setrlimit(resource.RLIMIT_AS, (size + GIGABYTES * 2**30, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 0.5)  # again and again: a destructor may swallow the first
    _watching = True
    try:
        yield
    finally:
        _watching = False
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def attempt(reader: Reader, content: bytes, folder: Path) -> bool:
    """Whether the file with this ``content`` could be read; a refusal is well, anything else is raised."""
    (folder / reader.file).write_bytes(content)
    try:
        with warnings.catch_warnings(), bounded():
            warnings.simplefilter("ignore")
            reader.settle(folder)
            reader.load(folder)
    except FramecastError as error:
        assert len(str(error).splitlines()) <= 1, f"an error of several lines: {error}"
        return False
    return True


linux = pytest.mark.skipif(sys.platform != "linux", reason="bounds time and memory by Linux's means")


@pytest.fixture(scope="module")
def readers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Reader]:
    sys.addaudithook(watch)
    return make_readers(tmp_path_factory.mktemp("fuzz"))


@pytest.mark.thorough
@linux
def test_a_mutated_file_is_read_or_refused(readers: dict[str, Reader], tmp_path: Path) -> None:
    for name, reader in readers.items():
        folder = reader.copied(tmp_path / "copy")
        assert attempt(reader, (reader.folder / reader.file).read_bytes(), folder), name
        for seed in range(12):
            content = reader.mutation(seed)
            reader.renew(folder)
            try:
                attempt(reader, content, folder)
            except BaseException as error:
                raise AssertionError(f"--only {name!r} --seed {seed} --runs 1: {type(error).__name__}") from error


@linux
def test_the_watch_sees_a_program_and_a_pickle() -> None:
    import subprocess

    sys.addaudithook(watch)
    with pytest.raises(Executed), bounded():
        subprocess.run(["true"], check=True)
    with pytest.raises(Executed), bounded():
        pickle.loads(b"cposix\nsystem\n.")


@dataclass
class Tally:
    """What came of some inputs.

    Attributes:
        inputs: how many.
        read: of them.
        refused: of them, with one of the documented errors.
        failures: by kind.
        longest: seconds of the processor for one of them.
        megabytes: the most memory of the process.
    """

    inputs: int = 0
    read: int = 0
    refused: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    megabytes: float = 0.0

    def add(self, other: "Tally") -> None:
        for name in ("inputs", "read", "refused", "failures"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.longest = max(self.longest, other.longest)
        self.megabytes = max(self.megabytes, other.megabytes)


def fuzz(reader: Reader, seeds: range, scratch: Path, results: Connection) -> None:
    """Try the inputs ``seeds``, and send the tally after each."""
    sys.addaudithook(watch)
    tally, folder = Tally(), reader.copied(scratch)
    for seed in seeds:
        content = reader.mutation(seed)
        tally.inputs += 1
        reader.renew(folder)
        began = time.process_time()
        try:
            well = attempt(reader, content, folder)
            tally.read += well
            tally.refused += not well
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            tally.failures[
                f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno} (seed {seed}): {str(error)[:90]}"
            ] += 1
        tally.longest = max(tally.longest, time.process_time() - began)
        tally.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        results.send(tally)
    results.send(tally)


def fuzz_apart(reader: Reader, seeds: range, scratch: Path) -> Tally:
    """Try inputs in a process of their own, which may die or hang; those after such a one are tried in another."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=fuzz, args=(reader, seeds, scratch, sender))
    process.start()
    sender.close()
    tally = Tally()
    with contextlib.suppress(EOFError):
        while receiver.poll(PATIENCE):
            tally = receiver.recv()
            if tally.inputs == len(seeds):
                break
    process.join(5)
    if process.exitcode != 0:
        end = f"ended with {process.exitcode}" if not process.is_alive() else f"said nothing for {PATIENCE} s"
        process.kill()
        process.join()
        if tally.inputs < len(seeds):
            tally.failures[f"the process {end} (seed {seeds[tally.inputs]})"] += 1
            tally.inputs += 1
    shutil.rmtree(scratch, ignore_errors=True)
    return tally


def main() -> None:
    import torch

    torch.set_num_threads(1)  # a forked process waits for ever for the threads that its parent had
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000, help="changed files, over all readers")
    parser.add_argument("--seed", type=int, default=0, help="number of the first file of each reader")
    parser.add_argument("--only", action="append", help="a reader, or the beginning of some; may be given again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        (Path(name) / "valid").mkdir()
        tempfile.tempdir = name
        readers = make_readers(Path(name) / "valid")
        chosen = {
            key: reader
            for key, reader in readers.items()
            if options.only is None or key.startswith(tuple(options.only))
        }
        columns = ("inputs", "read", "refused", "failures", "ms each", "longest s", "MB")
        print(f"{'reader':<32}" + "".join(f"{column:>11}" for column in columns), flush=True)
        total, began = Tally(), time.monotonic()
        each = math.ceil(options.runs / len(chosen))
        for key, reader in chosen.items():
            start, tally = time.monotonic(), Tally()
            while tally.inputs < each:
                first = options.seed + tally.inputs
                tally.add(
                    fuzz_apart(reader, range(first, first + min(PORTION, each - tally.inputs)), Path(name) / "copy")
                )
            pace = 1000 * (time.monotonic() - start) / tally.inputs
            counts = (tally.inputs, tally.read, tally.refused, tally.failures.total())
            figures = f"{pace:>11.1f}{tally.longest:>11.2f}{tally.megabytes:>11.0f}"
            print(f"{key:<32}" + "".join(f"{count:>11}" for count in counts) + figures, flush=True)
            for kind, count in tally.failures.most_common(8):
                print(f"    {count} × {kind}", flush=True)
            total.add(tally)
        failed = total.failures.total()
        print(f"{total.inputs} inputs in {time.monotonic() - began:.0f} s, {failed} failures")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
