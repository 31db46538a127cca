"""A one-shot model changed without training: a different noise slope, or weights closer to its starting point.

    framecast train examples/sun-171-one-shot.yaml --data sun64.zarr --out runs/one one_shot.fields=0
    python benchmarks/retuned.py runs/one retuned/slope --slope 0.6
    python benchmarks/retuned.py runs/one retuned/nearer --start sun-171 --weights 0.92
    python benchmarks/members.py sun.zarr --out retuned.json --split validation --windows 24 \
        "one shot=runs/one" "slope 0.6=retuned/slope" "0.92 of the way=retuned/nearer"
"""

import argparse
from dataclasses import replace

from framecast.models.checkpoint import read_config, read_weights, save_weights
from framecast.models.header import find_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("out")
    parser.add_argument("--slope", type=float, help="of the noise; a larger one has less of the large scales")
    parser.add_argument("--start", help="the model that it was started from")
    parser.add_argument("--weights", type=float, default=1.0, help="how far from there to the model, 1 is the model")
    options = parser.parse_args()
    folder = find_model(options.model)
    config, weights = read_config(folder), read_weights(folder, read_config(folder))
    if options.start:
        before = find_model(options.start)
        first = read_weights(before, read_config(before))
        weights = {name: first[name] + options.weights * (value - first[name]) for name, value in weights.items()}
    if options.slope is not None:
        diffusion = replace(config.generator.diffusion, noise_slope=options.slope)
        config = replace(config, generator=replace(config.generator, diffusion=diffusion))
    save_weights(options.out, config, weights)


if __name__ == "__main__":
    main()
