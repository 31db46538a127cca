"""The Sun: reading observations, following its rotation, cutting regions into an archive.

`framecast.domains.solar.prepare.prepare` is the whole way. The parts, from below: `geometry` (where a point of the Sun
is in the image), `rotation` (how it moves), `quality` (what the observatory says of a frame), `header` and `reader`
(FITS), `cut` (one interpolation), `catalogue` (which frames there are), `tracks` (which places to follow).

Nothing else of framecast imports this package. It needs ``pip install 'framecast[solar]'``.
"""
