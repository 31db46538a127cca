"""A sequence that is being written: what is known of its frames, and the blocks that are still incomplete."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
import zarr

from framecast.data.archive.format import MISSING, unusable


class PendingSequence:
    """A sequence being written into ``intensity``, ``block`` frames at a time, and what is known of its frames.

    Attributes:
        digests: block number -> digest of the pixels on disk.
        complete: the blocks that are on disk for good.
    """

    def __init__(self, intensity: zarr.Array, block: int) -> None:
        frames, channels = intensity.shape[:2]
        self.intensity = intensity
        self.block = block
        self.digests: dict[int, str] = {}
        self.complete: set[int] = set()
        self.quality = np.full(frames, MISSING, np.int64)
        self.masked = np.ones((frames, channels), np.float32)
        self.infinite = np.zeros((frames, channels), np.int32)

    def count(self, start: int, values: npt.NDArray[np.float32]) -> None:
        """Count the unusable pixels of frames ``values`` ``[time, channel, y, x]`` that begin at ``start``."""
        masked, infinite = unusable(values)
        self.masked[start : start + len(values)] = masked
        self.infinite[start : start + len(values)] = infinite

    def store(self, number: int, values: npt.NDArray[np.float32], *, complete: bool) -> None:
        """Put block ``number``, ``[time, channel, y, x]``, on disk."""
        start = number * self.block
        self.intensity[start : start + len(values)] = values
        little_endian = np.ascontiguousarray(values, dtype="<f4")
        self.digests[number] = hashlib.blake2b(little_endian.data, digest_size=16).hexdigest()
        if complete:
            self.complete.add(number)

    def record(self, name: str, number: int) -> dict[str, Any]:
        """Return the entry of block ``number`` in the resume record, once its pixels are on disk."""
        rows = slice(number * self.block, (number + 1) * self.block)
        return {
            "block": number,
            "of": name,
            "digest": self.digests[number],
            "quality": self.quality[rows].tolist(),
            "masked": self.masked[rows].tolist(),
            "infinite": self.infinite[rows].tolist(),
        }

    def restore(self, record: Mapping[str, Any]) -> None:
        """Restore a block from its `record`."""
        rows = slice(record["block"] * self.block, (record["block"] + 1) * self.block)
        self.quality[rows], self.masked[rows] = record["quality"], record["masked"]
        self.infinite[rows] = record["infinite"]
        self.digests[record["block"]] = record["digest"]
        self.complete.add(record["block"])

    def done(self) -> npt.NDArray[np.bool_]:
        """Return which frames are on disk for good, ``[time]``."""
        done = np.zeros(len(self.quality), bool)
        for number in self.complete:
            done[number * self.block : (number + 1) * self.block] = True
        return done

    def frame_variables(self) -> xr.Dataset:
        """Return what is stored of the frames beside the intensity."""
        meaning = "0 good, -1 never written, else the instrument's reason for doubt"
        return xr.Dataset(
            {
                "quality": ("time", self.quality, {"long_name": meaning}),
                "masked": (("time", "channel"), self.masked, {"long_name": "fraction of pixels that are NaN"}),
                "infinite": (("time", "channel"), self.infinite, {"long_name": "number of pixels that are infinite"}),
            }
        )


@dataclass
class PendingBlock:
    """Frames of one sequence ``[time, channel, y, x]`` that wait for their neighbours, and which of them have come."""

    values: npt.NDArray[np.float32]
    written: npt.NDArray[np.bool_]
