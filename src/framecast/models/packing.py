"""A trained model for distribution: a folder without its run and without paths of a machine."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from framecast.core.errors import FramecastError
from framecast.core.files import MODEL, new_folder
from framecast.models.checkpoint import read_config, read_weights, save_weights
from framecast.models.config import ModelConfig
from framecast.models.header import find_model, read_header
from framecast.models.reference import read_reference, write_reference
from framecast.verification.recalibration.calibration import read_calibration, write_calibration


def pack_model(
    model: str | Path, out: str | Path, *, half: bool = False, overwrite: bool = False, trust_code: bool = False
) -> Path:
    """Write a model into a folder of its own and return the folder.

    Args:
        model: a run, a model folder, or a released model's name.
        out: the folder to make.
        half: keep the weights as float16 numbers, half the size. They are read back into float32: what is lost is
            their rounding to 11 significant bits, small enough (benchmarks/half.py) that calibration and guard go
            with them.
        overwrite: whether an existing model may be replaced.
        trust_code: see `framecast.load`; the network's code is not needed.

    Raises:
        FramecastError: there is no model, ``out`` cannot be written, or a weight is too large for float16.
    """
    folder = find_model(model)
    config = read_config(folder, trust_code=trust_code)
    weights = read_weights(folder, config)
    if half:
        weights = {name: halved(name, value) for name, value in weights.items()}
    with new_folder(out, overwrite=overwrite, kind=MODEL) as new:
        save_weights(new, replace(config, provenance=without_paths(config)), weights)
        calibration = read_calibration(folder)
        if calibration is not None and calibration.drawing["weights_sha256"] == config.weights_sha256:
            drawing = {**calibration.drawing, "weights_sha256": read_header(new)["weights_sha256"]}
            write_calibration(new, replace(calibration, drawing=drawing))
        reference = read_reference(folder, config.normaliser, config.frames, weights=config.weights_sha256)
        if reference is not None:
            write_reference(new, reference, config.normaliser, config.frames)
    return Path(out)


def halved(name: str, value: Tensor) -> Tensor:
    """Return the weight ``name`` in float16."""
    small = value.to(torch.float16)
    if not bool(small.isfinite().all()):
        raise FramecastError(
            f"the largest of {name} is {float(value.abs().max()):.3g}, beyond 65504, the largest of float16: "
            "leave out --half"
        )
    return small.contiguous()


def without_paths(config: ModelConfig) -> dict[str, Any]:
    """Return the provenance with the training archive's name instead of its place on one machine."""
    training = dict(config.training)
    if "archive" in training:
        training["archive"] = Path(training["archive"]).name
    return config.provenance | ({"training": training} if training else {})
