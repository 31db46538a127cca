"""Chunks are compressed with Blosc, whose decoder believes the sizes in a chunk's header and reads beyond its end.

They are compared with the chunk before it is decoded, as c-blosc asks its callers to do (``blosc_cbuffer_validate``),
here and in whatever else reads Zarr in this process.
"""

import zarr
from zarr.abc.codec import Codec
from zarr.codecs import BloscCodec
from zarr.core.array_spec import ArraySpec
from zarr.core.buffer import Buffer
from zarr.registry import register_codec

MOST_CHUNK_BYTES = 2**31
"""Bytes of a chunk, which is decoded as a whole however little of it is wanted."""

_HEADER = 16


class CheckedBlosc(BloscCodec):
    """Zarr's Blosc, for chunks whose header tells the truth about their sizes."""

    def _decode_sync(self, chunk_bytes: Buffer, chunk_spec: ArraySpec) -> Buffer:
        content = chunk_bytes.as_numpy_array()
        header = content[:_HEADER].tobytes()
        unpacked, block, packed = (int.from_bytes(header[k : k + 4], "little") for k in (4, 8, 12))
        if len(header) < _HEADER or packed != content.nbytes:
            raise ValueError(f"a chunk of {content.nbytes} bytes says that it has {packed}")
        if unpacked > MOST_CHUNK_BYTES or block > max(unpacked, 1):
            raise ValueError(f"a chunk of {content.nbytes} bytes claims {unpacked} in blocks of {block}")
        return super()._decode_sync(chunk_bytes, chunk_spec)


def check_codecs() -> None:
    """Let Zarr decode Blosc with `CheckedBlosc` from now on."""
    name = f"{CheckedBlosc.__module__}.{CheckedBlosc.__qualname__}"
    codec: type[Codec] = CheckedBlosc
    register_codec("blosc", codec, qualname=name)
    zarr.config.set({"codecs.blosc": name})
