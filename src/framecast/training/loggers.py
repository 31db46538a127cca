"""Loggers of a run besides its log: files, TensorBoard, Weights & Biases, as given by ``watch.to``."""

import io
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from framecast.core.errors import ConfigError
from framecast.core.files import write_atomically
from framecast.training import Stepped
from framecast.training.train import Validated
from framecast.training.watching import Watched

_EVERY = 10
"""Steps between two points of a curve."""

_SECONDS_PER_FRAME = 0.4


class Watcher(ABC):
    """Shows figures and films by name and step."""

    def figure(self, name: str, value: float, step: int) -> None:  # noqa: B027 (the log has it)
        """Add a point to a curve."""

    @abstractmethod
    def film(self, name: str, frames: npt.NDArray[np.uint8], step: int) -> None:
        """Show frames ``[time, y, x]`` as an animation."""

    def close(self) -> None:  # noqa: B027 (there may be nothing to close)
        """Close at the end of the run."""

    def see(self, event: object) -> None:
        """Log an event of `framecast.training.train.train`."""
        if isinstance(event, Stepped) and event.step % _EVERY == 0 and not event.skipped:
            for name in ("loss", "learning_rate", "gradient_norm"):
                self.figure(f"training/{name}", getattr(event, name), event.step)
        elif isinstance(event, Validated):
            self.figure("validation/loss", event.loss, event.step)
        elif isinstance(event, Watched):
            for name, value in event.scores.items():
                self.figure(f"scores/{name}", value, event.step)
            self.film("forecast", contact_sheet(event.truth, event.members), event.step)


class Files(Watcher):
    """Writes an animation of each look, ``RUN/samples/00000500.gif``; curves are in the run's log."""

    def __init__(self, run: Path) -> None:
        self._folder = run / "samples"

    def film(self, name: str, frames: npt.NDArray[np.uint8], step: int) -> None:
        """Write a GIF under the number of the step."""
        self._folder.mkdir(exist_ok=True)
        write_atomically(self._folder / f"{step:08d}.gif", gif(frames))


class TensorBoard(Watcher):
    """Writes ``RUN/tensorboard``, which ``tensorboard --logdir RUN`` shows; hides what was written after ``step``."""

    def __init__(self, run: Path, step: int) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"watch.to has tensorboard, and {error.name} is not installed: pip install 'framecast[watch]', or "
                "leave it out"
            ) from None
        self._writer = SummaryWriter(run / "tensorboard", purge_step=step + 1 if step else None)

    def figure(self, name: str, value: float, step: int) -> None:
        """Add a point to a curve."""
        self._writer.add_scalar(name, value, step)

    def film(self, name: str, frames: npt.NDArray[np.uint8], step: int) -> None:
        """Show a GIF, which TensorBoard moves."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        height, width = frames.shape[1:]
        image = Summary.Image(height=height, width=width, colorspace=1, encoded_image_string=gif(frames))
        self._writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=name, image=image)]), step)

    def close(self) -> None:
        """Write what is buffered."""
        self._writer.close()


class WeightsAndBiases(Watcher):
    """Sends to Weights & Biases, under the account that ``wandb login`` set up, with ``recipe`` as the configuration.

    With ``WANDB_MODE=offline`` it writes ``RUN/wandb`` instead, which ``wandb sync`` sends later. The file ``wandb.id``
    stores the identifier of the run, so that it is resumed there, too.
    """

    def __init__(self, run: Path, recipe: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ModuleNotFoundError:
            raise ConfigError(
                "watch.to has wandb, which is not installed: pip install 'framecast[wandb]', or leave it out"
            ) from None
        record = run / "wandb.id"
        if not record.is_file():
            write_atomically(record, secrets.token_hex(4))
        self._wandb = wandb
        self._run = wandb.init(
            project="framecast",
            name=run.name,
            id=record.read_text(encoding="utf-8").strip(),
            dir=run,
            config=dict(recipe),
            resume="allow",
        )
        self._run.define_metric("*", step_metric="step")  # wandb's own count is of messages, not of steps

    def figure(self, name: str, value: float, step: int) -> None:
        """Send a point of a curve."""
        self._run.log({name: value, "step": step})

    def film(self, name: str, frames: npt.NDArray[np.uint8], step: int) -> None:
        """Send a GIF."""
        self._run.log({name: self._wandb.Video(io.BytesIO(gif(frames)), format="gif"), "step": step})

    def close(self) -> None:
        """Report the end of the run."""
        self._run.finish()


def open_watchers(names: tuple[str, ...], run: Path, recipe: Mapping[str, Any], *, step: int) -> list[Watcher]:
    """Return the loggers called ``names``, or raise `ConfigError` if a package is not installed."""
    kinds: dict[str, Callable[[], Watcher]] = {
        "files": lambda: Files(run),
        "tensorboard": lambda: TensorBoard(run, step),
        "wandb": lambda: WeightsAndBiases(run, recipe),
    }
    return [kinds[name]() for name in names]


def contact_sheet(truth: npt.NDArray[np.float32], members: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return frames ``[time, y, x]`` with the truth, three members and their mean side by side, in shades of grey.

    Of the truth ``[channel, time, y, x]`` and the members ``[member, channel, time, y, x]`` the first channel is shown;
    pixels are repeated up to a height of 128.
    """
    panels = [truth[0], *members[:3, 0], members[:, 0].mean(axis=0)]
    low, high = np.nanpercentile(truth[0], [0.5, 99.5]) if np.isfinite(truth[0]).any() else (0.0, 1.0)
    row = np.concatenate([np.pad(panel, ((0, 0), (0, 0), (0, 1))) for panel in panels], axis=2)
    scaled = np.clip((np.nan_to_num(row, nan=low) - low) / max(high - low, 1e-12), 0, 1) ** 0.5
    times = max(1, -(-128 // row.shape[1]))
    return (scaled * 255).astype(np.uint8).repeat(times, axis=1).repeat(times, axis=2)


def gif(frames: npt.NDArray[np.uint8]) -> bytes:
    """Return ``[time, y, x]`` as an endless GIF."""
    first, *others = [Image.fromarray(frame) for frame in frames]
    stream = io.BytesIO()
    duration = round(1000 * _SECONDS_PER_FRAME)
    first.save(stream, "GIF", save_all=True, append_images=others, duration=duration, loop=0)
    return stream.getvalue()
