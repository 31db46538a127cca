"""GeoTIFF, by rioxarray: one picture with its position on Earth and its reference system."""

from pathlib import Path

import xarray as xr

from framecast.importers.optional import needed
from framecast.importers.options import ImportOptions


def open_geotiff(path: Path, options: ImportOptions) -> xr.Dataset:
    """Return the bands of a file, ``[y, x]`` or ``[band, y, x]``, lazily and not decoded."""
    rioxarray = needed("rioxarray", "geotiff", "GeoTIFF files")
    raster = rioxarray.open_rasterio(path, driver="GTiff", masked=False, mask_and_scale=False, cache=False)
    attrs = {
        key: value
        for key, value in raster.attrs.items()
        if (key, value) not in (("scale_factor", 1.0), ("add_offset", 0.0))
    }
    names = attrs.pop("long_name", ())
    raster = raster.assign_attrs(attrs)
    raster.attrs = attrs
    if raster.sizes["band"] == 1:
        raster = raster.isel(band=0, drop=True)
    elif isinstance(names, tuple) and len(names) == raster.sizes["band"]:
        raster = raster.assign_coords(band=list(names))
    data = raster.to_dataset(name=names if isinstance(names, str) and names else "value")
    axes = {"y": "projection_y_coordinate", "x": "projection_x_coordinate"}
    for name, standard in axes.items():
        data[name].attrs.setdefault("standard_name", standard)
        data[name].attrs.setdefault("axis", name.upper())
    return data
