"""Gridded data of any kind (NetCDF, Zarr) as an archive: `axes` finds out which dimension is which, `source` reads
frames, `importing` writes them.
"""

from framecast.importers.axes import Axes, AxisNames, find_axes
from framecast.importers.gridded import Imported, import_gridded
from framecast.importers.source import Reading, open_gridded

__all__ = ["Axes", "AxisNames", "Imported", "Reading", "find_axes", "import_gridded", "open_gridded"]
