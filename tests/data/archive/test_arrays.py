from pathlib import Path

import numpy as np
import pytest
import zarr

from framecast.core.errors import DataError
from framecast.data.archive.arrays import open_array, open_arrays, read_whole
from framecast.data.archive.format import consolidate

VALUES = np.arange(12, dtype="i4").reshape(3, 4)

STORED = {
    "unpacked": {"chunks": (3, 4), "compressors": None},
    "packed": {"chunks": (3, 4)},
    "several chunks": {"chunks": (2, 3), "compressors": None},
    "a chunk beyond the end": {"chunks": (4, 4), "compressors": None},
    "shards": {"chunks": (1, 4), "shards": (3, 4), "compressors": None},
    "big-endian": {"chunks": (3, 4), "serializer": zarr.codecs.BytesCodec(endian="big"), "compressors": None},
    "another version": {"chunks": (3, 4), "compressors": None},
    "transposed": {"chunks": (3, 4), "filters": [zarr.codecs.TransposeCodec(order=(1, 0))], "compressors": None},
}


@pytest.mark.parametrize("gathered", [True, False])
@pytest.mark.parametrize("stored", STORED)
def test_whole_arrays_are_read_as_zarr_reads_them(tmp_path: Path, stored: str, gathered: bool) -> None:
    version = 2 if stored == "another version" else 3
    root = zarr.open_group(tmp_path / "store", mode="w", zarr_format=version)
    group = root.create_group("storm")
    group.create_array("values", shape=(3, 4), dtype="i4", **STORED[stored])[:] = VALUES
    group.create_array("never written", shape=(2,), chunks=(2,), dtype="f4", fill_value=7.0)
    group.create_array("one number", shape=(), dtype="f8")[...] = 0.5
    group.create_array("unwanted", shape=(2,), dtype="f4")
    if gathered and version == 3:
        consolidate(tmp_path / "store", ["storm"])
    wanted = ("values", "never written", "one number", "missing")
    arrays = open_arrays(tmp_path / "store", "storm", wanted)
    assert sorted(arrays) == sorted(wanted[:3])
    np.testing.assert_array_equal(read_whole(arrays["values"]), VALUES)
    assert read_whole(arrays["values"]).dtype == VALUES.dtype
    np.testing.assert_array_equal(read_whole(arrays["never written"]), [7, 7])
    assert read_whole(arrays["one number"]) == 0.5
    np.testing.assert_array_equal(open_array(tmp_path / "store", "storm/values")[1:], VALUES[1:])


def test_a_cut_chunk_is_damage(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "store", mode="w")
    group.create_array("values", shape=(3, 4), chunks=(3, 4), dtype="i4", compressors=None)[:] = VALUES
    (tmp_path / "store/values/c/0/0").write_bytes(b"short")
    with pytest.raises((DataError, ValueError)):
        read_whole(open_array(tmp_path / "store", "values"))
