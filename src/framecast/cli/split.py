"""``framecast split``: the split of the windows of a recipe, written to a table and compared."""

from pathlib import Path
from typing import Annotated

import typer

from framecast.cli.console import note, print_table, say
from framecast.core.errors import FramecastError


def split(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A recipe (tiny, paper, paper-deep) or the path of a YAML file.")
    ],
    changes: Annotated[
        list[str] | None,
        typer.Argument(metavar="SECTION.KEY=VALUE", help="Settings in place of the recipe's, such as data.past=4."),
    ] = None,
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
