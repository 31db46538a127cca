"""The Sun: reading observations, following its rotation, cutting regions into an archive.

`framecast.domains.solar.prepare.prepare` runs all steps. The parts, from below: `geometry` (the position of a point of
the Sun in the image), `rotation` (how it moves), `quality` (what the observatory says of a frame), `header` and
`reader` (FITS), `cut` (one interpolation), `catalogue` (which frames there are), `tracks` (which places to follow).

The rest of framecast knows it by `framecast.domains.solar.domain` alone. Reading images needs
``pip install 'framecast[solar]'``.
"""

NAME = "solar"
"""Name of the domain in files."""

MAGNETIC = "magnetograms"
"""Name of the domain in files of magnetic fields."""

GAUSS = ("G", "Gauss", "gauss", "Mx/cm^2", "Mx cm-2")
"""Units of the field in files."""
