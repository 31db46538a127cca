"""The perfect forecast: the true state at the issue time, continued with other random numbers.

The oracle knows what is not observable (the velocities, the stored energy, the state without photon noise), so that no
forecast from frames can be better. Truth and members are exchangeable by construction: the truth is one more
continuation of the same state by the same law.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from framecast.core.errors import ConfigError, DataError
from framecast.core.text import one_line
from framecast.data.archive.reader import Archive
from framecast.domains.corona import GENERATOR
from framecast.domains.corona.dynamics import Dynamics, member_streams
from framecast.domains.corona.region import Region, draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import expose
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import VERSION, StateLayout
from framecast.videos.frames import FrameSpec

if TYPE_CHECKING:
    from framecast.data.windows import Window


def has_oracle(archive: Archive) -> bool:
    """Return whether the archive contains the state that an oracle ensemble starts from."""
    return archive.attrs.get("generator") == GENERATOR and archive.attrs.get("state_version") == VERSION


def oracle_ensemble(archive: Archive, window: Window, *, frames: FrameSpec, members: int, seed: int) -> np.ndarray:
    """Return futures drawn from the true law given the true state at the window's issue time.

    Intensity with photon noise, float32 ``[member, channel, time, y, x]``, in DN/s. Member m depends on ``seed``, the
    window's id and m alone.

    Raises:
        DataError: the archive contains no state.
        ConfigError: a channel that the archive lacks, another frame size, no member, or a negative seed.
    """
    if not has_oracle(archive):
        raise DataError(
            f"{archive.path} contains no simulation state to continue: an oracle exists for synthetic archives only"
        )
    if members < 1 or seed < 0:
        raise ConfigError(f"members is {members} and seed {seed}; use at least 1 and 0")
    spec = CoronaSpec.from_json(str(archive.attrs.get("spec")))
    unknown = [name for name in frames.future_channels if name not in spec.channels]
    if unknown or (frames.height, frames.width) != (spec.height, spec.width):
        raise ConfigError(
            f"the oracle was asked for {', '.join(frames.future_channels)} at {frames.height}×{frames.width}; "
            f"the archive has {', '.join(spec.channels)} at {spec.height}×{spec.width}"
        )
    if archive.attrs.get("region_layout") != (layout := draw_region(spec, np.random.default_rng(0)).shapes()):
        raise DataError(f"{archive.path} has region parameters that its specification does not have: write it anew")
    streams = [member_streams(seed, window.id, m) for m in range(members)]
    places = [round(lead / frames.cadence) - 1 for lead in frames.lead_times]
    sequence = archive.sequence(window.sequence)
    try:  # no further variable of the sequence is read than these two
        region = Region.from_vector(sequence["region"].values, layout)
        state = sequence["state"][window.indices[frames.past - 1]].values
        films = draw_futures(spec, region, state, frames=places[-1] + 1, hours=frames.cadence / 3600.0, streams=streams)
    except DataError:
        raise
    except (KeyError, IndexError, ValueError, OverflowError) as error:
        reason = one_line(error, most=200)
        raise DataError(f"{archive.path} holds a state that cannot be continued ({reason}): write it anew") from None
    chosen = [spec.channels.index(name) for name in frames.future_channels]
    return np.ascontiguousarray(films[:, places][:, :, chosen].swapaxes(1, 2))


def draw_futures(
    spec: CoronaSpec,
    region: Region,
    state: np.ndarray,
    *,
    frames: int,
    hours: float,
    streams: list[tuple[np.random.Generator, np.random.Generator]],
) -> np.ndarray:
    """Return one continuation of ``state`` ``[component]`` for each pair of streams (evolution, photons).

    ``frames`` frames, ``hours`` apart, float32 ``[member, time, channel, y, x]`` in DN/s with photon noise.

    Raises:
        DataError: the state is not one of this specification.
    """
    if state.size != StateLayout.of(spec).size:
        raise DataError(f"a state has {state.size} components; this archive's have {StateLayout.of(spec).size}")
    dynamics = Dynamics(spec, [region], hours=hours)
    render = Renderer(spec, region)
    current = np.repeat(state[None], len(streams), axis=0)
    out = np.empty((len(streams), frames, len(spec.channels), spec.height, spec.width), np.float32)
    for k in range(frames):
        current = dynamics.step(current, [dynamics.drive(evolution) for evolution, _ in streams])
        for m, expected in enumerate(render(current)):
            out[m, k] = expose(expected, spec.channels, spec.exposure, streams[m][1])
    return out
