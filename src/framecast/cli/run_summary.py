"""What the log and the folder of a run say about it, on one screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from framecast.cli.rows import Rows, megabytes, nested
from framecast.core.errors import DataError
from framecast.core.reading import parse_yaml, read_json

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 48


def describe_training(path: Path) -> Rows:
    """Return names and values that describe how the run at ``path`` has gone."""
    from framecast.training.run import Run

    run = Run(path)
    records = run.records()
    options = _options(path / "recipe.yaml")
    steps = [record for record in records if record.get("event") == "step"]
    sessions = [record for record in records if record.get("event") == "session"]
    validations = [record for record in records if record.get("event") == "validation"]
    return [
        ("state", _state(run.step, options["steps"])),
        *_losses(steps),
        *_validation(validations),
        *_pace(steps, options["batch"]),
        *_trouble(steps, sessions),
        *_sessions(sessions),
        ("seed", str(options["seed"])),
        ("checkpoints", f"steps {', '.join(str(int(p.name)) for p in run.checkpoints) or 'none'}; {megabytes(path)}"),
        *_data(path),
    ]


def _options(recipe: Path) -> dict[str, int]:
    """Return how long the run is, its batch and its seed.

    Raises:
        ConfigError: the recipe is no YAML.
        DataError: it does not say them.
    """
    plain = parse_yaml(recipe.read_text(encoding="utf-8", errors="replace"), str(recipe))
    try:
        return {name: int(plain["training"][name]) for name in ("steps", "batch", "seed")}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{recipe} is damaged: training.steps, batch and seed are not all there; bring it back"
        ) from None


def _state(step: int, last: int) -> str:
    if step >= last:
        return f"finished: {last} steps"
    return f"{step} of {last} steps are saved ({step / last:.0%}); the command that began it goes on from there"


def _losses(steps: Sequence[Mapping[str, Any]]) -> Rows:
    losses = [step["loss"] for step in steps if step.get("loss") is not None]
    if not losses:
        return []
    tail = fmean(losses[-max(1, len(losses) // 10) :])
    return [("loss", f"{sparkline(losses)}  {losses[0]:.4f} to {tail:.4f} (mean of the last tenth)")]


def _validation(validations: Sequence[Mapping[str, Any]]) -> Rows:
    losses = [record["loss"] for record in validations if record.get("loss") is not None]
    if not losses:
        return []
    best = min((record for record in validations if record.get("loss") is not None), key=lambda r: r["loss"])
    shown = f"{sparkline(losses)}  " if len(losses) > 1 else ""
    return [("validation", f"{shown}now {losses[-1]:.4f}; best {best['loss']:.4f} at step {best['step']}")]


def _pace(steps: Sequence[Mapping[str, Any]], batch: int) -> Rows:
    from framecast.core.options import format_duration

    timed = [step for step in steps if step.get("seconds")]
    if not timed:
        return []
    seconds = median(step["seconds"] for step in timed)
    waited = sum(step.get("waited", 0.0) for step in timed) / sum(step["seconds"] for step in timed)
    elapsed = format_duration(round(max(step.get("elapsed", 0.0) for step in timed)))
    return [("pace", f"{batch / seconds:.3g} windows/s, {waited:.0%} of the time waiting for them; {elapsed} so far")]


def _trouble(steps: Sequence[Mapping[str, Any]], sessions: Sequence[Mapping[str, Any]]) -> Rows:
    skipped = [step["step"] for step in steps if step.get("skipped")]
    spikes = [step["step"] for step in steps if step.get("spike")]
    damaged = [finding for session in sessions for finding in session.get("damaged", ())]
    rows = []
    if skipped:
        rows.append(("skipped", f"{_steps(skipped)} whose loss or gradient was not finite: {_some(skipped)}"))
    if spikes:
        rows.append(("spikes", f"{_steps(spikes)} with a gradient five times the usual: {_some(spikes)}"))
    return rows + [("damaged", finding) for finding in damaged]


def _sessions(sessions: Sequence[Mapping[str, Any]]) -> Rows:
    if not sessions:
        return []
    last = sessions[-1]
    count = f"{len(sessions)} sittings, the last" if len(sessions) > 1 else "one sitting,"
    processes = f"{last['processes']} processes" if last["processes"] > 1 else "1 process"
    versions = last.get("versions", {})
    named = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "zarr") if name in versions)
    rows = [
        ("trained", f"{count} from step {last['step']} on {last['began']}: {processes} on {last['device']}"),
        ("made with", f"framecast {last['framecast']}, Python {last['python']}, {named}"),
    ]
    if "precision" in last:  # not said by runs from before there was a choice
        rows.insert(1, ("precision", f"{last['precision']}: {last['precision_reason']}"))
    commits = {name: last.get(key) for name, key in (("framecast", "framecast_commit"), ("here", "commit"))}
    known = ", ".join(f"{name} {commit[:12]}{commit[40:]}" for name, commit in commits.items() if commit)
    return [*rows, ("commit", known)] if known else rows


def _data(path: Path) -> Rows:
    try:
        data = read_json(path / "data.json")
    except FileNotFoundError:
        return []
    return nested(data) if isinstance(data, dict) else []


def _steps(steps: Sequence[int]) -> str:
    return "1 step" if len(steps) == 1 else f"{len(steps)} steps"


def _some(steps: Sequence[int], most: int = 8) -> str:
    return ", ".join(map(str, steps[:most])) + (" …" if len(steps) > most else "")


def sparkline(values: Sequence[float]) -> str:
    """Return the course of ``values`` in at most 48 bars, means of neighbours, from their least to their greatest."""
    count = min(_COLUMNS, len(values))
    means = [fmean(values[k * len(values) // count : (k + 1) * len(values) // count]) for k in range(count)]
    low, high = min(means), max(means)
    return "".join(_BARS[int((value - low) / (high - low) * 7.999) if high > low else 0] for value in means)
