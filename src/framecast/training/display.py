"""Progress display of a run."""

import math
import warnings
from pathlib import Path

import torch

from framecast.core.errors import FramecastWarning
from framecast.core.machine import peak_memory
from framecast.core.progress import Task
from framecast.training import Stepped
from framecast.training.options import TrainingOptions
from framecast.training.train import Begun, Validated


class Display:
    """Shows progress, quality and speed of the run in ``out``."""

    def __init__(self, task: Task, out: Path, options: TrainingOptions) -> None:
        self.task, self.out, self.last, self.batch = task, out, options.last_step, options.batch
        self.loss = self.validation = self.seconds = float("nan")
        self.skipped = 0

    def see(self, event: object) -> None:
        """Show what an event of `framecast.training.train.run_training` changes."""
        if isinstance(event, Begun):
            self.task.tell(str(event.precision))
            self._begin(event.step, event.damaged)
        elif isinstance(event, Stepped):
            # Means over about fifty steps: single losses jump with the noise level they drew.
            self.seconds = _mean(self.seconds, event.seconds)
            self.loss = self.loss if event.skipped else _mean(self.loss, event.loss)
            self.skipped += event.skipped
            self.task.reach(event.step, note=self.remark())
        elif isinstance(event, Validated):
            self.validation = event.loss
            self.task.reach(event.step, note=self.remark())
            if event.skill is not None:
                few = f"{event.windows} window{'s' if event.windows > 1 else ''} only"
                self.task.tell(f"step {event.step}: {quality(event.skill)} ({few})")

    def _begin(self, step: int, damaged: tuple[str, ...]) -> None:
        for finding in damaged:
            warnings.warn(finding, FramecastWarning, stacklevel=2)
        if step:
            done = f"is finished: {step} steps" if step >= self.last else f"resumes from step {step}"
            self.task.tell(f"{self.out} {done}")
        self.task.begin(step)

    def remark(self) -> str:
        """Return the text beside the progress bar."""
        parts = [f"loss {self.loss:.4f}"]
        if not math.isnan(self.validation):
            parts.append(f"validation {self.validation:.4f}")
        if self.seconds > 0:
            parts.append(f"{self.batch / self.seconds:.3g} windows/s")
        parts.append(memory())
        if self.skipped:
            parts.append(f"{self.skipped} skipped")
        return ", ".join(parts)


def quality(skill: float) -> str:
    """Return in words how good small ensembles are, from their skill against persistence in CRPS."""
    if not math.isfinite(skill):
        return "members are not finite, or the truth has no known pixel"
    if skill < -0.5:
        return f"members are still noise: their CRPS is {1 - skill:.2g} times that of persistence"
    if abs(skill) < 0.02:
        return "forecasts are about as good as persistence (CRPS)"
    return f"CRPS {100 * abs(skill):.0f} % {'below' if skill > 0 else 'above'} that of persistence"


def memory() -> str:
    """Return the most memory taken so far, of the GPU where there is one in use."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return f"{torch.cuda.max_memory_allocated() / 1e9:.1f} GB"
    peak = peak_memory()
    return "memory unknown" if peak is None else f"{peak / 1e9:.1f} GB"


def _mean(mean: float, value: float) -> float:
    return value if math.isnan(mean) else 0.98 * mean + 0.02 * value
