"""Real data from file to report by the commands of a new user: import, the printed next one, forecast, evaluate.

    FRAMECAST_DATA=… python benchmarks/real_sets.py out --budget 1min

prints the table of docs/importing.md, whose seconds are those of whole commands (import + train + forecast + evaluate),
timed by this script. A stage that is recorded in ``out`` already is not repeated.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import framecast as fc

SETS = {
    "era5": ("import", "era5-t2m-uk-2019-03", ""),
    "agulhas": ("import", "agulhas-currents-2002", ""),
    "typhoon": ("import", "typhoon-ir", "--sequence file --independent --coarsen 8"),
    "tracks": ("import", "aia171-193-tracks-2012-07-19", "--unit 1 --coarsen 4"),
    "radar": ("import", "knmi-radar-2021", "--scale 0.5 --offset -32 --independent --coarsen 8"),
    "rate": (
        "import",
        "knmi-radar-2021",
        "--scale 0.5 --offset -32 --unit mm/h --dry-below 0.1 --independent --coarsen 8",
    ),
    "rain": ("import", "radar-rain/fmi/20160928", "--unit mm/h --dry-below 0.1 --coarsen 16"),
    "sun": ("solar prepare", "aia171-fulldisk-2017", "--size 64 --spacing 30 --workers 1"),
}
"""Command, folder in ``FRAMECAST_DATA``, and what only a person knows."""


def run(words: list[str], log: Path) -> float:
    """Run a command of framecast, store what it printed in ``log``, and return the seconds of the whole process."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "framecast", *words], capture_output=True, text=True, cwd=log.parent)
    said = (done.stdout + done.stderr).replace("\r", "\n")
    log.write_text(said, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"framecast {shlex.join(words)}: {said.strip().splitlines()[-1]}")
    return time.perf_counter() - began


def validation_skill(log: Path) -> float | None:
    """Return the skill against persistence of the last validation of a run."""
    events = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return [event.get("skill") for event in events if event["event"] == "validation"][-1]


def stages(name: str, out: Path, budget: str, limit: int) -> str:
    """Run what is missing of one set and return its row of the table."""
    command, folder, options = SETS[name]
    record = out / f"{name}.json"
    seconds: dict[str, float] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}

    def stage(which: str, words: list[str]) -> None:
        if which not in seconds:
            seconds[which] = run(words, out / f"{name}-{which}.log")
            record.write_text(json.dumps(seconds), encoding="utf-8")

    source = Path(os.environ["FRAMECAST_DATA"]) / folder
    stage("import", [*command.split(), str(source), f"{name}.zarr", *options.split()])
    said = (out / f"{name}-import.log").read_text(encoding="utf-8").splitlines()
    hint = next((line for line in said if line.startswith("next: ")), "")
    train = shlex.split(hint.removeprefix("next: framecast ")) or [
        *("train", "auto", "--data", f"{name}.zarr", "--out", f"runs/{name}")
    ]
    stage("train", [*train, "--budget", budget])
    chosen = [f"runs/{name}", f"{name}.zarr", f"{name}-forecast.zarr", "--members", "10", "--limit", str(limit)]
    stage("forecast", ["forecast", *chosen])
    stage("evaluate", ["evaluate", f"{name}-forecast.zarr", "--out", f"{name}-report"])
    scores = fc.open_scores(out / f"{name}-report" / "scores.json")
    model = next(each for each in scores.forecasts.values() if each.kind == "model")
    skill = {base: f"{100 * float(model.skill[base]['crps'].total.value):.0f} %" for base in model.skill}
    validated = validation_skill(out / "runs" / name / "log.jsonl")
    archive = fc.Archive.open(out / f"{name}.zarr")
    frames = sum(len(archive.times(each)) for each in archive.sequences)
    cells = (
        f"`{command} {folder}{' ' + options if options else ''}`",
        f"{len(archive.sequences)} × {frames // len(archive.sequences)} × {archive.height}×{archive.width}",
        " ".join(word for word in train[6:] if "=" in word) or "none",
        "" if validated is None else f"{100 * validated:.0f} %",
        skill.get("persistence", ""),
        skill.get("fitted_persistence", skill.get("dressed_persistence", "")),
        " + ".join(f"{seconds[which]:.0f}" for which in ("import", "train", "forecast", "evaluate")),
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--budget", default="1min")
    parser.add_argument("--limit", type=int, default=12, help="windows judged")
    parser.add_argument("--only", nargs="*", choices=list(SETS), default=list(SETS))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    print("| command | archive | settings | validation | persistence | fitted | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.only:
        print(stages(name, arguments.out.resolve(), arguments.budget, arguments.limit), flush=True)


if __name__ == "__main__":
    main()
