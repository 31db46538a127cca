"""Moving MNIST as an archive: what examples/moving-mnist.yaml trains on, and benchmarks/moving_mnist.py judges.

    framecast import digits mnist.zarr --importer moving_mnist:open_sequences --independent
    framecast train moving-mnist.yaml --data mnist.zarr --out runs/moving-mnist

in the folder of this file. ``digits`` is a folder with the images of MNIST as they are distributed,
``train-images-idx3-ubyte`` and ``t10k-images-idx3-ubyte``, also compressed (``.gz``).

The law is that of Srivastava et al. 2015 (arXiv 1502.04681): two digits of 28×28 pixels begin anywhere in a frame of
64×64, each in a direction of its own, move 3.6 pixels (a tenth of the free 36) from frame to frame, and are reflected
by the edges, where they stop for what is left of the step; the brighter one covers the other. Values lie between 0 and
1. The published test set is one such sample of 10 000 sequences; this is another one, by a fixed seed.

Sequences for training are of training digits, begin in January 2000 and have 40 frames; those for validation, also of
training digits, begin in July 2000, and those for testing, of test digits, in January 2001; these have 20 frames.
Frames are a second apart.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast.core.errors import DataError
from framecast.importers.base import Recording

SIDE, DIGIT, STEP, DIGITS = 64, 28, 0.1, 2
SEED = 1502


@dataclass(frozen=True)
class Part:
    """Sequences of one side of the split."""

    name: str
    images: npt.NDArray[np.uint8]
    sequences: int
    frames: int
    start: str


def read_images(folder: Path, name: str) -> npt.NDArray[np.uint8]:
    """Return the images ``[image, y, x]`` of an IDX file of bytes (three dimensions: magic number 0x803)."""
    found = [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]
    if not found:
        raise DataError(f"{folder} has no file {name} or {name}.gz: give the folder of MNIST's images")
    content = found[0].read_bytes()
    content = gzip.decompress(content) if found[0].suffix == ".gz" else content
    magic, count, height, width = np.frombuffer(content[:16], ">u4").tolist()
    if magic != 0x803 or (height, width) != (DIGIT, DIGIT) or len(content) != 16 + count * DIGIT**2:
        raise DataError(f"{found[0]} does not hold images of 28×28 bytes in IDX format: give the files of MNIST")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)


def trajectory(random: np.random.Generator, frames: int) -> npt.NDArray[np.int64]:
    """Return the top left corner ``[time, 2]`` of a digit that moves by the law, in pixels."""
    position, angle = random.random(2), 2 * np.pi * random.random()
    velocity = STEP * np.array([np.sin(angle), np.cos(angle)])
    corners = np.empty((frames, 2))
    for k in range(frames):
        position = position + velocity
        velocity = np.where((position <= 0) | (position >= 1), -velocity, velocity)
        position = position.clip(0, 1)
        corners[k] = position
    return (corners * (SIDE - DIGIT)).astype(np.int64)


class Sequences(Recording):
    """Sequences of moving digits, each drawn when it is read, by the seed, its part and its number."""

    channels = ("intensity",)
    unit = "1"
    height = width = SIDE

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._numbers = [(part, k) for part in range(len(parts)) for k in range(parts[part].sequences)]

    @property
    def sequences(self) -> int:
        """How many there are."""
        return len(self._numbers)

    def label(self, sequence: int) -> str:
        """Return the name of a sequence, such as ``test-0001``."""
        part, number = self._numbers[sequence]
        return f"{self._parts[part].name}-{number:04d}"

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of its frames, a second apart."""
        part = self._parts[self._numbers[sequence][0]]
        return np.datetime64(part.start, "ns") + np.arange(part.frames) * np.timedelta64(1, "s")

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.float32]]:
        """Yield its frames ``[channel, y, x]``, rows upward."""
        part, number = self._numbers[sequence]
        given = self._parts[part]
        random = np.random.default_rng((SEED, part, number))
        video = np.zeros((given.frames, SIDE, SIDE), np.uint8)
        for image in given.images[random.integers(len(given.images), size=DIGITS)]:
            for frame, (top, left) in zip(video, trajectory(random, given.frames), strict=True):
                place = frame[top : top + DIGIT, left : left + DIGIT]
                np.maximum(place, image, out=place)
        for k in indices:
            yield video[k, ::-1].astype(np.float32)[None] / 255


def open_sequences(path: str | Path, *, train: int = 2000, validation: int = 60, test: int = 1000) -> Sequences:
    """Open the folder of MNIST's images as so many sequences for each side."""
    learnt, judged = (read_images(Path(path), f"{name}-images-idx3-ubyte") for name in ("train", "t10k"))
    return Sequences(
        [
            Part("train", learnt, train, 40, "2000-01-01"),
            Part("validation", learnt, validation, 20, "2000-07-01"),
            Part("test", judged, test, 20, "2001-01-01"),
        ]
    )
