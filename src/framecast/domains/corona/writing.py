"""Whole archives of synthetic regions, with the state that each frame was drawn from."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import xarray as xr

from framecast._version import __version__
from framecast.core.domain import ATTRIBUTE
from framecast.core.errors import ConfigError
from framecast.data.archive.reader import ArchiveWriter
from framecast.domains.corona import GENERATOR, NAME
from framecast.domains.corona.dynamics import Dynamics, Streams, region_streams, stationary_state
from framecast.domains.corona.region import Region, draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import expose
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import VERSION
from framecast.videos.frames import span

_START = np.datetime64("2020-01-01T00:00:00", "ns")
_TOGETHER = 64


def write_corona(
    path: str | Path,
    *,
    regions: int = 40,
    frames: int = 48,
    size: int | tuple[int, int] = 64,
    cadence: float = 7200.0,
    channels: tuple[str, ...] = ("193", "211", "94"),
    seed: int = 0,
    spec: CoronaSpec | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write an archive of videos of synthetic active regions.

    Region k is the same whatever the number of regions, and its first frames are the same whatever the number of
    frames.

    Args:
        path: the archive to write.
        regions: number of sequences.
        frames: frames of each.
        size: pixels of a square frame, or height and width.
        cadence: seconds between two frames.
        channels: passbands in ångström, by name.
        seed: random seed.
        spec: the law; given, it replaces ``size``, ``cadence`` and ``channels``.
        overwrite: whether an existing ``path`` may be replaced.
        progress: called with the number of regions done and of all regions.

    Raises:
        ConfigError: a number is not positive or a channel unknown.
        FramecastError: ``path`` exists and ``overwrite`` is false.
    """
    if regions < 1 or frames < 1 or seed < 0:
        raise ConfigError(f"regions is {regions}, frames {frames}, seed {seed}; use at least 1, 1 and 0")
    if spec is None:
        height, width = (size, size) if isinstance(size, int) else size
        spec = CoronaSpec(height=height, width=width, cadence=cadence, channels=tuple(channels))
    steps = np.arange(frames) * span(spec.cadence)
    attrs = {
        ATTRIBUTE: NAME,
        "title": "Synthetic active regions whose future has a known law",
        "generator": GENERATOR,
        "generator_version": __version__,
        "state_version": VERSION,
        "spec": spec.to_json(),
        "region_layout": draw_region(spec, np.random.default_rng(0)).shapes(),
        "seed": seed,
        "independent_sequences": True,
    }
    with ArchiveWriter(
        path,
        channels=spec.channels,
        unit="DN/s",
        cadence=spec.cadence,
        height=spec.height,
        width=spec.width,
        attrs=attrs,
        overwrite=overwrite,
    ) as writer:
        for number, (region, states, intensity) in enumerate(_films(spec, regions, frames, seed)):
            dataset = xr.Dataset(
                {
                    "intensity": (("time", "channel", "y", "x"), intensity, {"units": "DN/s"}),
                    "state": (("time", "component"), states),
                    "region": (("parameter",), region.to_vector()),
                },
                coords={"time": _START + steps, "channel": list(spec.channels)},
            )
            writer.add(f"region-{number:04d}", dataset)
            if progress is not None:
                progress(number + 1, regions)


def evolve(spec: CoronaSpec, regions: list[Region], streams: list[Streams], frames: int) -> np.ndarray:
    """Return the states of several regions from a stationary initial state, ``[region, time, component]`` float32."""
    dynamics = Dynamics(spec, regions, hours=spec.hours)
    state = stationary_state(spec, regions, [stream.beginning for stream in streams])
    states = np.empty((len(regions), frames, state.shape[1]), np.float32)
    states[:, 0] = state
    for k in range(1, frames):
        state = dynamics.step(state, [dynamics.drive(stream.evolution) for stream in streams])
        states[:, k] = state
    return states


def _films(spec: CoronaSpec, regions: int, frames: int, seed: int) -> Iterator[tuple[Region, np.ndarray, np.ndarray]]:
    """Yield region, states ``[time, component]`` and intensity ``[time, channel, y, x]``, in order."""

    def film(region: Region, states: np.ndarray, streams: Streams) -> tuple[Region, np.ndarray, np.ndarray]:
        expected = Renderer(spec, region)(states)
        return region, states, np.stack([expose(e, spec.channels, spec.exposure, streams.photons) for e in expected])

    with ThreadPoolExecutor(2) as pool:
        for first in range(0, regions, _TOGETHER):
            streams = [region_streams(seed, k) for k in range(first, min(first + _TOGETHER, regions))]
            places = [draw_region(spec, stream.geometry) for stream in streams]
            states = evolve(spec, places, streams, frames)
            waiting = []
            for item in zip(places, states, streams, strict=True):
                waiting.append(pool.submit(film, *item))
                if len(waiting) > 2:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()
