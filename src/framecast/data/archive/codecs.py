"""Which codecs a store may name, and how large what they unpack may be.

A Zarr store names the codecs that unpack it, and some codecs do more than that: ``pickle`` runs what it reads, and a
name can load any plugin that is installed. So a store may name those of `PACKED`, `FILTERS` and `V3`, which do
arithmetic on bytes, and no other. They are compared before Zarr makes a codec of a name (see `guard`).

Packed chunks tell lies about their sizes: c-blosc reads beyond the end of a chunk whose header says so (its callers are
asked to compare, ``blosc_cbuffer_validate``), and a kilobyte may unpack to gigabytes. `check_packed` looks before
anything is unpacked, here and in whatever else reads Zarr in this process.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

import numcodecs
import numcodecs.registry
import zarr
from numcodecs.compat import ensure_contiguous_ndarray
from zarr.abc.codec import Codec
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.registry import register_codec

MOST_CHUNK_BYTES = 2**29
"""Bytes of a chunk, which is decoded as a whole however little of it is wanted."""

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

_BLOSC_HEADER = 16
_DEFLATED = 1032
"""Bytes that zlib unpacks from one, at most."""

_ZSTD_BLOCK = 2**17


def check_packed(kind: str, packed: bytes | memoryview) -> None:
    """Raise `ValueError` if ``packed``, packed by the codec ``kind``, lies about its size or is too large unpacked."""
    content = memoryview(packed).cast("B")
    size = _SIZES[kind](content) if kind in _SIZES else 0
    if size > MOST_CHUNK_BYTES:
        raise ValueError(f"a chunk of {len(content)} bytes claims {size}; at most {MOST_CHUNK_BYTES} are unpacked")


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


def _lz4_size(content: memoryview) -> int:
    return int.from_bytes(content[:4], "little")


def _inflated_size(decompressor: Callable[[], Any], ratio: int) -> Callable[[memoryview], int]:
    """Return a function that unpacks in small pieces to count, where a packed chunk could be too large at all."""

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
    "lz4": _lz4_size,
    "zlib": _inflated_size(lambda: zlib.decompressobj(47), _DEFLATED),
    "gzip": _inflated_size(lambda: zlib.decompressobj(47), _DEFLATED),
    "bz2": _inflated_size(bz2.BZ2Decompressor, MOST_CHUNK_BYTES),
    "lzma": _inflated_size(lzma.LZMADecompressor, MOST_CHUNK_BYTES),
}


class _Looking:
    """A codec of numcodecs that looks before it unpacks."""

    codec_id: str

    def decode(self, buf: Any, out: Any = None) -> Any:
        check_packed(self.codec_id, ensure_contiguous_ndarray(buf).data)
        return super().decode(buf, out)  # type: ignore[misc]


class Blosc(_Looking, numcodecs.Blosc):  # noqa: D101
    codec_id = "blosc"


class Zstd(_Looking, numcodecs.Zstd):  # noqa: D101
    codec_id = "zstd"


class LZ4(_Looking, numcodecs.LZ4):  # noqa: D101
    codec_id = "lz4"


class Zlib(_Looking, numcodecs.Zlib):  # noqa: D101
    codec_id = "zlib"


class GZip(_Looking, numcodecs.GZip):  # noqa: D101
    codec_id = "gzip"


class BZ2(_Looking, numcodecs.BZ2):  # noqa: D101
    codec_id = "bz2"


class LZMA(_Looking, numcodecs.LZMA):  # noqa: D101
    codec_id = "lzma"


class _LookingV3:
    """A codec of Zarr that looks before it unpacks."""

    kind: str

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        check_packed(self.kind, chunk_bytes.as_numpy_array().data)
        return super()._decode_sync(chunk_bytes, chunk_spec)  # type: ignore[misc]


class CheckedBlosc(_LookingV3, BloscCodec):  # noqa: D101
    kind = "blosc"


class CheckedZstd(_LookingV3, ZstdCodec):  # noqa: D101
    kind = "zstd"


class CheckedGzip(_LookingV3, GzipCodec):  # noqa: D101
    kind = "gzip"


def check_codecs() -> None:
    """Let Zarr unpack with codecs that look first from now on."""
    v2: tuple[type, ...] = (Blosc, Zstd, LZ4, Zlib, GZip, BZ2, LZMA)
    for numcodec in v2:
        numcodecs.registry.register_codec(numcodec)
    v3: dict[str, type[Codec]] = {codec.kind: codec for codec in (CheckedBlosc, CheckedZstd, CheckedGzip)}
    for kind, codec in v3.items():
        name = f"{codec.__module__}.{codec.__qualname__}"
        register_codec(kind, codec, qualname=name)
        zarr.config.set({f"codecs.{kind}": name})
