import importlib.util
import io
import json
from multiprocessing import get_context

import numpy as np
import pytest
from PIL import Image

from framecast.core.errors import ConfigError
from framecast.training import Stepped
from framecast.training.loggers import Watcher, contact_sheet, gif, open_watchers
from framecast.training.train import Validated
from framecast.training.watching import Watched


class Notes(Watcher):
    def __init__(self):
        self.figures, self.films = {}, {}

    def figure(self, name, value, step):
        self.figures[name, step] = value

    def film(self, name, frames, step):
        self.films[name, step] = frames.shape

    def close(self):
        pass


def progress(step, **changes):
    values = {"loss": 0.5, "gradient_norm": 1.0, "learning_rate": 0.1, "seconds": 1.0, "waited": 0.0, "skipped": False}
    return Stepped(step=step, **values | changes)


def a_look():
    random = np.random.default_rng(0)
    truth = random.gamma(2.0, size=(1, 3, 16, 24)).astype(np.float32)
    truth[0, 0, 0, 0] = np.nan
    members = random.gamma(2.0, size=(4, 1, 3, 16, 24)).astype(np.float32)
    return Watched(step=20, scores={"crps": 0.3}, truth=truth, members=members)


def test_figures_and_films_are_those_of_the_events():
    notes = Notes()
    for event in (
        progress(9),
        progress(10),
        progress(20, skipped=True),
        Validated(step=10, loss=0.4, best=True),
        a_look(),
    ):
        notes.see(event)
    assert notes.figures == {
        ("training/loss", 10): 0.5,
        ("training/learning_rate", 10): 0.1,
        ("training/gradient_norm", 10): 1.0,
        ("validation/loss", 10): 0.4,
        ("scores/crps", 20): 0.3,
    }
    assert notes.films == {("forecast", 20): (3, 128, 5 * 25 * 8)}


def test_a_film_moves_and_shows_the_truth_first():
    look = a_look()
    frames = contact_sheet(look.truth, look.members)
    with Image.open(io.BytesIO(gif(frames))) as image:
        assert (image.format, image.n_frames, image.info["loop"]) == ("GIF", 3, 0)
    truth = look.truth[0, 1]
    shown = frames[1, ::8, : 24 * 8 : 8].astype(float)
    assert np.corrcoef(shown.ravel(), np.sqrt(truth).ravel())[0, 1] > 0.95


def test_tensorboard_holds_curves_and_a_film(tmp_path):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    [watcher] = open_watchers(("tensorboard",), tmp_path, {}, step=0)
    watcher.see(progress(10))
    watcher.see(a_look())
    watcher.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(entry.step, entry.value) for entry in events.Scalars("training/loss")] == [(10, 0.5)]
    [film] = events.Images("forecast")
    assert film.step == 20
    with Image.open(io.BytesIO(film.encoded_image_string)) as image:
        assert image.n_frames == 3


@pytest.mark.slow
def test_weights_and_biases_holds_curves_and_a_film_of_all_sittings(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    for step in (10, 20):  # each session is a process of its own: that of a run which is gone on with, always is
        session = get_context("spawn").Process(target=sit, args=(tmp_path, step))
        session.start()
        session.join()
        assert session.exitcode == 0
    written = sorted(tmp_path.glob("wandb/offline-run-*/*.wandb"))
    assert len(written) == 2
    assert {path.stem for path in written} == {f"run-{(tmp_path / 'wandb.id').read_text()}"}
    seen = [points(path) for path in written]
    assert [(point["step"], point["training/loss"]) for point in seen[0] + seen[1] if "training/loss" in point] == [
        (10, 0.5),
        (20, 0.5),
    ]
    [film] = [point["forecast/path"] for point in seen[1] if "forecast/path" in point]
    with Image.open(written[1].parent / "files" / film) as image:
        assert image.n_frames == 3


def sit(run, step):
    [watcher] = open_watchers(("wandb",), run, {"name": "tiny"}, step=0)
    watcher.see(progress(step))
    watcher.see(a_look())
    watcher.close()


def points(path) -> list[dict]:
    """What was logged, from the file that ``wandb sync`` would send."""
    from wandb.proto.wandb_internal_pb2 import Record

    found = []
    for message in messages(path.read_bytes()):
        items = Record.FromString(message).history.item
        if items:
            found.append({item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items})
    return found


def messages(content: bytes, header: int = 7, block: int = 2**15):
    """The messages in a file of LevelDB's log format: parts with checksum, length and kind, in blocks of 32 KiB."""
    at, message = header, b""
    while at + header <= len(content):
        left = block - at % block
        if left < header:
            at += left
            continue
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        message += content[at + header : at + header + length]
        at += header + length
        if kind in (1, 4):  # a whole message, or the last part of one
            yield message
            message = b""


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="wandb is installed here")
def test_what_is_not_installed_is_named(tmp_path):
    with pytest.raises(ConfigError, match="framecast\\[wandb"):
        open_watchers(("wandb",), tmp_path, {}, step=0)


def test_looks_are_animations_on_disk(tmp_path):
    (files,) = open_watchers(("files",), tmp_path, {}, step=0)
    for event in (progress(10), a_look()):
        files.see(event)
    files.close()
    (path,) = (tmp_path / "samples").iterdir()
    assert path.name == "00000020.gif"
    with Image.open(path) as film:
        assert film.n_frames == 3
