"""Are windows read as fast as the network needs them?

Reads the batches of a training run from an archive without training on them, from memory and from the disk, in the same
process and in workers; then trains on them, and says how much of a step was spent waiting.

    python benchmarks/loading.py                       # a synthetic archive of 64² pixels; a minute on an idle core
    python benchmarks/loading.py --archive sun.zarr --batch 16
"""

import argparse
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from framecast.core.distributed import Processes
from framecast.data.archive.reader import Archive
from framecast.domains.corona.writing import write_corona
from framecast.models.config import attach, build_network
from framecast.training import TrainingState, fit
from framecast.training.batches import cut, load_parts
from framecast.training.prepare import Prepared, prepare
from framecast.training.recipe import load_recipe


def rate(prepared: Prepared, batches: int, *, cache_gib: float, workers: int) -> float:
    """Return windows per second, the first batches left out: workers start, and what is to be cached is read."""
    options = replace(prepared.recipe.training, cache_gib=cache_gib, workers=workers)
    recipe = replace(prepared.recipe, training=options)
    windows = replace(prepared, recipe=recipe).dataset("train")
    warm = max(4, -(-len(windows) // options.batch)) if cache_gib else 4
    parts = load_parts(windows, options, cut(options, Processes()), first=0, device=torch.device("cpu"))
    for _ in itertools.islice(parts, warm):
        pass
    began = time.perf_counter()
    count = sum(len(part.index) for part in itertools.islice(parts, batches))
    return count / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--batches", type=int, default=40)
    parser.add_argument("--width", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        archive = options.archive or Path(name) / "corona.zarr"
        if options.archive is None:
            write_corona(archive, regions=12, frames=48, size=64, seed=0)
        changes = [f"training.batch={options.batch}", f"network.width={options.width}", "training.steps=100000"]
        prepared = prepare(load_recipe("tiny", changes), Archive.open(archive))
        print(f"{'windows':<36}{'per second':>12}")
        for place, cache in (("memory", 64.0), ("disk", 0.0)):
            for workers in (0, 1, 2):
                found = rate(prepared, options.batches, cache_gib=cache, workers=workers)
                print(f"{f'from {place}, {workers} workers':<36}{found:>12.0f}", flush=True)
        generator = attach(prepared.model, build_network(prepared.model))
        training = prepared.recipe.training
        state = TrainingState(generator.network, training)
        steps = fit(state, generator, prepared.model.conditioning, prepared.dataset("train"), training)
        seen = list(itertools.islice(steps, 8))[2:]
        seconds, waited = sum(step.seconds for step in seen), sum(step.waited for step in seen)
        print(f"{'taken by training (video-unet)':<36}{options.batch * len(seen) / seconds:>12.1f}")
        print(f"share of a step spent waiting: {waited / seconds:.1%}")


if __name__ == "__main__":
    main()
