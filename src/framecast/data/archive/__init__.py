"""Archives of videos in Zarr: their format, reading, writing."""
