"""How many members to draw at once: milliseconds per member of one evaluation, one table.

Few members at once leave matrix products small; many outgrow the caches, and malloc fetches their memory anew from the
system. `framecast.models.members` cuts ensembles by the memory that a chunk takes; the last column says how many
members that makes of each network. Each round measures all numbers, one after another.

    python benchmarks/chunks.py                              # some minutes; two threads
"""

import argparse
import statistics
import time

import torch

from framecast.models.members import chunk_size
from framecast.networks import AnyNetwork, PaletteVideo, VideoUNet

NETWORKS: dict[str, tuple[AnyNetwork, int]] = {
    "video-unet 32, four resolutions, 128²": (
        VideoUNet(width=32, multipliers=(1, 2, 4, 4)),
        128,
    ),
    "video-unet 32, four resolutions, 64²": (
        VideoUNet(width=32, multipliers=(1, 2, 4, 4)),
        64,
    ),
    "video-unet 48, 128²": (VideoUNet(), 128),
    "video-unet 48, 64²": (VideoUNet(), 64),
    "palette-video 32, 64²": (PaletteVideo(width=32), 64),
}
"""Network and side of the frames; the first is that of `sun-171`."""


def milliseconds(
    config: AnyNetwork, size: int, members: tuple[int, ...], *, bf16: bool, rounds: int
) -> dict[int, float]:
    """Return the time of one evaluation per member, for each number of members at once."""
    network = config.build(past_channels=1, future_channels=1).eval()
    found: dict[int, list[float]] = {count: [] for count in members}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        for number in range(rounds + 1):
            for count in members:
                x, t = torch.randn(count, 1, 6, size, size), torch.full((count,), 500.0)
                start = time.perf_counter()
                network(x, t, x)
                if number:  # the first round warms up
                    found[count].append(1e3 * (time.perf_counter() - start) / count)
    return {count: statistics.median(times) for count, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--members", default="1,2,4,5,10,20")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    members = tuple(int(text) for text in options.members.split(","))
    print(f"{options.threads} threads; ms per member, by members at once")
    print(f"{'':48s}" + "".join(f"{count:>8d}" for count in members) + f"{'chosen':>9s}")
    for name, (config, size) in NETWORKS.items():
        with torch.device("meta"):
            network = config.build(past_channels=1, future_channels=1)
        chosen = chunk_size(network, (1, 6, size, size), torch.device("cpu"))
        for precision in ("bf16", "float32"):
            times = milliseconds(config, size, members, bf16=precision == "bf16", rounds=options.rounds)
            row = "".join(f"{value:8.1f}" for value in times.values())
            print(f"{name + ', ' + precision:48s}{row}{chosen:9d}", flush=True)


if __name__ == "__main__":
    main()
