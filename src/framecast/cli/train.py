"""``framecast train``, ``distill`` and ``split``: from a recipe and an archive to a run."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, print_table, say
from framecast.cli.failures import Stop
from framecast.core.errors import ConfigError, FramecastError

Changes = Annotated[
    list[str] | None,
    typer.Argument(metavar="SECTION.KEY=VALUE", help="Settings in place of the recipe's, such as training.batch=4."),
]
Device = Annotated[
    str | None, typer.Option(help="Device to train on: cpu, cuda, cuda:1. [default: the GPU if there is one]")
]


def train(
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A recipe: auto (fitted to data, machine and --budget), tiny or another built-in one, or a YAML "
            "file; or the folder of a run, to train it further.",
        ),
    ],
    changes: Changes = None,
    data: Annotated[Path | None, typer.Option("--data", help="The archive to train on.", metavar="ARCHIVE")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run's folder. An unfinished run there is resumed.", metavar="RUN")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Start from the weights of this model: a run, a model folder or a released model."
        ),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time that the run may take, such as 20min, in place of the recipe's steps."),
    ] = None,
    device: Device = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite a different run in that folder.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the recipe with all its settings as YAML, and stop.")
    ] = False,
) -> None:
    """Train a recipe on an archive. Rerun the same command to resume an interrupted run.

    Several processes: torchrun --standalone --nproc-per-node N -m framecast train ...
    """
    note(f"reading recipe {config}")
    import framecast as fc
    from framecast.training.recipe import dump_recipe, settings

    further = (Path(config) / "recipe.yaml").is_file()
    wanted = settings(changes or ())
    if start is not None:
        wanted = {"training.start": start, **wanted}
    if budget is not None:
        wanted = {"training.steps": None, "training.epochs": None, "training.budget": budget, **wanted}
    recipe = fc.load_recipe(Path(config) / "recipe.yaml" if further else config, wanted)
    if print_config:
        for line in dump_recipe(recipe).splitlines():
            say(line)
        return
    if out is None and not further:
        raise ConfigError("training needs --data ARCHIVE and --out RUN")
    with Stop().on_signals() as stop:
        run = fc.train(config, data, out=out, device=device, overwrite=overwrite, stop=stop, **wanted)
    stop.end(f"step {run.step} is saved")
    say(str(run.path))
    if data is not None:
        words = ["framecast", "forecast", str(run.path), str(data), "forecast.zarr", "--split", "test"]
        note(f"next: {shlex.join(words)}")


def distill(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A diffusion model: a run, a model folder or a released model.")
    ],
    changes: Changes = None,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="RUN", help="The last student's folder; the others are beside it, such as RUN-8."
        ),
    ] = ...,  # type: ignore[assignment]
    data: Annotated[
        Path | None, typer.Option("--data", metavar="ARCHIVE", help="Training windows. [default: those of the model]")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Network evaluations per member of the last student.")] = 4,
    teacher_steps: Annotated[
        int, typer.Option(min=2, help="Steps of MODEL as the first teacher: STEPS times a power of two.")
    ] = 16,
    updates: Annotated[int, typer.Option(min=1, help="Optimizer steps of each student.")] = 1000,
    device: Device = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite different runs in these folders.")] = False,
) -> None:
    """Halve the sampling steps of a diffusion model repeatedly.

    This is progressive distillation (Salimans and Ho 2022). Rerun the same command to resume an interrupted one.
    """
    note(f"distilling {model}")
    import framecast as fc
    from framecast.training.recipe import settings

    with Stop().on_signals() as stop:
        run = fc.distill(
            model,
            data,
            out=out,
            steps=steps,
            teacher_steps=teacher_steps,
            updates=updates,
            device=device,
            overwrite=overwrite,
            stop=stop,
            **settings(changes or ()),
        )
    stop.end(f"step {run.step} of {run.path} is saved")
    say(str(run.path))


def split(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A recipe (tiny, paper, paper-deep) or the path of a YAML file.")
    ],
    changes: Changes = None,
    data: Annotated[Path, typer.Option("--data", help="The archive.", metavar="ARCHIVE")] = ...,  # type: ignore[assignment]
    out: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Write a table of all windows and the part each belongs to.")
    ] = None,
    compare: Annotated[
        Path | None, typer.Option(metavar="CSV", help="Compare with such a table; fail if they differ.")
    ] = None,
) -> None:
    """Show how training splits the windows of an archive.

    The size and checksum of each part are printed, and how many windows are left out for which reason. Two people with
    the same checksums used the same split. A table can be used as one: data.split.kind=table data.split.table=split.csv
    """
    note(f"splitting the windows of {data}")
    from framecast.core.configuration import kind_of
    from framecast.data.archive.reader import Archive
    from framecast.data.split_table import SIDES, checksum, write_split
    from framecast.data.split_table import compare as compare_with
    from framecast.data.splits import few
    from framecast.training.prepare import divide
    from framecast.training.recipe import load_recipe

    recipe = load_recipe(config, changes or ())
    windows, chosen, sides = divide(recipe, Archive.open(data))
    rows: list[tuple[str, str]] = [("by", kind_of(chosen))]
    rows += [(side, f"{len(sides[side])} windows  {checksum(sides, side)}") for side in SIDES]
    rows.append(("dropped", f"{len(sides['dropped'])} windows across two parts, dropped"))
    rows += [("left out", f"{count} {reason}") for reason, count in sorted(windows.rejected.items()) if count]
    print_table(f"Split of {len(windows)} windows", rows)
    for warning in (windows.remedy, few(sides, chosen)):
        if warning:
            note(f"warning: {warning}")
    if compare is not None:
        pairs = compare_with(sides, compare)
        differing = {pair: count for pair, count in sorted(pairs.items()) if pair[0] != pair[1]}
        if differing:
            rows = [(f"{count}", f"{here} here, {there} there") for (here, there), count in differing.items()]
            print_table("Differences", rows)
            raise FramecastError(
                f"{sum(differing.values())} of {pairs.total()} windows are in another part of the split in {compare}"
            )
        print_table("No difference", [("windows", str(pairs.total())), ("table", str(compare))])
    if out is not None:
        write_split(out, sides)
        say(str(out))
