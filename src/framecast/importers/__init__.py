"""Data of any kind as an archive.

`formats` finds the importer of a file, one module for each kind; each returns an `xarray.Dataset` that is read lazily.
`joining` puts many files together, `axes` finds out which dimension is which, `gridded` reads frames, `importing`
writes them.
"""

from framecast.importers.axes import Axes, find_axes
from framecast.importers.importing import Imported, import_data
from framecast.importers.options import ImportOptions

__all__ = ["Axes", "ImportOptions", "Imported", "find_axes", "import_data"]
