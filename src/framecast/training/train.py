"""Training into a run's folder, from the first step or the last checkpoint, as a generator of events."""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal

import torch

from framecast.core.configuration import to_plain
from framecast.core.distributed import Processes
from framecast.core.environment import describe_environment
from framecast.core.errors import ConfigError, DataError
from framecast.core.machine import keep_freed_blocks, return_freed_blocks
from framecast.generators.denoiser import Denoiser
from framecast.generators.generator import Generator
from framecast.generators.student import Student
from framecast.models.checkpoint import load, save_weights
from framecast.models.config import ModelConfig, attach, build_network
from framecast.models.forecaster import Forecaster
from framecast.models.precision import Choice, asked, choose
from framecast.models.reference import Reference, describe_training, write_reference
from framecast.training import Stepped, TrainingState, fit, validation_loss
from framecast.training.batches import cut
from framecast.training.objective import measure_loss
from framecast.training.prepare import Prepared
from framecast.training.recipe import Recipe, dump_recipe
from framecast.training.run import Run
from framecast.training.sharding import shard
from framecast.training.snapshots import is_due, save_snapshot
from framecast.training.start import load_start
from framecast.training.watching import Watched, WatchOptions, look

_LOG_EVERY = 10

_SMALL = WatchOptions(windows=2, members=4)
"""The forecasts that are compared with persistence at every validation."""


@dataclass(frozen=True, kw_only=True)
class Begun:
    """The run starts after ``step`` steps, in this precision; the newer checkpoints in ``damaged`` were skipped."""

    step: int
    precision: Choice
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Validated:
    """A validation: the averaged network's loss on windows it was not trained on, and whether it is the best yet.

    ``skill`` is how far the CRPS of small ensembles of ``windows`` windows is below persistence's; ``None`` without
    persistence.
    """

    step: int
    loss: float
    best: bool
    skill: float | None = None
    windows: int = 0


@dataclass(frozen=True, kw_only=True)
class Saved:
    """A checkpoint was written."""

    step: int
    path: Path


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The run was stopped on request and has written a checkpoint; the same call resumes from it."""

    step: int


Event = Begun | Stepped | Validated | Watched | Saved | Stopped


def run_training(
    prepared: Prepared,
    out: str | Path,
    *,
    device: str | torch.device = "cpu",
    overwrite: bool = False,
    longer: bool = False,
    stop: Callable[[], bool] = lambda: False,
    processes: Processes | None = None,
) -> Iterator[Event]:
    """Train, and yield events.

    The same call on a folder with an unfinished run of the same recipe and data resumes from its newest undamaged
    checkpoint, and ends with the weights of an uninterrupted run. An interrupt writes a checkpoint.
    A precision of ``auto`` is chosen for the device where the run begins, and written into the run's recipe.

    With ``longer`` a run in the folder that has fewer steps is trained further, with ``overwrite`` a different one is
    replaced. ``stop`` is called after each step; true in any process writes a checkpoint and ends the run.

    Raises:
        ConfigError: the batch cannot be divided over the processes.
        FramecastError: the folder contains something else, another process trains in it, or the loss diverged.
    """
    processes = processes or Processes()
    run = Run(out)
    _check_agreement(processes, prepared)
    place = processes.device(torch.device(device))
    precision, drawing = processes.share(lambda: _precision(run, prepared, place, overwrite=overwrite))
    prepared = prepared.in_precision(training=precision.precision, sampling=drawing)
    options = prepared.recipe.training
    cut(options, processes)
    with ExitStack() as stack:
        stack.callback(run.release)
        stack.enter_context(_matmul(options.matmul))
        unbegun = stack.enter_context(ExitStack())
        checkpoint, damaged = processes.share(lambda: _open(run, prepared, overwrite=overwrite, longer=longer))
        if checkpoint is None and processes.first:
            unbegun.push(run.discard)
        session = _Session(prepared, run, place, precision, processes, checkpoint)
        state, windows = session.state, prepared.dataset("train")
        yield Begun(step=state.step, precision=precision, damaged=damaged)
        if state.step < options.last_step:
            session.log_beginning(damaged)
        try:
            conditioning = prepared.model.conditioning
            for progress in fit(state, session.generator, conditioning, windows, options, processes=processes):
                unbegun.pop_all()
                session.log_step(progress)
                yield progress
                last = progress.step == options.last_step
                if progress.step % options.validate_every == 0 or last:
                    yield session.validate()
                watch = prepared.recipe.watch
                if watch.every and (progress.step % watch.every == 0 or last):
                    yield session.look()
                if is_due(progress.step, options):
                    session.save_snapshot()
                stopping = session.agrees(stop()) and not last
                if progress.step % options.checkpoint_every == 0 or last or stopping or session.best[1] == state.step:
                    yield session.save()
                if stopping:
                    yield Stopped(step=progress.step)
                    return
        except KeyboardInterrupt:
            # During an update the state is inconsistent.
            if processes.count == 1 and state.whole and state.step > session.written:
                session.save()
            raise


class Spikes:
    """Compares each gradient norm with those of the last hundred steps."""

    def __init__(self) -> None:
        self._seen: deque[float] = deque(maxlen=100)

    def is_one(self, norm: float) -> bool:
        """Whether ``norm`` is more than five times the median of those before it; NaN never is, and is not kept."""
        if norm != norm or norm == float("inf"):
            return False
        spike = len(self._seen) >= 20 and norm > 5 * median(self._seen)
        self._seen.append(norm)
        return spike


class _Session:
    """One session of a run: its state, and what is written of it by the first process."""

    def __init__(
        self,
        prepared: Prepared,
        run: Run,
        place: torch.device,
        precision: Choice,
        processes: Processes,
        checkpoint: Path | None,
    ) -> None:
        self.prepared, self.run, self.precision, self.processes = prepared, run, precision, processes
        self.options = prepared.recipe.training
        torch.manual_seed(self.options.seed)
        if place.type == "cpu":
            spares_memory = getattr(prepared.recipe.network, "checkpointing", False)
            return_freed_blocks() if spares_memory else keep_freed_blocks()
        network = build_network(prepared.model)
        if checkpoint is None and prepared.start is not None:
            load_start(network, prepared.model, prepared.start)
        network = network.to(place)
        if self.options.shard and processes.count > 1:
            shard(network, processes)
        self.generator = _learning(attach(prepared.model, network), prepared.recipe, place)
        measure_loss(self.generator, prepared.model.conditioning, prepared.dataset("train"), seed=self.options.seed)
        self.state = TrainingState(network, self.options)
        self.best: tuple[float, int | None] = math.inf, None
        self._extra: int | None = None  # an extra checkpoint written on stopping
        self.seconds = 0.0
        if checkpoint is not None:
            tensors, record = run.load(checkpoint)
            self.state.load(tensors)
            if record.best_loss is not None:
                self.best = record.best_loss, record.best_step
            self.seconds = record.seconds
            if self.state.step % self.options.checkpoint_every and record.best_step != self.state.step:
                self._extra = self.state.step
        self.written = self.state.step
        self.spikes = Spikes()
        self.environment = describe_environment()
        self._validation = prepared.dataset("validation")
        self._started = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds that the run has taken, earlier sessions included."""
        return round(self.seconds + time.perf_counter() - self._started, 3)

    def agrees(self, flag: bool) -> bool:
        """Whether ``flag`` is true in any of the processes."""
        device = next(self.state.network.parameters()).device
        return bool(self.processes.mean(torch.tensor(float(flag), device=device)) > 0)

    def log_beginning(self, damaged: tuple[str, ...]) -> None:
        """Log the settings of this session."""
        if self.processes.first:
            self.run.rewind(self.state.step)
            self.run.log(
                event="session",
                step=self.state.step,
                began=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                processes=self.processes.count,
                device=str(next(self.state.network.parameters()).device.type),
                threads=torch.get_num_threads(),
                precision=self.precision.precision,
                precision_reason=self.precision.reason,
                damaged=list(damaged),
                **self.environment,
            )

    def log_step(self, progress: Stepped) -> None:
        """Log every tenth step, the last one, and unusual ones."""
        spike = self.spikes.is_one(progress.gradient_norm)
        last = progress.step == self.options.last_step
        if self.processes.first and (progress.step % _LOG_EVERY == 0 or progress.skipped or spike or last):
            plain = {name: _finite(value) for name, value in vars(progress).items()}
            rate = round(self.options.batch / progress.seconds, 2)
            self.run.log(event="step", elapsed=self.elapsed(), **plain, spike=spike, windows_per_second=rate)

    def validate(self) -> Validated:
        """Validate the averaged weights."""
        conditioning = self.prepared.model.conditioning
        with self.state.ema.within(self.state.network):
            loss = validation_loss(
                self.generator, conditioning, self._validation, self.options, processes=self.processes
            )
        skill = self._forecasts(_SMALL).scores.get("skill")
        better = loss < self.best[0]
        if better:
            self.best = loss, self.state.step
        if self.processes.first:
            self.run.log(
                event="validation", step=self.state.step, loss=_finite(loss), best=better, skill=_finite(skill)
            )
        windows = min(_SMALL.windows, len(self._validation))
        return Validated(step=self.state.step, loss=loss, best=better, skill=skill, windows=windows)

    def look(self) -> Watched:
        """Return forecasts of a few validation windows by the averaged weights; every process makes them."""
        seen = self._forecasts(self.prepared.recipe.watch)
        if self.processes.first:
            scores = {name: _finite(value) for name, value in seen.scores.items()}
            self.run.log(event="scores", step=self.state.step, **scores)
        return seen

    def _forecasts(self, options: WatchOptions) -> Watched:
        # In the precision of the training: measured by each process for itself, it might not be the same in all.
        model = self.prepared.model
        if model.sampling.precision == "auto":
            own: Literal["float32", "bf16"] = "bf16" if self.options.precision == "bf16" else "float32"
            model = replace(model, sampling=replace(model.sampling, precision=own))
        forecaster = Forecaster(model, self.generator)
        with self.state.ema.within(self.state.network):
            return look(forecaster, self._validation, options, step=self.state.step)

    def save(self) -> Saved:
        """Write a checkpoint; the other processes wait until it is on the disk."""
        state, config = self.state, self._config()
        tensors, weights = state.tensors(), state.ema.weights(state.network)
        reference = self._reference() if state.step == self.options.last_step else None
        loss, step = self.best
        record = {"best_loss": _finite(loss), "best_step": step, "seconds": self.elapsed()}

        def write_model(folder: Path) -> None:
            save_weights(folder, config, weights)
            if reference is not None:
                write_reference(folder, reference, config.normaliser, config.frames)

        def write() -> Path:
            path = self.run.save(state.step, write_model, tensors, record)
            self.run.prune(keep=self.options.keep, best=step, extra=self._extra)
            return path

        path = self.processes.share(write)
        self.written = state.step
        return Saved(step=state.step, path=path)

    def _reference(self) -> Reference | None:
        """Return what the model stores of its training data; nothing if the network is sharded."""
        if self.options.shard and self.processes.count > 1:
            return None
        with self.state.ema.within(self.state.network):
            forecaster = Forecaster(self.prepared.model, self.generator)
            return describe_training(forecaster, self.prepared.dataset("train"), seed=self.options.seed)

    def save_snapshot(self) -> None:
        """Save the power-function averages, from which others can be reconstructed later."""
        weights = [average.weights(self.state.network) for average in self.state.averages]
        averages = list(zip(self.options.averages, weights, strict=True))
        self.processes.share(lambda: save_snapshot(self.run.path, self.state.step, averages))

    def _config(self) -> ModelConfig:
        provenance = {
            "steps": self.state.step,
            "training": self.prepared.data_record,
            "best_validation_loss": _finite(self.best[0]),
            "seed": self.options.seed,
            "precision": self.options.precision,
            **{name: self.environment[name] for name in ("versions", "framecast_commit", "commit")},
        }
        return replace(self.prepared.model, provenance=provenance)


def _learning(generator: Generator, recipe: Recipe, device: torch.device) -> Generator:
    """Return ``generator``, or with a teacher the student that is trained in its place."""
    if recipe.distillation is None:
        return generator
    teacher = load(recipe.distillation.teacher, device=device).generator
    if not isinstance(teacher, Denoiser) or not isinstance(generator, Denoiser) or teacher.frame_masks:
        raise ConfigError(f"{recipe.distillation.teacher} cannot be distilled: it must be a diffusion without masks")
    return Student(generator, teacher, steps=recipe.distillation.steps)


def _precision(run: Run, prepared: Prepared, device: torch.device, *, overwrite: bool) -> tuple[Choice, str]:
    """Return the precision of the training, which an unfinished run keeps, and why; and that of the forecasts."""
    recipe = prepared.recipe
    before = {} if overwrite else run.settings()
    begun = _setting(before, "training", ("float32", "bf16", "fp16"))
    drawing = recipe.sampling.precision
    if drawing == "auto":
        drawing = _setting(before, "sampling", ("float32", "bf16")) or drawing
    if recipe.training.precision != "auto":
        choice = asked(recipe.training.precision, device)
    elif begun:
        choice = asked(begun, device, why="the run was started with it")
    else:
        model = prepared.model
        choice = choose(lambda: build_network(model).to(device), device, model, job="training")
    return choice, drawing


def _setting(plain: dict[str, Any], section: str, known: tuple[str, ...]) -> Any:
    """Return the precision in a section of a stored recipe, or ``None`` if it is not one of those ``known``."""
    own = plain.get(section)
    found = own.get("precision") if isinstance(own, dict) else None
    return found if found in known else None


def _open(run: Run, prepared: Prepared, *, overwrite: bool, longer: bool) -> tuple[Path | None, tuple[str, ...]]:
    """Make the run's folder or open an existing one, and lock it; see `Run.begin` and `Run.newest`."""
    run.hold()
    run.begin(dump_recipe(prepared.recipe), prepared.data_record, overwrite=overwrite, longer=longer)
    checkpoint, damaged = run.newest()
    return checkpoint, tuple(damaged)


def _check_agreement(processes: Processes, prepared: Prepared) -> None:
    """Raise `DataError` unless all processes, perhaps on several machines, have the same recipe and data."""
    mine = [dump_recipe(prepared.recipe), prepared.data_record["hashes"], to_plain(prepared.model)]
    everyone = processes.gather(mine)
    for rank, other in enumerate(everyone):
        if other != everyone[0]:
            raise DataError(
                f"process {rank} has a different recipe or different data than process 0: give all of them the same"
            )


def _finite(value: Any) -> Any:
    """Return ``value``, or ``None`` for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def _matmul(precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
