"""The Sun: reading observations, following its rotation, cutting regions into an archive.

`framecast.domains.solar.prepare.prepare` is the whole way. The parts, from below: `geometry` (where a point of the Sun
is in the image), `rotation` (how it moves), `quality` (what the observatory says of a frame), `header` and `reader`
(FITS), `cut` (one interpolation), `catalogue` (which frames there are), `tracks` (which places to follow).

The rest of framecast knows it by `framecast.domains.solar.domain` alone. Reading images needs
``pip install 'framecast[solar]'``.
"""

NAME = "solar"
"""What files carry as their domain."""

MAGNETIC = "magnetograms"
"""What files of magnetic fields carry as their domain."""

GAUSS = ("G", "Gauss", "gauss", "Mx/cm^2", "Mx cm-2")
"""Units in which files give the field."""
