"""``framecast machine``: properties of this machine, and the precisions measured on it."""

import os
from typing import Annotated, Any

import typer

from framecast.cli.console import Rows, note, print_table


def machine(
    reset: Annotated[
        bool,
        typer.Option("--reset", help="Delete the measurements of bf16 against float32; they are repeated when needed."),
    ] = False,
) -> None:
    """Show what framecast uses of this machine.

    Processor, memory and threads, whether bf16 is native, and what has been measured to choose the precision.
    """
    note("inspecting this machine")
    import torch

    from framecast.core.machine import cache_folder, cores, processor, total_memory
    from framecast.models.precision import forget_measurements, measurements

    if reset:
        count = forget_measurements()
        note(f"{count} measurement{'' if count == 1 else 's'} deleted")
    print_table(
        "machine",
        [
            ("processor", f"{processor()}, instructions {torch.backends.cpu.get_cpu_capability()}"),
            ("cores", f"{cores()}; {threads(torch.get_num_threads())}"),
            ("memory", f"{total_memory() / 1e9:.3g} GB"),
            ("torch", torch.__version__),
            *devices(),
            ("cache", str(cache_folder())),
            *(("measured", measured(kept)) for kept in measurements()),
        ],
    )


def threads(count: int) -> str:
    """Return how many threads a network is computed with, and what says so."""
    origin = "set by OMP_NUM_THREADS" if "OMP_NUM_THREADS" in os.environ else "set OMP_NUM_THREADS for fewer or more"
    return f"{count} thread{'' if count == 1 else 's'} ({origin})"


def devices() -> Rows:
    """Return for each device whether it computes in bf16, and what precision auto means there."""
    import torch

    from framecast.core.machine import lacks_bf16

    rows: Rows = []
    for device in [torch.device("cpu"), *(torch.device("cuda", k) for k in range(torch.cuda.device_count()))]:
        lack = lacks_bf16(device)
        means = f"float32: {lack}" if lack else "bf16 or float32, measured once for each network"
        rows.append((f"auto on {device}", means))
    return rows


def measured(kept: dict[str, Any]) -> str:
    """Return a measurement on one line."""
    size = "×".join(map(str, kept["x"][1:]))
    return (
        f"{kept['network']} with {kept['parameters']:,} parameters, {kept['job']} of {size}: bf16 is "
        f"{kept['ratio']:.2g} times as fast as float32 ({kept['measured']}, torch {kept['torch']}, {kept['device']})"
    )
