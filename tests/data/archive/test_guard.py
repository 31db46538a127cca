"""Stores that name code to run, or claim more than a machine holds; mutated ones are tried in `test_fuzz`."""

import gzip
import json
import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec

from framecast.core.errors import DataError
from framecast.data.archive.codecs import MOST_CHUNK_BYTES, check_packed
from framecast.data.archive.guard import MOST_DOCUMENT_BYTES, open_store, undamaged
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


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("variable", "change", "message"),
    [
        ("intensity", lambda m: m["shape"].__setitem__(0, 10**12), "claims 125000000000 chunks .* has 1 files"),
        ("intensity", lambda m: m["shape"].__setitem__(0, -8), "impossible"),
        ("time", lambda m: m.update(shape=[10**12]), "claims 8000000000000 bytes along one dimension"),
        ("time", lambda m: m.update(shape=[7]), "one entry for each of 8 frames"),
        ("channel", lambda m: m.update(shape=[10]), "channels of shape"),
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


class Payload:
    """What leaves a trace where it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def store_v2(folder, **changes):
    """A Zarr 2 store with one array of eight frames, whose metadata are changed."""
    (folder / "rain").mkdir(parents=True)
    (folder / ".zgroup").write_text('{"zarr_format": 2}')
    array = {"zarr_format": 2, "shape": [8, 4, 4], "chunks": [8, 4, 4], "dtype": "<f4", "fill_value": None}
    array |= {"order": "C", "compressor": None, "filters": None} | changes
    (folder / "rain/.zarray").write_text(json.dumps(array))
    (folder / "rain/.zattrs").write_text('{"_ARRAY_DIMENSIONS": ["time", "y", "x"]}')
    (folder / "rain/0.0.0").write_bytes(np.zeros((8, 4, 4), "<f4").tobytes())
    return folder


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dtype": "|O", "filters": [{"id": "pickle"}]}, "codec 'pickle'"),
        ({"dtype": "|O", "filters": [{"id": "vlen-utf8"}, {"id": "pickle"}]}, "codec 'pickle'"),
        ({"compressor": {"id": "pickle"}}, "codec 'pickle'"),
        ({"filters": [{"id": "json2"}], "dtype": "|O"}, "codec 'json2'"),
        ({"filters": [{"id": "delta", "dtype": "|O"}]}, "Python objects"),
        ({"dtype": "|O"}, "Python objects"),
        ({"dtype": [["a", "<f4"], ["b", "|O"]]}, "Python objects"),
        ({"compressor": {"id": ["pickle"]}}, "cannot be used"),
        ({"compressor": {"id": "any-plugin"}}, "codec 'any-plugin'"),
    ],
)
def test_no_code_runs_from_a_zarr_2_store(tmp_path, changes, message):
    store, trace = store_v2(tmp_path / "store", **changes), tmp_path / "trace"
    (store / "rain/0.0.0").write_bytes(pickle.dumps(Payload(trace)))
    with pytest.raises(DataError, match=message):
        open_store(store)["rain"][:]
    assert not trace.exists()


def test_a_payload_hidden_in_consolidated_metadata_does_not_run(tmp_path):
    store = store_v2(tmp_path / "store")
    plain = json.loads((store / "rain/.zarray").read_text()) | {"dtype": "|O", "filters": [{"id": "pickle"}]}
    metadata = {".zgroup": {"zarr_format": 2}, "rain/.zarray": plain}
    (store / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": metadata}))
    (store / "rain/0.0.0").write_bytes(pickle.dumps(Payload(tmp_path / "trace")))
    with pytest.raises(DataError, match="codec 'pickle'"):
        open_store(store)["rain"][:]
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("codec", ["numcodecs.pickle", "any.plugin", {"name": "numcodecs.pickle"}])
@pytest.mark.parametrize("place", ["array", "shard", "consolidated"])
def test_no_code_runs_from_a_zarr_3_store(tmp_path, codec, place):
    group = zarr.create_group(tmp_path / "store")
    array = group.create_array("rain", shape=(8, 4), chunks=(2, 4), shards=(4, 4), dtype="f4")
    array[:] = 1

    def change(plain):
        codecs = plain["codecs"]
        (codecs[0]["configuration"]["codecs"] if place == "shard" else codecs).append(codec)

    document = tmp_path / "store/rain/zarr.json"
    sound = document.read_text()
    edit(document, change)
    if place == "consolidated":
        root = json.loads((tmp_path / "store/zarr.json").read_text())
        root["consolidated_metadata"] = {"kind": "inline", "must_understand": False}
        root["consolidated_metadata"]["metadata"] = {"rain": json.loads(document.read_text())}
        document.write_text(sound)
        (tmp_path / "store/zarr.json").write_text(json.dumps(root))
    with pytest.raises(DataError, match="names the codec"):
        open_store(tmp_path / "store")["rain"][:]


@pytest.mark.parametrize("compressor", ["blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", None])
def test_what_others_pack_is_read(tmp_path, compressor):
    """Both versions of the format, in every packing that is in use."""
    import numcodecs

    values = np.arange(128, dtype="<f4").reshape(8, 4, 4)
    packer = compressor and numcodecs.get_codec({"id": compressor})
    named = packer and packer.get_config()
    store = store_v2(tmp_path / "v2", compressor=named, filters=[{"id": "shuffle", "elementsize": 4}])
    shuffled = numcodecs.Shuffle(4).encode(values)
    (store / "rain/0.0.0").write_bytes(packer.encode(shuffled) if packer else shuffled)
    np.testing.assert_array_equal(open_store(store)["rain"][:], values)


def test_a_name_that_leads_out_of_the_store_is_refused(tmp_path):
    zarr.create_group(tmp_path / "store").create_array("a", shape=(1,), dtype="f4")
    root = tmp_path / "store/zarr.json"
    node = json.loads((tmp_path / "store/a/zarr.json").read_text())
    held = {"kind": "inline", "must_understand": False, "metadata": {"../../etc": node}}
    edit(root, lambda plain: plain.update(consolidated_metadata=held))
    with pytest.raises(DataError, match="outside"):
        open_store(tmp_path / "store")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("name", ["zarr.json", "a/zarr.json", "a/c/0"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path, name):
    zarr.create_group(tmp_path / "store").create_array("a", shape=(4,), dtype="f4")[:] = 1
    (tmp_path / "store" / name).unlink()
    os.mkfifo(tmp_path / "store" / name)
    with pytest.raises(DataError, match="pipe"):
        open_store(tmp_path / "store")["a"][:]


def test_metadata_nested_without_end_are_refused(tmp_path):
    zarr.create_group(tmp_path / "store")
    deep = "[" * 10**5 + "]" * 10**5
    (tmp_path / "store/zarr.json").write_text(
        f'{{"zarr_format": 3, "node_type": "group", "attributes": {{"a": {deep}}}}}'
    )
    with pytest.raises(DataError, match="nested"):
        open_store(tmp_path / "store")


def test_an_archive_of_many_sequences_opens_without_its_consolidated_metadata(small_archive, tmp_path):
    """As framecast wrote them before: the root gathered hundreds of megabytes."""
    folder = shutil.copytree(small_archive, tmp_path / "archive.zarr")

    def swell(plain):
        inside = plain["consolidated_metadata"]["metadata"]
        inside[next(iter(inside))]["attributes"]["long"] = "x" * MOST_DOCUMENT_BYTES

    edit(folder / "zarr.json", swell)
    archive = Archive.open(folder)
    assert len(archive) == 12 and len(archive.times(archive.sequences[0])) == 8


@pytest.mark.thorough
def test_a_bomb_is_not_unpacked():
    for kind, bomb in {
        "gzip": gzip.compress(bytes(MOST_CHUNK_BYTES + 2**20), 9),
        "blosc": bytes([2, 1, 1, 4]) + (2**31).to_bytes(4, "little") + (16).to_bytes(4, "little") * 2,
        "zstd": bytes.fromhex("28b52ffd e0") + (2**40).to_bytes(8, "little"),
        "lz4": (2**31).to_bytes(4, "little"),
    }.items():
        with pytest.raises(ValueError, match="claims"):
            check_packed(kind, bomb)


def test_a_missing_permission_is_no_damage():
    with pytest.raises(PermissionError), undamaged("x"):
        raise PermissionError(13, "Permission denied", "x")
