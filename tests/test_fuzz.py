"""What strangers' files can do: be refused with one of `framecast.errors`, and nothing else.

Valid files are mutated: bytes flipped, cut out, doubled, cut off, and values of JSON documents replaced by what nobody
expects. Loading one may succeed or end in a `FramecastError`; any other error, five seconds of the processor without an
end, or memory beyond three gigabytes is a failure. The tests try a few hundred; more are tried with

    python tests/test_fuzz.py --runs 100000
"""

import argparse
import contextlib
import copy
import hashlib
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from PIL import Image

from framecast.errors import FramecastError

SECONDS = 5
GIGABYTES = 3

ODD = (None, True, -1, 0, 1, 2, 10**5, 2**31, 2**63, 10**18, 0.5, -0.0, 1e308)
ODD += ("", "x", "é" * 300, "1e400", [], {}, [[]])


class Hang(BaseException):
    """A loader took more than `SECONDS`."""


@dataclass(frozen=True)
class Target:
    """A loader and valid files for it.

    Attributes:
        load: given a folder, reads the file ``name`` in it.
        name: of the file that is mutated.
        folder: a valid example.
        settle: called with the folder after the mutation, such as to bring a checksum up to date.
    """

    load: Callable[[Path], object]
    name: str
    folder: Path
    settle: Callable[[Path], None] = lambda folder: None


def mutated_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Flipped, cut out, doubled and cut off bytes, up to four times."""
    place = st.integers(0, max(0, len(content) - 1))
    edit = st.tuples(st.sampled_from(("flip", "cut", "double", "end", "zero")), place, st.integers(1, 255))

    def apply(edits: list[tuple[str, int, int]]) -> bytes:
        data = bytearray(content)
        for kind, at, amount in edits:
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

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def mutated_json(content: bytes) -> st.SearchStrategy[bytes]:
    """Values anywhere in the document replaced, left out or put in, up to three times."""
    paths = list(walk(json.loads(content)))
    edit = st.tuples(st.sampled_from(paths), st.sampled_from(("put", "drop", "add", "long")), st.sampled_from(ODD))

    def apply(edits: list[tuple[tuple, str, object]]) -> bytes:
        document = json.loads(content)
        for path, kind, odd in edits:
            value = copy.deepcopy(odd)  # a later edit may change it
            with contextlib.suppress(KeyError, IndexError, TypeError):
                parent = document
                for key in path[:-1]:
                    parent = parent[key]
                if kind == "drop":
                    del parent[path[-1]]
                elif kind == "add":
                    parent[path[-1]]["surprise"] = value
                elif kind == "long":
                    parent[path[-1]] = parent[path[-1]] * 50
                else:
                    parent[path[-1]] = value
        return json.dumps(document).encode()

    return st.lists(edit, min_size=1, max_size=3).map(apply)


def walk(document: object, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every value below the document."""
    entries = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for key, value in entries:
        yield (*path, key)
        yield from walk(value, (*path, key))


def mutations(target: Target) -> st.SearchStrategy[bytes]:
    content = (target.folder / target.name).read_bytes()
    if not target.name.endswith(".json"):
        return mutated_bytes(content)
    return st.one_of(mutated_json(content), mutated_json(content), mutated_bytes(content))


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Raise after five seconds of the processor (a busy machine is no hang), or when three gigabytes more are taken."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise Hang(f"no end after {SECONDS} s")

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    before = signal.signal(signal.SIGPROF, ring)
    resource.setrlimit(resource.RLIMIT_AS, (size + GIGABYTES * 2**30, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS, 0.5)  # again and again: a destructor may swallow the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def attempt(target: Target, content: bytes, folder: Path) -> bool:
    """Whether the file with this ``content`` could be loaded; a refusal is well, anything else is raised."""
    path = folder / target.name
    path.write_bytes(content)
    try:
        with warnings.catch_warnings(), bounded():
            warnings.simplefilter("ignore")
            target.settle(folder)
            target.load(folder)
    except FramecastError as error:
        assert "\n" not in str(error), f"an error of several lines: {error}"
        return False
    return True


def make_targets(folder: Path, run: Path, archive: Path) -> dict[str, Target]:
    """Return every loader with valid files below ``folder``.

    Args:
        folder: empty.
        run: a small finished run on ``archive``.
        archive: a small archive.
    """
    from framecast.checkpoint import find_model, load_model
    from framecast.recipes import load_recipe
    from framecast.runs import Run

    model = shutil.copytree(find_model(run), folder / "model")
    checkpoint = shutil.copytree(Run(run).checkpoints[-1], folder / "run" / "checkpoints" / "00000006")
    shutil.copy(run / "recipe.yaml", folder / "run")
    data = folder / "archive"
    shutil.copytree(archive, data)
    sequence = sorted(path.name for path in data.iterdir() if path.is_dir())[0]
    for other in [path for path in data.iterdir() if path.is_dir() and path.name != sequence]:
        shutil.rmtree(other)
    # Consolidated metadata would hide what stands in the groups' own files.
    for document in (data / "zarr.json", data / sequence / "zarr.json"):
        plain = json.loads(document.read_text())
        plain.pop("consolidated_metadata", None)
        document.write_text(json.dumps(plain))

    def vouch(folder: Path) -> None:
        """Bring the checksum in the configuration up to date: strangers can do that too."""
        plain = json.loads((folder / "config.json").read_text())
        plain["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
        (folder / "config.json").write_text(json.dumps(plain))

    targets = {
        "config.json": Target(load_model, "config.json", model),
        "safetensors": Target(load_model, "weights.safetensors", model, vouch),
        "checkpoint": Target(lambda f: Run(f).newest(), "checkpoints/00000006/manifest.json", folder / "run"),
        "recipe": Target(lambda f: load_recipe(f / "recipe.yaml"), "recipe.yaml", folder / "run"),
        "zarr root": Target(read_archive, "zarr.json", data),
    }
    for name in ("", "intensity/", "time/"):
        targets[f"zarr {name or 'group'}"] = Target(read_archive, f"{sequence}/{name}zarr.json", data)
    chunk = sorted(path for path in (data / sequence / "intensity").rglob("*") if path.is_file() and path.suffix == "")[
        0
    ]
    targets["zarr chunk"] = Target(read_archive, str(chunk.relative_to(data)), data)
    assert checkpoint.is_dir()
    return targets | solar_targets(folder / "solar")


def read_archive(folder: Path) -> None:
    """Open an archive, find its windows and read the first."""
    from framecast.data.archive import Archive
    from framecast.data.windows import find_windows
    from framecast.frames import FrameSpec

    archive = Archive.open(folder)
    frames = FrameSpec(
        past_channels=archive.channels,
        future_channels=archive.channels,
        past=2,
        future=3,
        cadence=archive.cadence,
        height=archive.height,
        width=archive.width,
    )
    windows = find_windows(archive, frames)
    if windows:
        archive.read(windows[0].sequence, windows[0].indices)


def solar_targets(folder: Path) -> dict[str, Target]:
    """Return the loaders of observations of the Sun; none where its libraries are not installed."""
    try:
        from astropy.io import fits
    except ModuleNotFoundError:
        return {}
    from framecast.solar.flares import read_events, read_samples
    from framecast.solar.png import parse_name, read_picture
    from framecast.solar.reader import read_image

    folder.mkdir()
    header = fits.Header()
    for name, value in {
        "TELESCOP": "SDO/AIA",
        "INSTRUME": "AIA_3",
        "WAVELNTH": 171,
        "DATE-OBS": "2017-08-08T00:00:00.000",
        "EXPTIME": 2.0,
        "QUALITY": 0,
        "CTYPE1": "HPLN-TAN",
        "CTYPE2": "HPLT-TAN",
        "CUNIT1": "arcsec",
        "CUNIT2": "arcsec",
        "CRVAL1": 0.0,
        "CRVAL2": 0.0,
        "CDELT1": 50.0,
        "CDELT2": 50.0,
        "CRPIX1": 24.5,
        "CRPIX2": 24.5,
        "DSUN_OBS": 1.5167e11,
        "HGLN_OBS": 0.0,
        "HGLT_OBS": 6.26,
        "CRLN_OBS": 100.0,
        "CRLT_OBS": 6.26,
    }.items():
        header[name] = value
    pixels = np.arange(48 * 48, dtype=np.int16).reshape(48, 48)
    fits.PrimaryHDU(pixels, header).writeto(folder / "plain.fits")
    tiled = fits.CompImageHDU(pixels, header, compression_type="RICE_1")
    fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(folder / "tiled.fits")
    (folder / "events.csv").write_text(
        "start,class,region\n2017-09-06T08:57:00,X2.2,12673\n2017-09-06T11:53:00,X9.3,12673\n2017-09-07,C1.0,\n"
    )
    (folder / "samples.csv").write_text(
        "id,HARPNUM,T,nextC_t2f_h,nextM_t2f_h,nextX_t2f_h\n1,7115,2017-09-06 08:00:00,0.5,,0.95\n"
        "2,7115,2017-09-06 10:00:00,,1.0,1.9\n"
    )
    name = "7115/7115_20170906_0800_193x211x94.png"
    (folder / "7115").mkdir()
    Image.fromarray(np.arange(3 * 20 * 24, dtype=np.uint8).reshape(20, 24, 3)).save(folder / name)

    def read_png(folder: Path) -> None:
        picture = parse_name(folder / name)
        assert picture is not None
        read_picture(picture, (81139.0, 8179.0, 6099.0))

    return {
        "fits": Target(lambda f: read_image(f / "plain.fits"), "plain.fits", folder),
        "fits tiled": Target(lambda f: read_image(f / "tiled.fits"), "tiled.fits", folder),
        "png": Target(read_png, name, folder),
        "csv events": Target(lambda f: read_events(f / "events.csv"), "events.csv", folder),
        "csv samples": Target(lambda f: read_samples(f / "samples.csv"), "samples.csv", folder),
    }


NAMES = (
    "config.json",
    "safetensors",
    "checkpoint",
    "recipe",
    "zarr root",
    "zarr group",
    "zarr intensity/",
    "zarr time/",
)
NAMES += ("zarr chunk", "fits", "fits tiled", "png", "csv events", "csv samples")


@pytest.fixture(scope="module")
def targets(small_run, small_archive, tmp_path_factory):
    return make_targets(tmp_path_factory.mktemp("fuzz"), small_run, small_archive)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds time and memory by Linux's means")
@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_is_loaded_or_refused(name, targets, tmp_path):
    if name not in targets:
        pytest.skip("the Sun needs pip install 'framecast[solar]'")
    target = targets[name]
    assert attempt(target, (target.folder / target.name).read_bytes(), copied(target, tmp_path / "valid"))
    folder = copied(target, tmp_path / "mutated")

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(mutations(target))
    def run(content: bytes) -> None:
        attempt(target, content, renewed(target, folder))

    run()


def copied(target: Target, folder: Path) -> Path:
    return shutil.copytree(target.folder, folder)


def renewed(target: Target, folder: Path) -> Path:
    """Return the copy with everything as it was that an earlier attempt may have changed."""
    if target.name.startswith("checkpoints/") and not (folder / target.name).exists():
        shutil.rmtree(folder)
        copied(target, folder)
    elif target.settle.__name__ == "vouch":
        shutil.copy(target.folder / "config.json", folder)
    return folder


def fuzz(target: Target, runs: int, seed: int, scratch: Path) -> tuple[int, int, Counter, float]:
    """Return how many inputs were loaded and refused, the failures by kind, and the longest time of one."""
    failures: Counter = Counter()
    loaded = refused = 0
    longest = 0.0
    folder = copied(target, scratch)

    @hypothesis_seed(seed)
    @settings(max_examples=runs, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutations(target))
    def run(content: bytes) -> None:
        nonlocal loaded, refused, longest
        renewed(target, folder)
        began = time.perf_counter()
        try:
            well = attempt(target, content, folder)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:90]}"
            if not failures[kind]:
                (scratch.parent / f"failure-{hashlib.sha256(kind.encode()).hexdigest()[:8]}").write_bytes(content)
            failures[kind] += 1
        else:
            loaded, refused = loaded + well, refused + (not well)
        longest = max(longest, time.perf_counter() - began)

    run()
    return loaded, refused, failures, longest


def main() -> None:
    from framecast.cli import run as command

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000, help="mutated files, over all loaders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="one loader")
    parser.add_argument("--keep", type=Path, help="a folder for what made a loader fail")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        archive, run = folder / "corona.zarr", folder / "run"
        assert command(["synth", str(archive), "--regions", "12", "--frames", "8", "--size", "16", "--seed", "3"]) == 0
        changes = ("data.past=2", "data.future=3", "network.width=4", "training.steps=2", "training.batch=4")
        assert command(["train", "tiny", "--data", str(archive), "--out", str(run), *changes]) == 0
        (folder / "targets").mkdir()
        targets = make_targets(folder / "targets", run, archive)
        chosen = {key: value for key, value in targets.items() if options.only in (None, key)}
        print(
            f"{'loader':<18}{'inputs':>9}{'loaded':>9}{'refused':>9}{'failures':>10}{'seconds':>9}{'longest':>9}",
            flush=True,
        )
        total = failed = 0
        began = time.monotonic()
        for key, target in chosen.items():
            start = time.monotonic()
            scratch = folder / f"scratch-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
            loaded, refused, failures, longest = fuzz(target, options.runs // len(chosen), options.seed, scratch)
            bad = sum(failures.values())
            total, failed = total + loaded + refused + bad, failed + bad
            print(
                f"{key:<18}{loaded + refused + bad:>9}{loaded:>9}{refused:>9}{bad:>10}"
                f"{time.monotonic() - start:>9.0f}{longest:>9.2f}",
                flush=True,
            )
            for kind, count in failures.most_common(8):
                print(f"    {count} × {kind}", flush=True)
        print(f"{total} inputs in {time.monotonic() - began:.0f} s, {failed} failures")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
