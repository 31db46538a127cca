"""GeoTIFF, by rioxarray: one picture with its position on Earth and its reference system."""

from pathlib import Path

import xarray as xr

from framecast.core.errors import DataError
from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions

_BY_BAND = {"units": "units", "scales": "scale_factor", "offsets": "add_offset"}
"""Attributes of rioxarray that may have a value for each band, and the CF attributes they stand for."""


def open_geotiff(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the bands of a file, ``[y, x]`` or ``[band, y, x]``, lazily and not decoded; bands that differ in unit or
    scale are variables of their own.

    Raises:
        DataError: the rows are not along a coordinate axis.
    """
    rioxarray = needed("rioxarray", "geotiff", "GeoTIFF files")
    raster = rioxarray.open_rasterio(path, driver="GTiff", masked=False, mask_and_scale=False, cache=False)
    if any(raster.rio.transform()[1:4:2]):
        raise DataError(f"{path} is rotated against the axes of its reference system: warp it with gdalwarp first")
    undone = (("scale_factor", 1.0), ("add_offset", 0.0))
    attrs = {key: value for key, value in raster.attrs.items() if (key, value) not in undone}
    names = attrs.pop("long_name", ())
    by_band = {own: attrs.pop(key) for key, own in _BY_BAND.items() if isinstance(attrs.get(key), tuple)}
    attrs |= {key: values[0] for key, values in by_band.items() if len(set(values)) == 1}
    by_band = {key: values for key, values in by_band.items() if len(set(values)) > 1}
    raster.attrs = attrs
    if raster.sizes["band"] == 1:
        raster = raster.isel(band=0, drop=True)
    elif isinstance(names, tuple) and len(names) == raster.sizes["band"]:
        raster = raster.assign_coords(band=list(names))
    if by_band:
        labels = [name if isinstance(name, str) else f"band_{name}" for name in raster["band"].values.tolist()]
        data = raster.assign_coords(band=labels).to_dataset(dim="band")
        for k, name in enumerate(labels):
            data[name].attrs = {**attrs, **{key: values[k] for key, values in by_band.items() if values[k] is not None}}
    else:
        data = raster.to_dataset(name=names if isinstance(names, str) and names else "value")
    axes = {"y": "projection_y_coordinate", "x": "projection_x_coordinate"}
    for name, standard in axes.items():
        data[name].attrs.setdefault("standard_name", standard)
        data[name].attrs.setdefault("axis", name.upper())
    return data
