"""The tables of the model cards and of docs/models.md, from the scores that ``framecast evaluate`` wrote.

python benchmarks/score_table.py report/scores.json
"""

import argparse
from pathlib import Path

from framecast.verification.files import open_scores
from framecast.verification.results import IntervalScores, Scores

DIGITS = {"crps": 2, "rmse": 1, "spread_skill": 2, "energy_score": 2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scores", type=Path)
    scores = open_scores(parser.parse_args().scores)
    first, blocks = scores.models[0], scores.bootstrap
    model = scores[first]
    print(
        f"{scores.judged_samples} windows, {model.members} members; 95 % intervals by bootstrap over "
        f"{blocks.number_of_blocks} blocks ({blocks.blocks}).\n"
    )
    names = list(scores.forecasts)
    shown = [*DIGITS, f"{next(iter(scores.quantity_info))}_crps"]
    for cells in (["", *names], ["---"] * (len(names) + 1), *(row(scores, names, name) for name in shown)):
        print(f"| {' | '.join(cells)} |")
    print(f"\nModel over baseline, {first}:\n")
    for baseline, skills in model.skill.items():
        skill = skills["crps"]
        low, high = skill.total.bounds()
        print(f"- CRPS below {baseline}: {float(skill.total):.1%} ({low:.1%} to {high:.1%}); by lead time")
        print(f"  {', '.join(f'{value:.1%}' for value in skill.by_lead.value)}")
    if model.oracle_skill is not None:
        low, high = model.oracle_skill.bounds()
        print(f"- fraction of attainable skill: {float(model.oracle_skill):.2f} ({low:.2f} to {high:.2f})")
    print("- spread / error by lead time:", ", ".join(f"{v:.2f}" for v in model["spread_skill"].by_lead.value))
    power = zip(scores.wavelengths_px, model["power_ratio"].total.value, strict=True)
    print("- power over the truth's:", ", ".join(f"{value:.2f} at {wave:.1f} px" for wave, value in power))
    own = {name: entry.intervals for name, entry in model.quantities.items()}
    print(f"- coverage of 90 % intervals: {coverage(scores, own)}")
    if model.recalibrated is not None:
        print(f"- coverage of recalibrated 90 % intervals: {coverage(scores, model.recalibrated.quantities)}")


def row(scores: Scores, names: list[str], score: str) -> list[str]:
    """Return one line: a figure of every forecast with its interval."""
    info, digits = scores.score_info[score], DIGITS.get(score, 0)
    cells = [f"{info.label}, {info.unit}" if info.unit else info.label]
    for name in names:
        total = scores[name][score].total
        low, high = total.bounds()
        figure = f"{float(total):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
        cells.append("–" if info.ensembles and scores[name].point else figure)
    return cells


def coverage(scores: Scores, held: dict[str, dict[int, IntervalScores]]) -> str:
    """Return the coverage of the 90 % intervals of every quantity."""
    return ", ".join(
        f"{scores.quantity_info[name].label} {float(levels[90].coverage):.0%}" for name, levels in held.items()
    )


if __name__ == "__main__":
    main()
