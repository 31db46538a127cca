"""A trained model for distribution: ONNX or PyTorch's own exported form for programs without framecast, or a folder.

Of a diffusion model the estimator of the clean video is exported, ``(x_t, t, past[, label]) -> x0``, with its weights
and schedule inside; of a one-shot model all of it, ``(noise, past[, label][, fields][, vector]) -> x0``, of which
noise, fields and vector are white noise. ``export.json`` contains the shapes, the normalisation, and the diffusion
times with their scales that the model's default sampler visits, which is all that a loop in another language needs
(with ``noise_slope`` below 1, the noise of a diffusion must be correlated as in `framecast.diffusion.noise`).
"""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from framecast._version import __version__
from framecast.core.configuration import to_plain
from framecast.core.errors import ConfigError, FramecastError
from framecast.core.files import EXPORT, MODEL, new_folder
from framecast.diffusion.noise import smooth_fields_by_matrices, smoothing
from framecast.generators.denoiser import Denoiser
from framecast.generators.one_shot import OneShot
from framecast.models.checkpoint import read_config, read_weights, save_weights
from framecast.models.config import ModelConfig
from framecast.models.forecaster import Forecaster
from framecast.models.header import find_model, read_header
from framecast.models.reference import read_reference, write_reference
from framecast.verification.recalibration.calibration import read_calibration, write_calibration

Format = Literal["onnx", "torch"]
FILES: dict[Format, str] = {"onnx": "model.onnx", "torch": "model.pt2"}
"""Name of the exported graph's file, by format."""


class _SingleTime(nn.Module):
    """A denoiser that takes its diffusion times in float32, as runtimes require."""

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, x_t: Tensor, t: Tensor, past: Tensor, label: Tensor | None = None) -> Tensor:
        x0: Tensor = self.denoiser(x_t, t.double(), past, label)
        return x0


class _OneShotOfWhiteNoise(nn.Module):
    """A one-shot generator that is given all of its noise, white and by ``names`` of the inputs."""

    rows: Tensor
    columns: Tensor

    def __init__(self, generator: OneShot, names: Sequence[str], height: int, width: int) -> None:
        super().__init__()
        self.generator, self.names = generator, tuple(names)
        self.register_buffer("rows", smoothing(generator.fields, height))
        self.register_buffer("columns", smoothing(generator.fields, width))

    def forward(self, *given: Tensor) -> Tensor:
        inputs = dict(zip(self.names, given, strict=True))
        past = inputs["past"]
        if "fields" in inputs:
            past = torch.cat([past, smooth_fields_by_matrices(inputs["fields"], self.rows, self.columns)], dim=1)
        x0: Tensor = self.generator(inputs["noise"], past, inputs.get("label"), inputs.get("vector"))
        return x0


def export_model(
    forecaster: Forecaster,
    out: str | Path,
    *,
    format: Format,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the model into the folder ``out`` and return the file with its graph; the forecaster is moved to the CPU.

    The batch may be of any size when it runs; height and width are fixed.

    Args:
        forecaster: the model.
        out: the folder to make: ``model.onnx`` or ``model.pt2``, and ``export.json``.
        format: ``onnx`` (for onnxruntime and similar) or ``torch`` (for `torch.export.load`).
        size: height and width of the frames, if not those the model was trained on.
        overwrite: whether an earlier export of that name may be replaced.

    Raises:
        ConfigError: no such format, or the network cannot take frames of this size.
        FramecastError: ``out`` is taken, or the libraries that write ONNX are not installed.
    """
    if format not in FILES:
        raise ConfigError(f"{format!r} is not an export format: choose one of {', '.join(FILES)}")
    if format == "onnx":
        _require_onnx()
    forecaster.to("cpu")
    inputs = example_inputs(forecaster, size=size)
    with new_folder(out, overwrite=overwrite, kind=EXPORT) as folder:
        program = _trace(forecaster.generator, inputs)
        if format == "onnx":
            _write_onnx(program, tuple(inputs), folder / FILES[format])
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.export.save(program, folder / FILES[format])
        record = describe_export(forecaster, inputs, format)
        (folder / EXPORT.marker).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return Path(out) / FILES[format]


def example_inputs(forecaster: Forecaster, *, size: tuple[int, int] | None = None, batch: int = 2) -> dict[str, Tensor]:
    """Return inputs of the exported graph by name, of the right shapes and with nothing meaningful in them.

    Raises:
        ConfigError: the network cannot take frames of this ``size`` (height, width).
    """
    frames = forecaster.frames
    height, width = size or (frames.height, frames.width)
    generator = forecaster.generator
    if check := getattr(generator.network, "check_size", None):
        check(height, width)  # a graph has one size, without padding
    conditioning = forecaster.conditioning
    generated = torch.zeros(batch, *conditioning.shape(height, width))
    condition = torch.zeros(batch, conditioning.channels, conditioning.condition_frames, height, width)
    if isinstance(generator, Denoiser):
        inputs = {"x_t": generated, "t": torch.full((batch,), 0.5), "past": condition}
    else:
        inputs = {"noise": generated, "past": condition}
    if forecaster.labels:
        inputs["label"] = torch.full((batch,), len(forecaster.labels), dtype=torch.int64)
    if isinstance(generator, OneShot) and generator.fields:
        inputs["fields"] = torch.zeros(batch, generator.fields, conditioning.condition_frames, height, width)
    if isinstance(generator, OneShot) and generator.noise_vector:
        inputs["vector"] = torch.zeros(batch, generator.noise_vector)
    return inputs


def describe_export(forecaster: Forecaster, inputs: dict[str, Tensor], format: Format) -> dict[str, Any]:
    """Return the content of ``export.json``."""
    representation = forecaster.conditioning.representation
    return {
        "format": "framecast-export",
        "version": 1,
        "framecast_version": __version__,
        "model": forecaster.name,
        "weights_sha256": forecaster.config.weights_sha256,
        "file": FILES[format],
        "inputs": {
            name: {"shape": ["batch", *value.shape[1:]], "type": str(value.dtype).removeprefix("torch.")}
            for name, value in inputs.items()
        },
        "output": {"name": "x0", "shape": ["batch", *next(iter(inputs.values())).shape[1:]], "type": "float32"},
        "axes": ["batch", "channel", "time", "height", "width"],
        "frames": to_plain(representation.frames),
        "unit": forecaster.unit,
        "normaliser": to_plain(representation.normaliser),
        "target": to_plain(representation.target),
        **({"forcings": list(representation.forcings)} if representation.forcings else {}),
        **({"anomalies": to_plain(representation.anomalies)} if representation.anomalies else {}),
        "labels": [*forecaster.labels, "unknown"] if forecaster.labels else [],
        "sampling": _describe_sampling(forecaster),
    }


def _describe_sampling(forecaster: Forecaster) -> dict[str, Any]:
    """Return how x0 is drawn with the graph: at which times, with which scales."""
    generator, options = forecaster.generator, forecaster.sampling
    if not isinstance(generator, Denoiser):
        return generator.describe(options)
    times = options.times(generator.schedule, generator.grid)
    scale = generator.schedule(times)
    visited = {"times": times.tolist(), "alpha": scale.alpha.tolist(), "sigma": scale.sigma.tolist()}
    return to_plain(options) | visited | {"noise_slope": generator.noise_slope}


def _require_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise FramecastError(
            f"writing ONNX needs the package {error.name}: pip install 'framecast[export]', or use --format torch"
        ) from None


def _trace(generator: nn.Module, inputs: dict[str, Tensor]) -> torch.export.ExportedProgram:
    """Return the generator as a graph in which only the batch is free."""
    free: Any = tuple({0: torch.export.Dim("batch")} for _ in inputs)
    with torch.no_grad():
        if isinstance(generator, Denoiser):
            generator.schedule(inputs["t"].double())  # tables are computed once, outside the graph, and kept
            generator = _SingleTime(generator)
        elif isinstance(generator, OneShot):
            generator, free = _OneShotOfWhiteNoise(generator, list(inputs), *inputs["past"].shape[-2:]), (free,)
        return torch.export.export(generator, tuple(inputs.values()), dynamic_shapes=free)


@contextmanager
def _silent() -> Iterator[None]:
    """Hide what PyTorch prints and logs, such as which packages it did without."""
    before, chatter = logging.root.manager.disable, StringIO()
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(chatter), redirect_stderr(chatter):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _write_onnx(program: torch.export.ExportedProgram, names: tuple[str, ...], path: Path) -> None:
    with _silent(), torch.no_grad():
        onnx_program = torch.onnx.export(
            program, dynamo=True, input_names=list(names), output_names=["x0"], verbose=False
        )
        assert onnx_program is not None
        onnx_program.save(str(path))


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
