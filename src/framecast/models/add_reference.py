"""`framecast.add_reference`: add a description of the training data to a model; its weights do not change."""

from pathlib import Path

import torch

from framecast.core.errors import DataError
from framecast.core.files import held
from framecast.core.machine import choose_device
from framecast.data.archive.reader import Archive
from framecast.data.datasets import WindowDataset
from framecast.data.windows import manifest_hash
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
    """Store a description of the training data with a model, and return the path of the file.

    Forecasts of any archive then contain the windows that baselines are made of, and pasts unlike the training data
    give a warning. A training run does this at its end; this function is for other or older models.

    Args:
        model: a run or a model folder.
        archive: the archive that it was trained on.
        windows: training pasts that the out-of-domain guard compares with, at most.
        occasions: training windows for baselines, at most.
        seed: random seed of their choice.
        device: where to compute.
        trust_code: see `framecast.load`.

    Raises:
        DataError: the model was not trained on this archive.
        FramecastError: another process is adding one, or calibrating the model.
    """
    folder = find_model(model)
    with held(folder, doing=f"writing into {folder}"):
        forecaster = load(folder, device=choose_device(device), trust_code=trust_code)
        archive = archive if isinstance(archive, Archive) else Archive.open(archive)
        config = forecaster.config
        train = config.split.divide(config.windows(archive))["train"]
        hashes = config.training.get("hashes", {})
        if not train or hashes.get("train") not in (None, manifest_hash(train)):
            raise DataError(
                f"{archive.path} is not what {config.name} was trained on (its split has {len(train)} training windows "
                "here, and not the same): give the training archive"
            )
        dataset = WindowDataset(archive, train, config.frames, cache_bytes=0)
        reference = describe_training(forecaster, dataset, windows=windows, occasions=occasions, seed=seed)
        return write_reference(folder, reference, config.normaliser, config.frames)
