"""The folder of a training run: recipe, record of the data, log, and checkpoints that are whole or absent.

    RUN/recipe.yaml                 the recipe, as resolved
    RUN/data.json                   archive, numbers of windows, rejections, hash of the split
    RUN/log.jsonl                   one line per logged step and validation
    RUN/checkpoints/00000500/model  config.json and weights.safetensors (averaged): a model folder
    RUN/checkpoints/00000500/state.safetensors     what is needed to go on from there

A checkpoint is written under a hidden name and renamed when all of it is on the disk.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from framecast.checkpoint import ModelConfig, save_model
from framecast.errors import ConfigError, DataError
from framecast.files import RUN, refuse_existing, write_atomically

_STATE = "state.safetensors"


class Run:
    """A run's folder.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def checkpoints(self) -> list[Path]:
        """The complete checkpoints, oldest first."""
        return sorted(path for path in self.path.glob("checkpoints/[0-9]*") if (path / _STATE).is_file())

    @property
    def step(self) -> int:
        """Steps made up to the newest checkpoint; 0 without one."""
        return int(self.checkpoints[-1].name) if self.checkpoints else 0

    def begin(self, recipe: str, data: Mapping[str, Any], *, overwrite: bool) -> None:
        """Make the folder, or take up the run in it if recipe and data are the same.

        Args:
            recipe: the resolved recipe as YAML.
            data: what the run is trained on, JSON values.
            overwrite: whether a different run may be replaced.

        Raises:
            ConfigError: the folder holds a run of another recipe or other data.
            FramecastError: the folder holds something else.
        """
        record = json.dumps(data, indent=2) + "\n"
        recipe_path, data_path = self.path / "recipe.yaml", self.path / "data.json"
        if recipe_path.is_file() and not overwrite:
            if recipe_path.read_text(encoding="utf-8") != recipe:
                raise ConfigError(self._other("another recipe", recipe_path))
            if data_path.is_file() and _which(json.loads(data_path.read_text(encoding="utf-8"))) != _which(data):
                raise ConfigError(self._other("other data", data_path))
        elif self.path.exists():
            refuse_existing(self.path, overwrite=overwrite or not any(self.path.glob("*")), kind=RUN)
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True, exist_ok=True)
        write_atomically(recipe_path, recipe)
        write_atomically(data_path, record)

    def _other(self, what: str, path: Path) -> str:
        return (
            f"{self.path} holds a run of {what} (compare {path.name}): "
            "choose another --out, or pass --overwrite to begin anew"
        )

    def load_state(self) -> dict[str, Tensor] | None:
        """Return the newest training state that can be read, or ``None`` if there is no checkpoint yet.

        Raises:
            DataError: there are checkpoints and none of them can be read.
        """
        for path in reversed(self.checkpoints):
            try:
                return load_file(path / _STATE)
            except (SafetensorError, OSError):
                continue
        if self.checkpoints:
            raise DataError(f"no checkpoint in {self.path} can be read: pass --overwrite to begin anew")
        return None

    def save(self, step: int, config: ModelConfig, averaged: nn.Module, state: dict[str, Tensor]) -> Path:
        """Write the checkpoint of ``step`` and return its folder."""
        folder = self.path / "checkpoints" / f"{step:08d}"
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            save_model(partial / "model", config, averaged)
            save_file(state, partial / _STATE)
            with (partial / _STATE).open("rb") as stream:
                os.fsync(stream.fileno())
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        return folder

    def prune(self, *, keep: int, best: int | None) -> None:
        """Delete all checkpoints but the ``keep`` newest and that of step ``best``."""
        for path in self.checkpoints[:-keep]:
            if int(path.name) != best:
                shutil.rmtree(path)

    def log(self, **record: Any) -> None:
        """Append one line to the log."""
        with (self.path / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """Return the lines of the log; a line cut short by a power failure is left out."""
        path = self.path / "log.jsonl"
        records = []
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
            try:
                records.append(json.loads(line))
            except ValueError:
                continue
        return records


def _which(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what says which windows these are; where the archive lies does not matter."""
    return {key: value for key, value in data.items() if key != "archive"}
