"""`framecast.add_reference`: give a trained model what its training data are like, the weights unchanged."""

from dataclasses import replace
from pathlib import Path

import torch

from framecast.core.errors import DataError
from framecast.core.machine import choose_device
from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.windows import find_windows, manifest_hash
from framecast.models.checkpoint import load
from framecast.models.header import find_model
from framecast.models.reference import OCCASIONS, WINDOWS, describe_training, write_reference


def add_reference(
    model: str | Path,
    archive: Archive | str | Path,
    *,
    windows: int = WINDOWS,
    occasions: int = OCCASIONS,
    seed: int = 0,
    device: str | torch.device | None = None,
    trust_code: bool = False,
) -> Path:
    """Store with a model what its training data are like, and return the path of the file.

    From then on forecasts of any archive carry the windows that baselines are made of, and pasts unlike the training
    data are told of. A training run does this at its end; this is for models from elsewhere or of before.

    Args:
        model: a run or a model folder.
        archive: the archive that it was trained on.
        windows: training pasts that the out-of-domain guard compares with, at most.
        occasions: training windows for baselines, at most.
        seed: chooses them.
        device: where to compute.
        trust_code: see `framecast.load`.

    Raises:
        DataError: the model was not trained on this archive.
    """
    folder = find_model(model)
    forecaster = load(folder, device=choose_device(device), trust_code=trust_code)
    archive = archive if isinstance(archive, Archive) else Archive.open(archive)
    config = forecaster.config
    whole = replace(config.frames, height=archive.height, width=archive.width)
    found = find_windows(archive, whole, stride=config.stride, max_masked=config.max_masked)
    train = config.split.divide(found)["train"]
    hashes = config.training.get("hashes", {})
    if not train or hashes.get("train") not in (None, manifest_hash(train)):
        raise DataError(
            f"{archive.path} is not what {config.name} was trained on ({len(train)} windows on the training side of "
            "its split, and not the same): give the archive of the training"
        )
    dataset = WindowDataset(archive, train, config.frames, cache_bytes=0)
    reference = describe_training(forecaster, dataset, windows=windows, occasions=occasions, seed=seed)
    return write_reference(folder, reference, config.normaliser, config.frames)
