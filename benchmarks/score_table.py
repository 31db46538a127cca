"""The tables of the model cards and of docs/models.md, from the scores that ``framecast evaluate`` wrote.

python benchmarks/score_table.py report/scores.json
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEVEL = "95"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path)
    scores = json.loads(parser.parse_args().scores.read_text(encoding="utf-8"))
    names = [*scores["models"], *(n for n in scores["forecasts"] if n not in scores["models"])]
    unit, blocks = scores["unit"], scores["bootstrap"]
    print(
        f"{scores['judged_samples']} windows, {scores['members']} members; {LEVEL} % intervals by bootstrap over "
        f"{blocks['number_of_blocks']} blocks ({blocks['blocks']}).\n"
    )
    show(["", *names], [row(scores, names, *what) for what in figures(unit)])
    print(f"\nModel over baseline, {scores['models'][0]}:\n")
    model = scores["forecasts"][scores["models"][0]]
    for baseline, skill in model["skill"].items():
        low, high = skill[LEVEL]
        print(
            f"- CRPS below {baseline.replace('_', ' ')}: {skill['value']:.1%} ({low:.1%} to {high:.1%}); by lead time"
        )
        print(f"  {', '.join(f'{value:.1%}' for value in skill['by_lead']['value'])}")
    if model.get("oracle_skill"):
        low, high = model["oracle_skill"][LEVEL]
        print(
            "- of the way from persistence to the oracle: "
            f"{model['oracle_skill']['value']:.2f} ({low:.2f} to {high:.2f})"
        )
    print("- spread / error by lead time:", ", ".join(f"{value:.2f}" for value in model["spread_skill_by_lead"]))
    power = zip(scores["wavelengths_px"], model["power_ratio"], strict=True)
    print("- power over the truth's:", ", ".join(f"{value:.2f} at {wave:.1f} px" for wave, value in power))
    for kind in ("", "calibrated"):
        held = model.get(kind, {}).get("coverage") if kind else model["coverage"]
        if held:
            shares = ", ".join(f"{name} {flat(held[name]['90']):.0%}" for name in ("flux", "mpf", "fluence", "t2pf"))
            print(f"- 90 % intervals{' ' + kind if kind else ''} hold: {shares}")


def figures(unit: str) -> Iterator[tuple[str, str, int]]:
    """Yield label, key and digits of every line of the table."""
    yield f"fair CRPS, {unit}", "crps", 2
    yield f"RMSE of the ensemble mean, {unit}", "rmse", 1
    yield "spread / error", "spread_skill", 2
    yield f"energy score, {unit}", "energy_score", 2
    yield f"CRPS of the flux, {unit}", "flux_crps", 0


def row(scores: dict[str, Any], names: list[str], label: str, key: str, digits: int) -> list[str]:
    """Return one line: a figure of every forecast with its interval."""
    cells = [label]
    for name in names:
        forecast = scores["forecasts"][name]
        value, interval = forecast.get(key), forecast["confidence"].get(key)
        if value is None or (key == "spread_skill" and forecast["members"] < 2):
            cells.append("–")
        else:
            low, high = interval[LEVEL]
            cells.append(f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})")
    return cells


def show(head: list[str], rows: list[list[str]]) -> None:
    """Print a Markdown table."""
    for cells in (head, ["---"] * len(head), *rows):
        print(f"| {' | '.join(cells)} |")


def flat(value: float | list[float]) -> float:
    """Return a share, or the mean of the shares of several channels or lead times."""
    return sum(map(flat, value)) / len(value) if isinstance(value, list) else value


if __name__ == "__main__":
    main()
