"""More rain to learn from than was observed: real pasts whose futures STEPS draws, beside the real ones.

    framecast import rain.zarr steps.zarr --importer radar_steps:open_steps --independent   (in this folder; 6 minutes)
    framecast train radar-rain.yaml --data steps.zarr --out runs/radar-rain

``rain.zarr`` is the archive of `radar_rain.py`. Its three events of three hours are too few to learn from: a network
trained on them alone learns how their rain went on growing or decaying. STEPS (pysteps, the extra ``radar``: Pulkkinen
et al. 2019, doi:10.5194/gmd-12-4185-2019) knows only how rain moves and how soon structures of each size are forgotten,
but it knows that of any rain. It is given pasts from every third frame of the events, 256² pixels in random squares,
mirrored and turned at random, half of them made lighter or heavier; each of its members becomes a sequence of 16
frames, the past and the next hour.

Two squares of each event are sequences as they are. The events that judge the model, a Swiss one and a Dutch one, are a
square each.
"""

import io
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from framecast import Archive, open_archive
from framecast.importers.base import Recording

EVENTS = ("fmi-20160928-north", "fmi-20160928-south", "mch-20150515", "mch-20160711")
JUDGES = ("mch-20170131", "knmi")
SIDE, DRY, PAST, LEADS = 256, 0.1, 4, 12
EVERY, ROUNDS, MEMBERS = 3, 2, 4

Video = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Piece:
    """What becomes a sequence: frames of an event in a square, heavier by a factor, turned; with a future of STEPS.

    A ``member`` below 0 means the real frames.
    """

    name: str
    event: str
    frames: tuple[int, int]
    corner: tuple[int, int]
    factor: float = 1.0
    turn: int = 0
    member: int = -1
    seed: int = 0


def turned(video: Video, turn: int) -> Video:
    """Return the video in one of eight positions: each bit of ``turn`` transposes or mirrors it."""
    video = video.swapaxes(-1, -2) if turn & 1 else video
    video = video[..., ::-1, :] if turn & 2 else video
    return np.ascontiguousarray(video[..., ::-1] if turn & 4 else video)


def simulated(past: Video, seed: int) -> Video:
    """Return members of STEPS ``[member, lead time, y, x]`` in mm/h for a past; NaN where it says nothing."""
    from pysteps import motion, nowcasts

    seen = np.nan_to_num(past[-3:])
    decibel = np.where(seen < DRY, -15.0, 10 * np.log10(np.maximum(seen, DRY)))
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        drawn = nowcasts.get_method("steps")(
            decibel,
            motion.get_method("LK")(decibel),
            LEADS,
            n_ens_members=MEMBERS,
            n_cascade_levels=6,
            precip_thr=-10.0,
            kmperpixel=2.0,
            timestep=5,
            seed=seed,
            num_workers=1,
            fft_method="scipy",
        )
    rain = np.where(drawn < -10.0, 0 * drawn, 10 ** (np.minimum(drawn, 25.0) / 10))
    return np.where(np.isfinite(past[-1]), rain, np.nan).astype(np.float32)


class Steps(Recording):
    """The pieces of an archive of rain as sequences of one size."""

    channels = ("rain_rate",)
    unit = "mm/h"
    height = width = SIDE

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._video = lru_cache(len(EVENTS))(lambda event: archive.read(event)[0])
        self._futures = lru_cache(1)(self.futures)
        self._pieces = [*self._real(), *self._simulated()]

    @property
    def sequences(self) -> int:
        """How many pieces there are."""
        return len(self._pieces)

    def label(self, sequence: int) -> str:
        """Return the name of a piece, such as ``steps-knmi-03-0-member-1``."""
        return self._pieces[sequence].name

    def times(self, sequence: int) -> npt.NDArray[np.datetime64]:
        """Return the times of its frames."""
        piece = self._pieces[sequence]
        first, stop = piece.frames
        start = self._archive.times(piece.event)[first]
        return start + np.arange(stop - first) * np.timedelta64(5, "m")

    def frames(self, sequence: int, indices: npt.NDArray[np.int64]) -> Iterator[Video]:
        """Yield its frames ``[channel, y, x]``."""
        piece = self._pieces[sequence]
        video = self.past(piece)
        if piece.member >= 0:
            drawn = self._futures(piece.event, piece.frames, piece.corner, piece.factor, piece.turn, piece.seed)
            video = np.concatenate([video, drawn[piece.member]])
        for index in indices:
            yield video[index][None]

    def past(self, piece: Piece) -> Video:
        """Return the real frames of a piece; of one with a future of STEPS those of the past."""
        first, stop = piece.frames
        (top, left), stop = piece.corner, first + PAST if piece.member >= 0 else stop
        square = self._video(piece.event)[first:stop, top : top + SIDE, left : left + SIDE] * np.float32(piece.factor)
        return turned(np.where(square < DRY, 0 * square, square), piece.turn)

    def futures(
        self, event: str, frames: tuple[int, int], corner: tuple[int, int], factor: float, turn: int, seed: int
    ) -> Video:
        """Return what STEPS draws after a past."""
        return simulated(self.past(Piece("", event, frames, corner, factor, turn, 0, seed)), seed)

    def _real(self) -> Iterator[Piece]:
        for event in (*JUDGES, *EVENTS):
            whole = 0, len(self._archive.times(event))
            rest = self._archive.height - SIDE, self._archive.width - SIDE
            corners = [(rest[0] // 2, rest[1] // 2)] if event in JUDGES else [(0, 0), rest]
            for corner, suffix in zip(corners, ("", "-more"), strict=False):
                yield Piece(event + suffix, event, whole, corner)

    def _simulated(self) -> Iterator[Piece]:
        """Yield the pieces with futures of STEPS: members of a past follow one another."""
        pasts = [
            (event, last, k)
            for k in range(ROUNDS)
            for last in range(PAST - 1, len(self._archive.times(EVENTS[0])), EVERY)
            for event in EVENTS
        ]
        for seed, (event, last, k) in enumerate(pasts):
            random = np.random.default_rng([7, seed])
            frame = self._video(event)[last]
            limits = [extent - SIDE + 1 for extent in frame.shape]
            corners = [tuple(int(random.integers(limit)) for limit in limits) for _ in range(6)]
            corner = max(corners, key=lambda at: _worth(frame[at[0] : at[0] + SIDE, at[1] : at[1] + SIDE]))
            factor = 1.0 if k == 0 else float(np.exp(random.uniform(np.log(0.5), np.log(1.5))))
            turn, first = int(random.integers(8)), last - PAST + 1
            for member in range(MEMBERS):
                name = f"steps-{event}-{last:02d}-{k}-member-{member}"
                yield Piece(name, event, (first, first + PAST + LEADS), corner, factor, turn, member, seed)


def _worth(frame: Video) -> float:
    """Return how much there is to learn from in a frame: it is known, and there is rain."""
    return float(np.isfinite(frame).mean() + 2 * (np.nan_to_num(frame) > 0.5).mean())


def open_steps(path: str | Path) -> Steps:
    """Open the archive of `radar_rain.py`."""
    return Steps(open_archive(path))
