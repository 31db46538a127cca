"""Which codecs a store may use, and how large their output may be.

A Zarr store names the codecs that unpack it, and some codecs do more than that: ``pickle`` runs what it reads, and a
name can load any plugin that is installed. So a store may name those of `PACKED`, `FILTERS` and `V3`, which do
arithmetic on bytes, and no other. They are compared before Zarr makes a codec of a name (see `guard`).

Compressed chunks may declare false sizes: c-blosc reads beyond the end of a chunk whose header says so (its callers
are asked to compare, ``blosc_cbuffer_validate``), and a kilobyte may unpack to gigabytes. `Packing.check` looks at the
bytes of a chunk before Zarr has them. Zarr's and numcodecs' registries stay as they are.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from zarr.abc.store import ByteRequest, SuffixByteRequest

MOST_CHUNK_BYTES = 2**29
"""Largest size of a chunk in bytes, which is always decoded completely."""

PACKED = ("blosc", "bz2", "gzip", "lz4", "lzma", "zlib", "zstd")
"""Codecs that make bytes fewer; known to both versions of the format."""

CHECKSUMS = ("adler32", "crc32", "crc32c", "fletcher32", "jenkins_lookup3")
FILTERS = ("bitround", "delta", "fixedscaleoffset", "packbits", "quantize", "shuffle")
TEXT = "vlen-utf8"

V2 = frozenset((*PACKED, *CHECKSUMS, *FILTERS, TEXT))
"""Compressors and filters that a Zarr 2 store may name."""

V3 = frozenset(("blosc", "bytes", "crc32c", "endian", "gzip", "sharding_indexed", "transpose", TEXT, "zstd"))
V3 |= {f"numcodecs.{name}" for name in (*PACKED, *CHECKSUMS, *FILTERS)}
"""Codecs that a Zarr 3 store may name."""

_BEHIND = ("crc32c", "fletcher32")
"""Checksums of four bytes at the end of what they are made of."""

_NOTHING = 2**64 - 1
"""Offset and length of a chunk that a shard does not hold."""

_GROWTH = {"delta": 8, "fixedscaleoffset": 8, "packbits": 8, "quantize": 8}
"""Largest expansion factor of a filter."""

_BLOSC_HEADER = 16
_DEFLATED = 1032
"""Largest expansion factor of zlib."""

_ZSTD_BLOCK = 2**17


@dataclass(frozen=True)
class Packing:
    """How the chunks of an array are packed.

    Attributes:
        kind: one of `PACKED`; empty where they are not packed.
        behind: bytes of checksums behind a packed chunk.
        most: bytes that a chunk may have when it is unpacked.
        text: whether chunks hold texts, each behind its length; their number comes first, in four bytes.
        chunks: in a shard; 0 where there are no shards.
        index: bytes of the index at the end of a shard.
    """

    kind: str
    behind: int
    most: int
    text: bool = False
    chunks: int = 0
    index: int = 0

    def check(self, content: memoryview, part: ByteRequest | None) -> None:
        """Raise `ValueError` if a chunk, or one of a shard, declares a false size or is too large when decompressed.

        ``part`` says which part of the file ``content`` is; None is all of it.
        """
        if not self.chunks:
            self._check_chunk(content)
        elif part is None:
            table = np.frombuffer(content[-self.index :][: 16 * self.chunks], "<u8").reshape(-1, 2)
            for start, length in table[(table != _NOTHING).any(axis=1)].tolist():
                if start + length > len(content):
                    raise ValueError(f"a shard of {len(content)} bytes claims a chunk that ends at {start + length}")
                self._check_chunk(content[start : start + length])
        elif not isinstance(part, SuffixByteRequest):  # with that the index is read
            self._check_chunk(content)

    def _check_chunk(self, content: memoryview) -> None:
        packed = content[: len(content) - self.behind]
        size = _SIZES[self.kind](packed) if self.kind else len(content)
        if size > self.most:
            raise ValueError(f"a chunk of {len(content)} bytes claims {size}; at most {self.most} are unpacked")
        if self.text and not self.kind and 4 * (count := int.from_bytes(content[:4], "little")) > len(packed):
            raise ValueError(f"a chunk of {len(content)} bytes claims {count} texts")


def find_packing(codecs: Iterable[tuple[str, Mapping[str, Any]]]) -> Packing:
    """Return how chunks are packed by ``codecs``: names and configurations, in the order of packing.

    Raises:
        ValueError: they are compressed several times, or another codec follows whose output cannot be checked.
    """
    kind, behind, most, text = "", 0, MOST_CHUNK_BYTES, False
    for name, configuration in codecs:
        name = name.removeprefix("numcodecs.")
        most //= _GROWTH.get(name, 1)
        text |= name == TEXT
        if not kind:
            kind = name if name in PACKED else ""
        elif name in _BEHIND and configuration.get("location", "end") == "end":
            behind += 4
        else:
            raise ValueError(f"the codec {name} follows {kind}; only a checksum at the end may")
    return Packing(kind, behind, most, text)


def _blosc_size(content: memoryview) -> int:
    unpacked, block, packed = (int.from_bytes(content[k : k + 4], "little") for k in (4, 8, 12))
    if len(content) < _BLOSC_HEADER or packed != len(content):
        raise ValueError(f"a chunk of {len(content)} bytes says that it has {packed}")
    if block > max(unpacked, 1):
        raise ValueError(f"a chunk of {unpacked} bytes claims blocks of {block}")
    return unpacked


def _zstd_size(content: memoryview) -> int:
    """Return the size that a frame gives, or what its blocks can hold at most where it gives none (RFC 8878, 3.1.1)."""
    if len(content) < 6:
        return 0
    flags = content[4]
    single, kind = bool(flags & 32), flags >> 6
    at = 5 + (not single) + (0, 1, 2, 4)[flags & 3]
    if kind or single:
        width = (1, 2, 4, 8)[kind]
        return int.from_bytes(content[at : at + width], "little") + 256 * (kind == 1)
    size = 0
    while at + 3 <= len(content) and size <= MOST_CHUNK_BYTES:
        header = int.from_bytes(content[at : at + 3], "little")
        last, repeated, length = header & 1, header >> 1 & 3 == 1, header >> 3
        size += length if repeated else _ZSTD_BLOCK
        at += 3 + (1 if repeated else length)
        if last:
            break
    return size


def _inflated_size(decompressor: Callable[[], Any], ratio: int) -> Callable[[memoryview], int]:
    """Return a function that counts the decompressed bytes in small pieces, if a chunk could be too large."""

    def size(content: memoryview) -> int:
        if len(content) * ratio <= MOST_CHUNK_BYTES:
            return 0
        total, stream, fed = 0, decompressor(), bytes(content)
        while total <= MOST_CHUNK_BYTES:
            piece = stream.decompress(fed, 2**20)
            total += len(piece)
            fed = getattr(stream, "unconsumed_tail", b"")
            if stream.eof or not (piece or fed):
                break
        return total

    return size


_SIZES: dict[str, Callable[[memoryview], int]] = {
    "blosc": _blosc_size,
    "zstd": _zstd_size,
    "lz4": lambda content: int.from_bytes(content[:4], "little"),
    "zlib": _inflated_size(lambda: zlib.decompressobj(47), _DEFLATED),
    "gzip": _inflated_size(lambda: zlib.decompressobj(47), _DEFLATED),
    "bz2": _inflated_size(bz2.BZ2Decompressor, MOST_CHUNK_BYTES),
    "lzma": _inflated_size(lzma.LZMADecompressor, MOST_CHUNK_BYTES),
}
