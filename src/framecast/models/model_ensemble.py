"""Several models as one: member m of an ensemble is drawn by model m mod J.

Models that differ only in the random numbers of their training disagree where the data are scarce, which adds
the uncertainty of the model itself to that of the future (Lakshminarayanan et al. 2017, arXiv 1612.01474).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from framecast.core.configuration import kind_of
from framecast.core.errors import ConfigError
from framecast.core.progress import Task
from framecast.generators.generator import Generator
from framecast.models.forecaster import Forecaster
from framecast.models.members import Draw
from framecast.videos.labelled import Video


class ModelEnsemble(Forecaster):
    """A forecaster whose members come from several models in turn, each with its own noise.

    Args:
        models: at least two, with the same inputs, outputs and sampling. Their calibrations apply to each of them only,
            so that the ensemble has none.

    Raises:
        ConfigError: there are fewer, or they differ in inputs, outputs or sampling.
    """

    def __init__(self, models: Sequence[Forecaster]) -> None:
        if len(models) < 2:
            raise ConfigError(f"{len(models)} model was given: an ensemble of models has at least two")
        first = models[0]
        for other in models[1:]:
            for what, own in _common(other).items():
                if own != (expected := _common(first)[what]):
                    raise ConfigError(
                        f"{first.name} has {what} {expected} and {other.name} has {own}: an ensemble of models needs "
                        "the same"
                    )
        names = list(dict.fromkeys(model.name for model in models))
        digests = "".join(model.config.weights_sha256 for model in models)
        config = replace(
            first.config, name="+".join(names), weights_sha256=hashlib.sha256(digests.encode()).hexdigest()
        )
        super().__init__(config, first.generator, reference=first.reference)
        self.models = tuple(models)

    @property
    def generators(self) -> tuple[Generator, ...]:
        """What draws the members, one after the other."""
        return tuple(model.generator for model in self.models)

    def to(self, device: str | torch.device) -> "ModelEnsemble":
        """Move all networks to ``device`` and return self."""
        for model in self.models:
            model.to(device)
        return self

    def compile(self) -> "ModelEnsemble":
        """Compile all networks and return self; see `Forecaster.compile`."""
        for model in self.models:
            model.compile()
        return self

    def draw(
        self,
        past: Tensor,
        draw: Draw,
        *,
        moved: Tensor | None = None,
        forcing: Tensor | None = None,
        task: Task | None = None,
    ) -> Tensor:
        """Return members, each drawn by the model of its number modulo that of the models; see `Forecaster.draw`."""
        draw = replace(draw, options=self.settle(draw.options))
        numbers = np.asarray(draw.members)
        parts, places = [], []
        for k, model in enumerate(self.models):
            own = np.flatnonzero(numbers % len(self.models) == k)
            if own.size:
                chosen = torch.from_numpy(own)
                each = past[chosen] if past.ndim == 5 and len(past) > 1 else past
                base = moved[chosen] if moved is not None and len(moved) > 1 else moved
                mine = replace(draw, members=numbers[own].tolist())
                parts.append(model.draw(each, mine, moved=base, forcing=forcing, task=task))
                places.append(own)
        return torch.cat(parts)[torch.from_numpy(np.argsort(np.concatenate(places)))]

    def fill(self, video: Video, given: Any, **choices: Any) -> Tensor:
        """Raise `ConfigError`: frames are filled by one model."""
        raise ConfigError(f"{self.name} is an ensemble of {len(self.models)} models: fill frames with one of them")

    def provenance(self, draw: Draw) -> dict[str, Any]:
        """Return the provenance of a forecast, with the models and the seeds of their training."""
        configs = [model.config for model in self.models]
        return super().provenance(draw) | {
            "models": ", ".join(config.name for config in configs),
            "models_weights_sha256": ", ".join(config.weights_sha256 for config in configs),
            "models_training_seed": ", ".join(str(config.provenance.get("seed", "unknown")) for config in configs),
        }


def _common(model: Forecaster) -> dict[str, Any]:
    """Return in what the models of an ensemble must agree."""
    frames = model.frames
    return {
        "past channels": frames.past_channels,
        "future channels": frames.future_channels,
        "past frames": frames.past_times,
        "future frames": frames.lead_times,
        "unit": model.unit,
        "classes": model.labels,
        "target": kind_of(model.config.target),
        "known in advance": model.config.forcings,
        "sampling": model.generator.describe(model.sampling),
    }
