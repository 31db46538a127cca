"""A stranger's Zarr store may be damaged, or claim more than a machine holds: what is done before it is believed."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import zarr

from framecast.core.errors import DataError, FramecastError
from framecast.data.archive.codecs import MOST_CHUNK_BYTES, check_codecs

MOST_FRAMES = 10**8
"""Frames of one sequence: fifteen years at a cadence of five seconds."""

MOST_PIXELS = 2**26
"""Pixels of a frame: 8192 by 8192."""

MOST_METADATA_BYTES = 2**20
"""Bytes of the metadata of one variable: a few kilobytes describe any."""

check_codecs()


@contextmanager
def undamaged(place: str | Path) -> Iterator[None]:
    """Turn whatever Zarr and its codecs say of a damaged store at ``place`` into a `DataError`.

    They raise many kinds. Memory that does not suffice stays what it is.
    """
    try:
        yield
    except (FramecastError, MemoryError):
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{place} is damaged ({reason}): copy it again, or write it anew") from None


def check_frame(path: Path, height: int, width: int) -> None:
    """Raise `DataError` if an archive claims frames of a size that nothing could be computed on."""
    if height * width > MOST_PIXELS:
        raise DataError(
            f"{path} claims frames of {height} by {width} pixels; at most {MOST_PIXELS} pixels are possible"
        )


def check_metadata(group: Path) -> None:
    """Raise `DataError` if the metadata of a variable below ``group`` is so long that reading it would take minutes."""
    for path in group.glob("*/zarr.json"):
        if path.stat().st_size > MOST_METADATA_BYTES:
            raise DataError(
                f"{path} has {path.stat().st_size} bytes of metadata; at most {MOST_METADATA_BYTES} describe a variable"
            )


def check_claims(place: str, arrays: dict[str, zarr.Array], frames: int) -> None:
    """Raise `DataError` if a sequence claims sizes that no archive has, before memory is taken for them.

    Args:
        place: of the sequence, for errors.
        arrays: its variables.
        frames: how many frames its intensity has.
    """
    if frames > MOST_FRAMES:
        raise DataError(f"{place} claims {frames} frames; at most {MOST_FRAMES} are possible: divide the sequence")
    for name, array in arrays.items():
        size = math.prod(array.chunks) * array.dtype.itemsize
        if size > MOST_CHUNK_BYTES:
            raise DataError(
                f"{name} of {place} has chunks of {size} bytes; at most {MOST_CHUNK_BYTES} are read: write smaller ones"
            )
        if name in ("time", "quality", "label") and array.shape != (frames,):
            raise DataError(
                f"{name} of {place} has shape {list(array.shape)}; it must have one entry for each of {frames} frames"
            )
        if name == "channel" and math.prod(array.shape) > 10**4:
            raise DataError(f"channel of {place} claims {array.shape} entries; no archive has so many channels")
