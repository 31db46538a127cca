"""What strangers' files can do: be refused with one of `framecast.core.errors`, and nothing else.

Valid files are mutated: bytes flipped, cut out, doubled, cut off, and values of JSON documents replaced by what nobody
expects. Loading one may succeed or end in a `FramecastError`; any other error, five seconds of the processor without an
end, memory beyond three gigabytes or the death of the process is a failure. The tests try a few hundred; more with

    python tests/test_fuzz.py --runs 100000              # an hour on one core
    python tests/test_fuzz.py --runs 1000 --only fits
"""

import argparse
import contextlib
import copy
import hashlib
import io
import json
import multiprocessing
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
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from hypothesis import strategies as st
from PIL import Image

from framecast.core.errors import FramecastError

SECONDS = 5
GIGABYTES = 3
PORTION = 1000
"""Inputs of one process in a long run: what a loader or hypothesis keeps of them goes with it."""
PATIENCE = 60
"""Seconds on the clock after which a process that the timer cannot reach, in C or asleep, is given up."""

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
        content: of the valid file.
    """

    load: Callable[[Path], object]
    name: str
    folder: Path
    settle: Callable[[Path], None] = lambda folder: None
    content: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", (self.folder / self.name).read_bytes())

    @property
    def header(self) -> int:
        """Bytes at the beginning of the file in which half of the edits are made: a header, where it has one."""
        return int.from_bytes(self.content[:8], "little") + 8 if self.name.endswith(".safetensors") else 3000


@dataclass(frozen=True)
class Mutation:
    """What is done to a file: a few edits, so that hypothesis has small things to remember and not whole files.

    Attributes:
        edits: of its bytes, (kind, place, amount), or of its JSON document, (path, kind, odd value).
        document: whether it is edited as JSON.
    """

    edits: list[tuple]
    document: bool

    def of(self, content: bytes) -> bytes:
        """Return ``content`` mutated."""
        return edit_document(content, self.edits) if self.document else edit_bytes(content, self.edits)


def edit_bytes(content: bytes, edits: list[tuple[str, int, int]]) -> bytes:
    """Return ``content`` with bytes flipped, cut out, doubled, cut off or zeroed."""
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


def edit_document(content: bytes, edits: list[tuple[tuple, str, object]]) -> bytes:
    """Return the JSON document with values anywhere in it replaced, left out or put in."""
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


def walk(document: object, path: tuple = ()) -> Iterator[tuple]:
    """Yield the path of every value below the document."""
    entries = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for key, value in entries:
        yield (*path, key)
        yield from walk(value, (*path, key))


def mutations(target: Target) -> st.SearchStrategy[Mutation]:
    """Draw up to four edits of the bytes of the target's file, half of them near its beginning, or three of JSON."""
    last = max(0, len(target.content) - 1)
    place = st.one_of(st.integers(0, last), st.integers(0, min(last, target.header)))
    edit = st.tuples(st.sampled_from(("flip", "cut", "double", "end", "zero")), place, st.integers(1, 255))
    in_bytes = st.builds(Mutation, st.lists(edit, min_size=1, max_size=4), st.just(False))
    if not target.name.endswith(".json"):
        return in_bytes
    paths = list(walk(json.loads(target.content)))
    change = st.tuples(st.sampled_from(paths), st.sampled_from(("put", "drop", "add", "long")), st.sampled_from(ODD))
    in_document = st.builds(Mutation, st.lists(change, min_size=1, max_size=3), st.just(True))
    return st.one_of(in_document, in_document, in_bytes)


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
    from framecast.models.checkpoint import load_model, read_config
    from framecast.models.config import build_network
    from framecast.models.header import find_model
    from framecast.training import TrainingOptions, TrainingState
    from framecast.training.recipe import load_recipe
    from framecast.training.run import Run

    model = shutil.copytree(find_model(run), folder / "model")
    checkpoint = shutil.copytree(Run(run).checkpoints[-1], folder / "run" / "checkpoints" / "00000006")
    shutil.copy(run / "recipe.yaml", folder / "run")
    data = folder / "archive"
    shutil.copytree(archive, data)
    sequence = sorted(path.name for path in data.iterdir() if path.is_dir())[0]
    for other in [path for path in data.iterdir() if path.is_dir() and path.name != sequence]:
        shutil.rmtree(other)
    # Consolidated metadata would hide what stands in the groups' own files, and a checksum every mutation.
    manifest = checkpoint / "manifest.json"
    for document in (data / "zarr.json", data / sequence / "zarr.json", manifest):
        plain = json.loads(document.read_text())
        plain.pop("sha256" if document == manifest else "consolidated_metadata", None)
        document.write_text(json.dumps(plain))

    def vouch(folder: Path) -> None:
        """Bring the checksum in the configuration up to date: strangers can do that too."""
        plain = json.loads((folder / "config.json").read_text())
        plain["weights_sha256"] = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
        (folder / "config.json").write_text(json.dumps(plain))

    def vouch_for_state(folder: Path) -> None:
        """Bring the manifest up to date."""
        path = folder / "checkpoints/00000006/manifest.json"
        plain = json.loads(path.read_text())
        state = (path.parent / "state.safetensors").read_bytes()
        plain["files"]["state.safetensors"] = {"bytes": len(state), "sha256": hashlib.sha256(state).hexdigest()}
        path.write_text(json.dumps(plain))

    config = read_config(model)
    options = TrainingOptions(steps=6)

    def take_up(folder: Path) -> None:
        """Do as a run does that goes on."""
        newest, _ = Run(folder).newest()
        assert newest is not None
        tensors, _ = Run(folder).load(newest)
        TrainingState(build_network(config), options).load(tensors)

    forecast = write_small_forecast(folder / "forecast" / "small.zarr")
    state = "checkpoints/00000006/state.safetensors"
    targets = {
        "config.json": Target(load_model, "config.json", model),
        "safetensors": Target(load_model, "weights.safetensors", model, vouch),
        "checkpoint": Target(lambda f: Run(f).newest(), "checkpoints/00000006/manifest.json", folder / "run"),
        "training state": Target(take_up, state, folder / "run", vouch_for_state),
        "forecast": Target(read_forecast, "zarr.json", forecast),
        "forecast array": Target(read_forecast, "forecast/zarr.json", forecast),
        "recipe": Target(lambda f: load_recipe(f / "recipe.yaml"), "recipe.yaml", folder / "run"),
        "zarr root": Target(read_archive, "zarr.json", data),
    }
    for name in ("", "intensity/", "time/"):
        targets[f"zarr {name or 'group'}"] = Target(read_archive, f"{sequence}/{name}zarr.json", data)
    chunk = sorted(path for path in (data / sequence / "intensity").rglob("*") if path.is_file() and path.suffix == "")[
        0
    ]
    targets["zarr chunk"] = Target(read_archive, str(chunk.relative_to(data)), data)
    return targets | solar_targets(folder / "solar")


def read_archive(folder: Path) -> None:
    """Open an archive, find its windows and read the first."""
    from framecast.data.archive.reader import Archive
    from framecast.data.windows import find_windows
    from framecast.videos.frames import FrameSpec

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


def write_small_forecast(path: Path) -> Path:
    """Write two forecasts of two members, without consolidated metadata."""
    from framecast.data.forecasts import SampleInfo, write_forecast
    from framecast.videos.frames import FrameSpec

    channels = {"past_channels": ("193", "171"), "future_channels": ("171",)}
    frames = FrameSpec(**channels, past=2, future=3, cadence=7200.0, height=8, width=10)
    samples = [SampleInfo(sequence="a", issue_time=np.datetime64(f"2017-08-1{k}")) for k in range(2)]
    with write_forecast(path, frames=frames, samples=samples, members=2, unit="DN/s", attrs={}, dressing=None) as file:
        for k in range(2):
            future = np.ones((1, 3, 8, 10), np.float32)
            file.write(k, past=np.ones((2, 2, 8, 10), np.float32), truth=future, forecast=np.stack([future, future]))
    document = path / "zarr.json"
    plain = json.loads(document.read_text())
    plain.pop("consolidated_metadata", None)
    document.write_text(json.dumps(plain))
    return path


def read_forecast(folder: Path) -> None:
    """Open a forecast as evaluation does, and read what identifies its windows."""
    from framecast.verification.sources import open_sources

    [source] = open_sources(folder)
    assert source.windows and source.lead_times and source.unit is not None


def solar_targets(folder: Path) -> dict[str, Target]:
    """Return the loaders of observations of the Sun; none where its libraries are not installed."""
    try:
        from astropy.io import fits
    except ModuleNotFoundError:
        return {}
    from framecast.domains.solar.flare_lists import read_flares
    from framecast.domains.solar.label_tables import read_label_table
    from framecast.domains.solar.png import parse_name, read_picture
    from framecast.domains.solar.reader import read_image

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

    percentiles = "".join(
        f"<DATA{name}>{np.percentile(pixels.astype(float), share)}</DATA{name}>"
        for name, share in {"P10": 10, "P25": 25, "MEDN": 50, "P75": 75, "P90": 90}.items()
    )
    cards = "".join(f"<{name}>{value}</{name}>" for name, value in header.items()) + percentiles
    xml = f"<meta><fits><NAXIS1>48</NAXIS1><NAXIS2>48</NAXIS2>{cards}</fits></meta>".encode()
    shown = io.BytesIO()
    Image.fromarray((5 * np.sqrt(pixels[::-1])).astype(np.uint8)).save(shown, "JPEG2000")
    before, picture = shown.getvalue().split(b"jp2c")
    box = (len(xml) + 8).to_bytes(4) + b"xml " + xml
    (folder / "small.jp2").write_bytes(before[:-4] + box + before[-4:] + b"jp2c" + picture)

    def read_png(folder: Path) -> None:
        picture = parse_name(folder / name)
        assert picture is not None
        read_picture(picture, (81139.0, 8179.0, 6099.0))

    return {
        "fits": Target(lambda f: read_image(f / "plain.fits"), "plain.fits", folder),
        "fits tiled": Target(lambda f: read_image(f / "tiled.fits"), "tiled.fits", folder),
        "jpeg 2000": Target(lambda f: read_image(f / "small.jp2"), "small.jp2", folder),
        "png": Target(read_png, name, folder),
        "csv events": Target(lambda f: read_flares(f / "events.csv"), "events.csv", folder),
        "csv samples": Target(lambda f: read_label_table(f / "samples.csv"), "samples.csv", folder),
    }


NAMES = (
    "config.json",
    "safetensors",
    "checkpoint",
    "training state",
    "forecast",
    "forecast array",
    "recipe",
    "zarr root",
    "zarr group",
    "zarr intensity/",
    "zarr time/",
)
NAMES += ("zarr chunk", "fits", "fits tiled", "jpeg 2000", "png", "csv events", "csv samples")

SHARES = {"config.json": 0.6, "safetensors": 0.6}
SHARES |= dict.fromkeys(("training state", "forecast", "forecast array"), 0.16)
SHARES |= dict.fromkeys(("zarr root", "zarr group", "zarr intensity/", "zarr time/", "zarr chunk"), 0.16)
"""How many inputs a loader gets in a long run beside one that gets 1: fewer where each takes long."""


@pytest.fixture(scope="module")
def targets(small_run, small_archive, tmp_path_factory):
    return make_targets(tmp_path_factory.mktemp("fuzz"), small_run, small_archive)


@pytest.mark.skipif(sys.platform != "linux", reason="bounds time and memory by Linux's means")
@pytest.mark.parametrize("name", NAMES)
def test_a_mutated_file_is_loaded_or_refused(name, targets, tmp_path):
    if name not in targets:
        pytest.skip("the Sun needs pip install 'framecast[solar]'")
    target = targets[name]
    assert attempt(target, target.content, copied(target, tmp_path / "valid"))
    folder = copied(target, tmp_path / "mutated")

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(mutations(target))
    def run(mutation: Mutation) -> None:
        attempt(target, mutation.of(target.content), renewed(target, folder))

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
    elif target.settle.__name__ == "vouch_for_state":
        shutil.copy(target.folder / "checkpoints/00000006/manifest.json", folder / "checkpoints/00000006")
    return folder


@dataclass
class Tally:
    """What came of some inputs.

    Attributes:
        inputs: how many.
        loaded: of them.
        refused: of them, with one of the documented errors.
        failures: by kind.
        longest: seconds of the processor for one of them.
        megabytes: the most memory of the process.
    """

    inputs: int = 0
    loaded: int = 0
    refused: int = 0
    failures: Counter = field(default_factory=Counter)
    longest: float = 0.0
    megabytes: float = 0.0

    def add(self, other: "Tally") -> None:
        self.inputs += other.inputs
        self.loaded += other.loaded
        self.refused += other.refused
        self.failures += other.failures
        self.longest = max(self.longest, other.longest)
        self.megabytes = max(self.megabytes, other.megabytes)


def fuzz(target: Target, runs: int, seed: int, scratch: Path, results: Connection) -> None:
    """Try ``runs`` inputs, and send the tally after each; what makes a loader fail is kept beside ``scratch``."""
    tally = Tally()
    folder = copied(target, scratch)

    @hypothesis_seed(seed)
    @settings(
        max_examples=runs,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations(target))
    def run(mutation: Mutation) -> None:
        content = mutation.of(target.content)
        renewed(target, folder)
        began = time.process_time()
        tally.inputs += 1
        try:
            well = attempt(target, content, folder)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            where = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:90]}"
            if not tally.failures[kind]:
                keep(scratch.parent, kind, content)
            tally.failures[kind] += 1
        else:
            tally.loaded += well
            tally.refused += not well
        tally.longest = max(tally.longest, time.process_time() - began)
        tally.megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        results.send(tally)

    run()


def keep(folder: Path, kind: str, content: bytes) -> None:
    """Write down an input that made a loader fail in this way."""
    (folder / f"failure-{hashlib.sha256(kind.encode()).hexdigest()[:8]}").write_bytes(content)


def fuzz_apart(target: Target, runs: int, seed: int, scratch: Path) -> Tally:
    """Try up to ``runs`` inputs in a process of their own, which may die or hang."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=fuzz, args=(target, runs, seed, scratch, sender))
    process.start()
    sender.close()
    tally = Tally()
    with contextlib.suppress(EOFError):
        while receiver.poll(PATIENCE):
            tally = receiver.recv()
    if process.is_alive():
        process.join(1)
    if process.exitcode != 0:
        kind = f"the process ended with {process.exitcode}" if not process.is_alive() else f"nothing for {PATIENCE} s"
        process.kill()
        process.join()
        keep(scratch.parent, kind, (scratch / target.name).read_bytes())
        tally.failures[kind] += 1
        tally.inputs += 1
    shutil.rmtree(scratch, ignore_errors=True)
    return tally


def main() -> None:
    import torch

    from framecast.cli import run as command

    torch.set_num_threads(1)  # a forked process waits for ever for the threads that its parent had
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100_000, help="mutated files, over all loaders")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="a loader; may be given again")
    parser.add_argument("--keep", type=Path, help="a folder for what made a loader fail")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        folder = options.keep or Path(name)
        folder.mkdir(exist_ok=True)
        archive, run = folder / "corona.zarr", folder / "run"
        assert command(["synth", str(archive), "--regions", "12", "--frames", "8", "--size", "16", "--seed", "3"]) == 0
        changes = ("data.past=2", "data.future=3", "network.width=4", "network.multipliers=[1, 2]", "network.blocks=1")
        changes += ("training.steps=2", "training.batch=4")
        assert command(["train", "tiny", "--data", str(archive), "--out", str(run), *changes]) == 0
        (folder / "targets").mkdir()
        targets = make_targets(folder / "targets", run, archive)
        chosen = {key: value for key, value in targets.items() if options.only is None or key in options.only}
        shares = {key: SHARES.get(key, 1.0) for key in chosen}
        columns = ("inputs", "loaded", "refused", "failures", "ms each", "longest s", "MB")
        print(f"{'loader':<18}" + "".join(f"{column:>11}" for column in columns), flush=True)
        total = Tally()
        began = time.monotonic()
        for key, target in chosen.items():
            wanted = round(options.runs * shares[key] / sum(shares.values())) + 1
            start, tally, portion = time.monotonic(), Tally(), 0
            while tally.inputs < wanted:
                seed = options.seed * 10**6 + portion
                portion += 1
                scratch = folder / f"scratch-{portion}"
                tally.add(fuzz_apart(target, min(PORTION, wanted - tally.inputs), seed, scratch))
            each = 1000 * (time.monotonic() - start) / tally.inputs
            figures = (tally.inputs, tally.loaded, tally.refused, tally.failures.total())
            print(
                f"{key:<18}"
                + "".join(f"{figure:>11}" for figure in figures)
                + f"{each:>11.1f}{tally.longest:>11.2f}{tally.megabytes:>11.0f}",
                flush=True,
            )
            for kind, count in tally.failures.most_common(8):
                print(f"    {count} × {kind}", flush=True)
            total.add(tally)
        failed = total.failures.total()
        print(f"{total.inputs} inputs in {time.monotonic() - began:.0f} s, {failed} failures")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
