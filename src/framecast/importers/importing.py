"""`framecast.import_data`: data of any kind as an archive."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from framecast.core.configuration import import_own
from framecast.core.domain import domains
from framecast.core.errors import ConfigError
from framecast.core.files import ARCHIVE, refuse_existing
from framecast.core.progress import Progress, track
from framecast.importers.axes import AxisNames
from framecast.importers.base import Recording
from framecast.importers.gridded import Imported, write_recording
from framecast.importers.source import Gridded, Reading, open_gridded


def import_data(
    source: str | Path,
    out: str | Path,
    *,
    importer: Callable[..., Recording] | str | None = None,
    unit: str | None = None,
    cadence: float | None = None,
    independent: bool = False,
    overwrite: bool = False,
    progress: Progress = True,
    **options: Any,
) -> Imported:
    """Write the frames of ``source`` as the archive ``out``, complete in the end or absent.

    Frames are put in order of time. A frame without a time, or with one that another frame has, is left out; gaps
    stay gaps; NaN stays NaN. A block of frames is in memory at a time.

    Args:
        source: a NetCDF file or Zarr folder, or what the importer reads.
        out: the archive.
        importer: opens the source, ``(path, **options) -> Recording``, or where it is, ``my_module:open``.
        unit: physical unit, in place of what the source says.
        cadence: seconds between two frames; the median step by default.
        independent: whether sequences are independent, so that they may be split between training and test.
        overwrite: whether an existing archive may be replaced.
        progress: whether to show the frames done, or a function that is called with their number and the total.
        options: of the importer; for gridded files the fields of `framecast.importers.axes.AxisNames` and
            `framecast.importers.source.Reading`.

    Raises:
        FramecastError: ``source`` does not exist or cannot be read, or ``out`` exists.
        DataError: axes, unit or cadence cannot be told.
    """
    refuse_existing(Path(out), overwrite=overwrite, kind=ARCHIVE)
    if importer is None:
        data: Recording = _open_gridded(source, cadence, options)
    else:
        opened = _named(importer) if isinstance(importer, str) else importer
        data = opened(source, **options)
    with track("frames", progress=progress) as task:
        return write_recording(
            data,
            out,
            source=Path(source),
            request=[str(getattr(importer, "__qualname__", importer)), sorted(options.items())],
            unit=unit,
            cadence=cadence,
            independent=independent,
            overwrite=overwrite,
            progress=task.reach,
        )


def _open_gridded(source: str | Path, cadence: float | None, options: dict[str, Any]) -> Gridded:
    of_names, of_reading = ({field.name for field in fields(group)} for group in (AxisNames, Reading))
    if unknown := sorted(set(options) - of_names - of_reading):
        raise ConfigError(f"{', '.join(unknown)} cannot be set: known are {', '.join(sorted(of_names | of_reading))}")
    names = AxisNames(**{name: value for name, value in options.items() if name in of_names})
    reading = Reading(**{name: value for name, value in options.items() if name in of_reading})
    return open_gridded(source, names, reading, cadence=cadence)


def _named(importer: str) -> Callable[..., Any]:
    """Return the importer that a domain has under this name, else the one at ``my_module:open``."""
    known = {name: opened for domain in domains() for name, opened in domain.importers.items()}
    return known[importer] if importer in known else import_own(importer)
