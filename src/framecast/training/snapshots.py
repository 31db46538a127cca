"""Snapshots of the power-function averages over a run, and the average of another length made from them.

RUN/averages/00000500.safetensors     tensors "0.NAME", "1.NAME" …; metadata: step and widths
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from framecast.core.errors import ConfigError, DataError
from framecast.core.files import MODEL, new_folder, write_atomically
from framecast.core.reading import check_regular, parse_json
from framecast.models.checkpoint import read_config, save_weights
from framecast.models.header import find_model
from framecast.training.options import TrainingOptions
from framecast.training.reconstruction import Profile, coefficients, misfit

FOLDER = "averages"


def is_due(step: int, options: TrainingOptions) -> bool:
    """Whether the averages are saved after ``step``: ``options.snapshots`` times, evenly, the last step too."""
    last, count = options.last_step, min(options.snapshots, options.last_step)
    return bool(options.averages) and step * count // last > (step - 1) * count // last


def save_snapshot(run: Path, step: int, averages: Sequence[tuple[float, dict[str, Tensor]]]) -> None:
    """Write the averages of one step, width and weights of each, into the run's folder."""
    folder = run / FOLDER
    folder.mkdir(exist_ok=True)
    tensors = {f"{k}.{name}": value for k, (_, weights) in enumerate(averages) for name, value in weights.items()}
    metadata = {"step": str(step), "widths": json.dumps([width for width, _ in averages])}
    write_atomically(folder / f"{step:08d}.safetensors", save(tensors, metadata))


def make_average(run: Path, width: float, *, step: int | None = None) -> tuple[dict[str, Tensor], int, float]:
    """Return the weights of a further average, reconstructed from the snapshots of a run.

    Its ``width`` is a fraction of the training up to ``step``, by default the last snapshot's. Step and misfit, a
    fraction of the profile's norm, are returned too.

    Raises:
        DataError: the run has no snapshots, or they cannot be read.
        ConfigError: no average of this width or at this step can be made.
    """
    files = sorted((run / FOLDER).glob("[0-9]*.safetensors"))
    if not files:
        raise DataError(f"{run} has no snapshots of averages: train with training.averages=[0.05, 0.1]")
    stored = [(path, k, Profile(width, step)) for path in files for k, width, step in _profiles(path)]
    profiles = [profile for _, _, profile in stored]
    last = max(profile.step for profile in profiles)
    if step is not None and step > last:
        raise ConfigError(f"an average at step {step} is not possible: the last snapshot is at step {last}")
    wanted = Profile(width, last if step is None else step)
    factors = coefficients(profiles, wanted)
    names = _layout(files[-1])
    total: dict[str, Tensor] = {}
    for path in files:
        if _layout(path) != names:
            raise DataError(f"{path} and {files[-1].name} hold averages of different networks: remove the damaged one")
        chosen = [(k, float(c)) for (own, k, _), c in zip(stored, factors, strict=True) if own == path and c]
        if chosen:
            with safe_open(path, framework="pt") as file:
                for name in names:
                    part = sum(c * file.get_tensor(f"{k}.{name}").double() for k, c in chosen)
                    total[name] = total[name] + part if name in total else torch.as_tensor(part)
    with safe_open(files[-1], framework="pt") as file:
        weights = {name: value.to(file.get_tensor(f"0.{name}").dtype) for name, value in total.items()}
    return weights, wanted.step, misfit(profiles, wanted, factors)


def write_average(
    run: Path,
    out: Path,
    width: float,
    *,
    step: int | None = None,
    overwrite: bool = False,
    trust_code: bool = False,
) -> tuple[int, float]:
    """Write the model ``out`` with an average of the weights of ``run``; return its step and misfit.

    For the other arguments, the results and errors see `make_average`, for ``trust_code`` `framecast.load`.
    """
    config = read_config(find_model(run), trust_code=trust_code)
    weights, ended, distance = make_average(run, width, step=step)
    trained = {name: value for name, value in config.provenance.items() if name != "best_validation_loss"}
    provenance = trained | {"steps": ended, "average": {"width": width, "misfit": round(distance, 4)}}
    with new_folder(out, overwrite=overwrite, kind=MODEL) as folder:
        save_weights(folder, replace(config, provenance=provenance), weights)
    return ended, distance


def _layout(path: Path) -> dict[str, list[int]]:
    """Return name and shape of the weights in a snapshot, which all of its averages have in common."""
    layouts: dict[str, dict[str, list[int]]] = {}
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118
            number, _, weight = name.partition(".")
            layouts.setdefault(number, {})[weight] = file.get_slice(name).get_shape()
    widths = {str(k) for k, _, _ in _profiles(path)}
    if layouts.keys() != widths or any(layout != layouts["0"] for layout in layouts.values()):
        raise DataError(f"{path} is not a snapshot of averages (their weights differ): remove it")
    return layouts["0"]


def _profiles(path: Path) -> list[tuple[int, float, int]]:
    """Return number, width and step of each average in a snapshot."""
    check_regular(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        step, widths = int(metadata["step"]), parse_json(metadata["widths"], where=str(path))
        return [(k, float(width), step) for k, width in enumerate(widths)]
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise DataError(f"{path} is not a snapshot of averages ({type(error).__name__}): remove it") from None
