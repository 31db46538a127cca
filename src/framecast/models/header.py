"""Metadata of a model, read without PyTorch: its configuration as plain data, its size."""

import math
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from framecast.core.errors import DataError, FramecastError
from framecast.core.reading import check_regular, read_json
from framecast.core.stored import DocumentFormat
from framecast.models.released import released_models

MODEL_FORMAT = DocumentFormat("framecast-model", 1, "model", "copy the model again")
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"


def read_header(folder: str | Path) -> dict[str, Any]:
    """Return the configuration in a model folder as plain data; only its format and version have been checked.

    Raises:
        DataError: it is missing, damaged, of a newer version, or not a model's.
    """
    path = Path(folder) / CONFIG
    try:
        return MODEL_FORMAT.check(read_json(path), str(path))
    except FileNotFoundError:
        raise DataError(f"{folder} is not a model: it has no {CONFIG}") from None


def count_weights(folder: str | Path) -> int | None:
    """Return the number of weights of a model; ``None`` where the file cannot be read."""
    try:
        check_regular(Path(folder) / WEIGHTS)
        with safe_open(Path(folder) / WEIGHTS, framework="numpy") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except (OSError, DataError, SafetensorError):
        return None


def models_below(path: str | Path) -> list[Path]:
    """Return the model folders of the runs and models within a folder, in order of their names."""
    path = Path(path)
    if not path.is_dir() or (path / CONFIG).is_file() or (path / "checkpoints").exists():
        return []
    within = [own for own in sorted(path.iterdir()) if (own / CONFIG).is_file() or (own / "checkpoints").is_dir()]
    return [find_model(own) for own in within]


def find_model(path: str | Path) -> Path:
    """Return the model folder meant by ``path``: itself, the newest checkpoint of a run, or a released model's name.

    Raises:
        FramecastError: there is no model.
    """
    path = Path(path)
    if not path.exists() and str(path) in released_models():
        return released_models()[str(path)]
    if (path / CONFIG).is_file():
        return path
    models = sorted(path.glob(f"checkpoints/[0-9]*/model/{CONFIG}"))
    if models:
        return models[-1].parent
    if not path.exists():
        names = ", ".join(released_models())
        raise FramecastError(
            f"there is no model at {path}: give the folder of a run or of a model, or a released one ({names})"
        )
    raise FramecastError(
        f"{path} contains no model: give a folder with {CONFIG}, or a run that has written its first checkpoint"
    )
