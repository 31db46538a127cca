"""How long generating a synthetic archive takes, and which steps take the time.

python benchmarks/corona.py [--regions 64] [--frames 48] [--size 64]
"""

import argparse
import tempfile
import time
from pathlib import Path

from framecast.domains.corona.dynamics import region_streams
from framecast.domains.corona.region import draw_region
from framecast.domains.corona.rendering import Renderer
from framecast.domains.corona.response import expose
from framecast.domains.corona.spec import CoronaSpec
from framecast.domains.corona.writing import evolve, write_corona


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--regions", type=int, default=64)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--size", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = time.perf_counter(), time.process_time()
        write_corona(Path(folder, "sun.zarr"), regions=options.regions, frames=options.frames, size=options.size)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    shape = f"{options.regions} regions, {options.frames} frames, {options.size}² pixels"
    print(f"{shape}: {wall:.1f} s, {processor:.1f} s of processor time\n")

    spec = CoronaSpec(height=options.size, width=options.size)
    streams = region_streams(0, 0)
    region = draw_region(spec, streams.geometry)
    states, seconds = timed(lambda: evolve(spec, [region], [streams], options.frames)[0])
    print(f"processor time of one region\n  dynamics {1e3 * seconds:6.0f} ms")
    renderer, seconds = timed(lambda: Renderer(spec, region))
    print(f"  patterns {1e3 * seconds:6.0f} ms")
    expected, seconds = timed(lambda: renderer(states))
    print(f"  drawing  {1e3 * seconds:6.0f} ms")
    _, seconds = timed(lambda: expose(expected, spec.channels, spec.exposure, streams.photons))
    print(f"  photons  {1e3 * seconds:6.0f} ms")


def timed(work):
    begin = time.process_time()
    return work(), time.process_time() - begin


if __name__ == "__main__":
    main()
