"""Stores that name code to run, or claim more than a machine holds; mutated ones are tried in `test_fuzz`."""

import gzip
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec
from zarr.registry import get_codec_class

from framecast.core.errors import DataError
from framecast.data.archive.codecs import MOST_CHUNK_BYTES, find_packing
from framecast.data.archive.guard import MOST_DOCUMENT_BYTES, open_store, undamaged
from framecast.data.archive.reader import Archive, ArchiveWriter


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
    with pytest.raises(DataError, match="1000000000 by 1000000000"):
        Archive.open(archive)


def test_a_damaged_chunk_is_named(archive):
    sequence = first_sequence(archive)
    chunk = next(path for path in (sequence / "intensity" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(DataError, match=f"{sequence.name}.* is damaged"):
        Archive.open(archive).read(sequence.name, [0])


def test_memory_that_does_not_suffice_is_no_damage():
    with pytest.raises(MemoryError), undamaged("x"):
        raise MemoryError


@pytest.mark.parametrize(("place", "size"), [(12, 10**9), (12, 0), (4, 2**31 + 1), (8, 2**30)])
@pytest.mark.parametrize(("shards", "wanted"), [(None, slice(None)), ((128,), slice(None)), ((128,), slice(1))])
def test_a_chunk_that_lies_about_its_sizes_is_refused_before_it_is_decoded(tmp_path, place, size, shards, wanted):
    group = zarr.create_group(tmp_path)
    array = group.create_array("a", shape=(128,), chunks=(64,), shards=shards, dtype="f4", compressors=BloscCodec())
    array[:] = np.arange(1, 129)
    chunk = tmp_path / "a/c/0"
    content = bytearray(chunk.read_bytes())
    content[place : place + 4] = size.to_bytes(4, "little")
    chunk.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        open_store(tmp_path)["a"][wanted]


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


@pytest.mark.filterwarnings("ignore:Numcodecs codecs")
@pytest.mark.parametrize("shards", [None, (4, 4)])
@pytest.mark.parametrize(
    "packer", [["blosc"], ["gzip"], ["zstd", "crc32c"], ["numcodecs.zlib", "numcodecs.fletcher32"]]
)
def test_what_others_pack_in_zarr_3_is_read(tmp_path, packer, shards):
    codecs = [get_codec_class(name)() for name in packer]
    group = zarr.create_group(tmp_path)
    array = group.create_array("rain", shape=(8, 4), chunks=(2, 4), shards=shards, dtype="f4", compressors=codecs)
    array[:] = values = np.arange(32, dtype="f4").reshape(8, 4)
    stored = open_store(tmp_path)["rain"]
    np.testing.assert_array_equal(stored[:], values)  # shards as a whole
    np.testing.assert_array_equal(stored[1:3], values[1:3])  # and parts of them


@pytest.mark.parametrize(
    ("codecs", "message"),
    [
        (["bytes", "gzip", "zstd"], "zstd follows gzip"),
        (["bytes", "zstd", "numcodecs.shuffle"], "shuffle follows zstd"),
        (["sharded", "gzip"], "cannot be used"),
        ([("sharded", {"index_location": "start"})], "nested shards"),
        ([("sharded", {"index_codecs": ["bytes", "gzip"]})], "nested shards"),
        ([("sharded", {"codecs": ["sharded"]})], "nested shards"),
    ],
)
def test_what_cannot_be_looked_through_is_refused(tmp_path, codecs, message):
    """Packed twice, the second time with what is too large; or where the index of a shard cannot be found."""

    def codec(given):
        name, changed = given if isinstance(given, tuple) else (given, {})
        if name != "sharded":
            return {"name": name, "configuration": {"endian": "little"} if name == "bytes" else {}}
        plain = {"chunk_shape": [2, 4], "codecs": ["bytes"], "index_codecs": ["bytes", "crc32c"]} | changed
        plain |= {key: [codec(each) for each in plain[key]] for key in ("codecs", "index_codecs")}
        return {"name": "sharding_indexed", "configuration": plain}

    zarr.create_group(tmp_path).create_array("rain", shape=(8, 4), chunks=(4, 4), dtype="f4")
    edit(tmp_path / "rain/zarr.json", lambda plain: plain.update(codecs=[codec(each) for each in codecs]))
    with pytest.raises(DataError, match=message):
        open_store(tmp_path)["rain"][:]


@pytest.mark.thorough
def test_other_users_of_zarr_in_this_process_keep_their_codecs(tmp_path):
    program = (
        "import sys, numcodecs.registry as v2, zarr, zarr.registry as v3\n"
        "def state(): return [dict(v2.codec_registry), {k: dict(v) for k, v in vars(v3)['__codec_registries'].items()},"
        " zarr.config.get('codecs')]\n"
        "before = state()\n"
        "import framecast\n"
        "framecast.open_archive(sys.argv[1]).times('a')\n"
        "assert state() == before\n"
    )
    with ArchiveWriter(tmp_path / "a.zarr", channels=["rain"], unit="mm/h", cadence=60, height=4, width=4) as writer:
        writer.create("a", np.datetime64("2020-01-01", "ns") + np.arange(2) * np.timedelta64(60, "s"))
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "a.zarr"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
            find_packing([("bytes", {}), (kind, {})]).check(memoryview(bomb), None)


def test_a_missing_permission_is_no_damage():
    with pytest.raises(PermissionError), undamaged("x"):
        raise PermissionError(13, "Permission denied", "x")
