"""Data of any kind as an archive.

`formats` finds the importer of a file, one module for each kind; each returns an `xarray.Dataset` that is read lazily.
`joining` puts many files together, `axes` finds out which dimension is which, `gridded` reads frames, `importing`
writes them.
"""
