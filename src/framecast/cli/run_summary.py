"""What the log and the folder of a run say about it, on one screen."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

from framecast.cli.console import Rows, megabytes, nested
from framecast.core.errors import DataError
from framecast.core.options import format_duration
from framecast.core.reading import parse_yaml, read_json, read_text

_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 48

Records = Sequence[Mapping[str, Any]]


def describe_training(path: Path) -> Rows:
    """Return names and values that describe how the run at ``path`` has gone."""
    from framecast.training.run import Run

    run = Run(path)
    options = _options(path / "recipe.yaml")
    events: dict[str, list[Mapping[str, Any]]] = {"step": [], "session": [], "validation": []}
    for record in run.records():
        events.setdefault(str(record.get("event")), []).append(record)
    steps, sessions = events["step"], events["session"]
    state = f"finished: {options['steps']} steps"
    if run.step < options["steps"]:
        state = f"{run.step} of {options['steps']} steps are saved ({run.step / options['steps']:.0%}): rerun to resume"
    return [
        ("state", state),
        *_losses(steps, events["validation"]),
        *_pace(steps, options["batch"]),
        *_trouble(steps, sessions),
        *(_session(sessions) if sessions else []),
        ("seed", str(options["seed"])),
        ("checkpoints", f"steps {', '.join(str(int(p.name)) for p in run.checkpoints) or 'none'}; {megabytes(path)}"),
        *_data(path),
    ]


def _options(recipe: Path) -> dict[str, int]:
    """Return how long the run is, its batch and its seed."""
    plain = parse_yaml(read_text(recipe), str(recipe))
    try:
        return {name: int(plain["training"][name]) for name in ("steps", "batch", "seed")}
    except (KeyError, TypeError, ValueError, OverflowError):
        raise DataError(
            f"{recipe} is damaged: training.steps, batch and seed are not all present; restore the file"
        ) from None


def _losses(steps: Records, validations: Records) -> Rows:
    rows = []
    if losses := [step["loss"] for step in steps if step.get("loss") is not None]:
        tail = fmean(losses[-max(1, len(losses) // 10) :])
        rows.append(("loss", f"{sparkline(losses)}  {losses[0]:.4f} to {tail:.4f} (mean of the last tenth)"))
    if known := [record for record in validations if record.get("loss") is not None]:
        losses, best = [record["loss"] for record in known], min(known, key=lambda record: record["loss"])
        shown = f"{sparkline(losses)}  " if len(losses) > 1 else ""
        rows.append(("validation", f"{shown}now {losses[-1]:.4f}; best {best['loss']:.4f} at step {best['step']}"))
    return rows


def _pace(steps: Records, batch: int) -> Rows:
    timed = [step for step in steps if step.get("seconds")]
    if not timed:
        return []
    seconds = [step["seconds"] for step in timed]
    waited = sum(step.get("waited") or 0.0 for step in timed) / sum(seconds)
    elapsed = format_duration(round(max(step.get("elapsed") or 0.0 for step in timed)))
    pace = f"{batch / median(seconds):.3g} windows/s"
    return [("pace", f"{pace}, {waited:.0%} of the time waiting for data; {elapsed} so far")]


def _trouble(steps: Records, sessions: Records) -> Rows:
    rows = []
    for flag, name, what in (
        ("skipped", "skipped", "whose loss or gradient was not finite"),
        ("spike", "spikes", "with a gradient norm over five times the median"),
    ):
        if found := [step["step"] for step in steps if step.get(flag)]:
            count = "1 step" if len(found) == 1 else f"{len(found)} steps"
            some = ", ".join(map(str, found[:8])) + (" …" if len(found) > 8 else "")
            rows.append((name, f"{count} {what}: {some}"))
    return rows + [("damaged", finding) for session in sessions for finding in session.get("damaged", ())]


def _session(sessions: Records) -> Rows:
    last, versions = sessions[-1], sessions[-1].get("versions", {})
    count = f"{len(sessions)} sessions, the last" if len(sessions) > 1 else "one session,"
    processes = f"{last['processes']} processes" if last["processes"] > 1 else "1 process"
    named = ", ".join(f"{name} {versions[name]}" for name in ("torch", "numpy", "zarr") if name in versions)
    rows = [("trained", f"{count} from step {last['step']} on {last['began']}: {processes} on {last['device']}")]
    if "precision" in last:  # not said by runs from before there was a choice
        rows.append(("precision", f"{last['precision']}: {last['precision_reason']}"))
    rows.append(("made with", f"framecast {last['framecast']}, Python {last['python']}, {named}"))
    commits = {name: last.get(key) for name, key in (("framecast", "framecast_commit"), ("here", "commit"))}
    known = ", ".join(f"{name} {commit[:12]}{commit[40:]}" for name, commit in commits.items() if commit)
    return [*rows, ("commit", known)] if known else rows


def _data(path: Path) -> Rows:
    try:
        data = read_json(path / "data.json")
    except FileNotFoundError:
        return []
    return nested(data) if isinstance(data, dict) else []


def sparkline(values: Sequence[float]) -> str:
    """Return the course of ``values`` in at most 48 bars, means of neighbours, from their least to their greatest."""
    count = min(_COLUMNS, len(values))
    means = [fmean(values[k * len(values) // count : (k + 1) * len(values) // count]) for k in range(count)]
    low, high = min(means), max(means)
    return "".join(_BARS[int((value - low) / (high - low) * 7.999) if high > low else 0] for value in means)
