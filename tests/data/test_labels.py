"""Labels: stored beside the frames, read with the windows, and told to the network."""

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.core.files import held
from framecast.data import labels as module
from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.labels import count_labels, write_labels
from framecast.data.windows import find_windows
from framecast.videos.frames import FrameSpec

CLASSES = ("quiet", "C", "M")
FRAMES = FrameSpec(past_channels=("94",), future_channels=("94",), past=3, future=2, cadence=3600.0, height=3, width=4)


def label(archive, values=None, classes=CLASSES):
    given = {"region-00": np.arange(20) % 4 - 1} if values is None else values
    write_labels(archive.path, given, classes, meaning="class of the largest flare within 12h")
    return Archive.open(archive.path)


def test_they_are_read_back_and_frames_without_one_are_unknown(make_archive):
    archive = label(make_archive())
    assert archive.classes == CLASSES
    assert archive.labels("region-00").tolist() == [k % 4 - 1 for k in range(20)]
    assert (archive.labels("region-01") == -1).all()
    assert count_labels(archive) == {"quiet": 5, "C": 5, "M": 5, "unknown": 25}
    assert "classes" not in archive.attrs


def test_one_process_at_a_time_writes_them(make_archive):
    archive = make_archive()
    with held(archive.path, doing="labelling"), pytest.raises(FramecastError, match="another process is labelling"):
        label(archive)
    assert not Archive.open(archive.path).classes


def test_xarray_sees_them_with_their_meaning(make_archive):
    archive = label(make_archive())
    stored = xr.open_zarr(archive.path, group="region-00")["label"]
    assert stored.dims == ("time",)
    assert stored.attrs["flag_meanings"] == "unknown quiet C M"
    assert stored.attrs["flag_values"] == [-1, 0, 1, 2]


def test_an_archive_without_labels_has_none(make_archive):
    archive = make_archive()
    assert archive.classes == ()
    assert (archive.labels("region-00") == -1).all()
    data = WindowDataset(archive, find_windows(archive, FRAMES), FRAMES)
    assert data[0].label == 0  # no class: 0 is the null class


def test_a_window_has_the_label_of_its_last_past_frame(make_archive):
    archive = label(make_archive())
    data = WindowDataset(archive, find_windows(archive, FRAMES), FRAMES)
    for index in range(len(data)):
        window = data.windows[index]
        place = window.indices[2] % 4 - 1
        expected = 3 if window.sequence == "region-01" or place == -1 else place
        assert data[index].label == expected
    assert data.batch([0, 1]).label.tolist() == [int(data[0].label), int(data[1].label)]


@pytest.mark.thorough
def test_new_labels_take_the_place_of_the_old(make_archive):
    label(make_archive())
    archive = label(make_archive(), {"region-01": np.zeros(20, int)}, ("a", "b"))
    assert archive.classes == ("a", "b")
    assert count_labels(archive) == {"a": 20, "b": 0, "unknown": 20}


def test_an_interruption_leaves_an_archive_without_labels(make_archive, monkeypatch):
    archive = label(make_archive())

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_store", fail)
    with pytest.raises(KeyboardInterrupt):
        label(archive, classes=("other", "C", "M"))
    monkeypatch.undo()
    assert Archive.open(archive.path).classes == ()
    assert label(archive).classes == CLASSES


def test_a_sequence_may_bring_its_labels(make_archive):
    from framecast.data.archive.reader import ArchiveWriter

    data = make_archive().sequence("region-00").load()
    header = {"channels": ["193", "94"], "unit": "DN/s", "cadence": 3600, "height": 3, "width": 4}
    path = make_archive().path.with_name("own.zarr")
    with ArchiveWriter(path, classes=CLASSES, **header) as writer:
        writer.add("a", data.assign(label=("time", np.full(20, 2, np.int8))))
    assert (Archive.open(path).labels("a") == 2).all()
    with (
        pytest.raises(DataError, match=r"label of a has the value 2; .* 0 classes .* -1"),
        ArchiveWriter(path.with_name("none.zarr"), **header) as writer,
    ):
        writer.add("a", data.assign(label=("time", np.full(20, 2, np.int8))))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("values", "classes", "error", "complaint"),
    [
        ({"region-00": np.zeros(19, int)}, CLASSES, DataError, "one whole number for each of 20 frames"),
        ({"region-00": np.zeros(20)}, CLASSES, DataError, "one whole number for each of 20 frames"),
        ({"region-00": np.full(20, 3)}, CLASSES, DataError, "has the value 3; with 3 classes"),
        ({"region-09": np.zeros(20, int)}, CLASSES, DataError, "has no sequence region-09"),
        ({}, ("a", "a"), ConfigError, "name up to 127, each once"),
    ],
)
def test_mistakes_change_nothing(make_archive, values, classes, error, complaint):
    archive = label(make_archive())
    with pytest.raises(error, match=complaint):
        label(archive, values, classes)
    assert Archive.open(archive.path).classes == CLASSES
