"""From state to light: the expected DN/s in each passband."""

import numpy as np

from framecast.domains.corona.background import Background
from framecast.domains.corona.loops import Loops
from framecast.domains.corona.region import Region
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.state import StateLayout
from framecast.domains.corona.waves import FloatArray


class Renderer:
    """Draws one region in the frame and the channels of a specification."""

    def __init__(self, spec: CoronaSpec, region: Region) -> None:
        self._spec = spec
        self._layout = StateLayout.of(spec)
        self._background = Background(spec, region)
        self._loops = Loops(spec, region)

    def __call__(self, states: np.ndarray) -> FloatArray:
        """Return the expected DN/s of ``states`` ``[..., component]``, ``[..., channel, y, x]`` float32."""
        spec = self._spec
        flat = states.reshape(-1, states.shape[-1]).astype(np.float64)
        out = np.empty((len(flat), len(spec.channels), spec.height, spec.width), np.float32)
        # A few frames at a time: more would not fit into the processor's cache.
        step = max(1, 2**16 // (spec.height * spec.width))
        for start in range(0, len(flat), step):
            part = flat[start : start + step]
            motion = self._layout.motion(part)
            displacement, separation = spec.drift * motion[:, :2], spec.separation * motion[:, 2:]
            drawn = self._background.draw(part, displacement, separation)
            drawn += self._loops.draw(part, displacement, separation)
            out[start : start + step] = drawn
        return out.reshape(*states.shape[:-1], *out.shape[1:])
