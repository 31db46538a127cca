"""Archives that claim more than a machine holds; what mutated ones do is tried in `test_fuzz`."""

import json
import shutil

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from framecast.core.errors import DataError
from framecast.data.archive.guard import undamaged
from framecast.data.archive.reader import Archive


@pytest.fixture
def archive(small_archive, tmp_path):
    """A copy whose metadata stand in one file for each variable, as strangers may write them."""
    folder = shutil.copytree(small_archive, tmp_path / "archive.zarr")
    for document in folder.rglob("zarr.json"):
        plain = json.loads(document.read_text())
        if plain.pop("consolidated_metadata", None) is not None:
            document.write_text(json.dumps(plain))
    return folder


def edit(path, change):
    plain = json.loads(path.read_text())
    change(plain)
    path.write_text(json.dumps(plain))


def first_sequence(archive):
    return next(path for path in sorted(archive.iterdir()) if path.is_dir())


@pytest.mark.parametrize(
    ("variable", "change", "message"),
    [
        ("intensity", lambda m: m["shape"].__setitem__(0, 10**12), "claims 1000000000000 frames"),
        ("time", lambda m: m.update(shape=[10**12]), "one entry for each of 8 frames"),
        ("time", lambda m: m["chunk_grid"]["configuration"].update(chunk_shape=[10**12]), "chunks of"),
        ("intensity", lambda m: m.update(attributes={"long": "x" * 2**21}), "bytes of metadata"),
    ],
)
def test_what_is_claimed_is_looked_at_before_memory_is_taken(archive, variable, change, message):
    sequence = first_sequence(archive)
    edit(sequence / variable / "zarr.json", change)
    with pytest.raises(DataError, match=message) as caught:
        Archive.open(archive).times(sequence.name)
    assert "\n" not in str(caught.value)


def test_frames_that_nothing_could_be_computed_on_are_refused(archive):
    edit(archive / "zarr.json", lambda plain: plain["attributes"].update(height=10**9, width=10**9))
    with pytest.raises(DataError, match="claims frames of 1000000000 by 1000000000 pixels"):
        Archive.open(archive)


def test_a_damaged_chunk_is_named(archive):
    sequence = first_sequence(archive)
    chunk = next(path for path in (sequence / "intensity" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(DataError, match=f"{sequence.name} is damaged"):
        Archive.open(archive).read(sequence.name, [0])


def test_memory_that_does_not_suffice_is_no_damage():
    with pytest.raises(MemoryError), undamaged("x"):
        raise MemoryError


@pytest.mark.parametrize(("place", "size"), [(12, 10**9), (12, 0), (4, 2**31 + 1), (8, 2**30)])
def test_a_chunk_that_lies_about_its_sizes_is_refused_before_it_is_decoded(tmp_path, place, size):
    array = zarr.create_array(tmp_path / "a", shape=(64,), chunks=(64,), dtype="f4", compressors=BloscCodec())
    array[:] = np.arange(64)
    chunk = tmp_path / "a/c/0"
    content = bytearray(chunk.read_bytes())
    content[place : place + 4] = size.to_bytes(4, "little")
    chunk.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"), undamaged(tmp_path):
        zarr.open_array(tmp_path / "a", mode="r")[:]
