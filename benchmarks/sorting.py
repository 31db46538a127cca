"""A sorting network compared with the sort of PyTorch, for the members of an ensemble at many points and at few.

Both sort the same values, one after the other in every round; the ratio of their times is the median over rounds,
above 1 where the library sort is faster. `framecast.verification.scores.sorting` changes between them near 1.

    python benchmarks/sorting.py        # under a minute
"""

import statistics
import time
from collections.abc import Callable
from unittest.mock import patch

import torch

from framecast.core.machine import processor
from framecast.verification.scores import sorting

MEMBERS = (4, 10, 20, 50)
POINTS = (16, 256, 1024, 2048, 4096, 65536)
ROUNDS = 31


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def ratio(members: int, points: int) -> float:
    """Return the time of the network over that of the library sort."""
    values = torch.randn(members, points, generator=torch.Generator().manual_seed(0))
    with patch.object(sorting, "_FEWEST_POINTS", 0):
        rounds = [
            seconds(lambda: sorting.sort_members(values)) / seconds(lambda: values.sort(dim=0)) for _ in range(ROUNDS)
        ]
    return statistics.median(rounds)


def main() -> None:
    torch.set_num_threads(1)
    print(f"{processor()}, one thread, float32: time of the network over that of torch.sort")
    print(f"| members | {' | '.join(f'{points} points' for points in POINTS)} |\n|" + "---|" * (len(POINTS) + 1))
    for members in MEMBERS:
        print(f"| {members} | " + " | ".join(f"{ratio(members, points):.2f}" for points in POINTS) + " |", flush=True)


if __name__ == "__main__":
    main()
