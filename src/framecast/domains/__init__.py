"""What belongs to one kind of data: one folder each, and in it one `Domain`, through which the core asks for it.

A domain may use everything else in the package; nothing outside this folder imports from it. The list below is all
that has to be changed for a domain to be known.
"""

from framecast.domains.corona.domain import CORONA
from framecast.domains.solar.domain import MAGNETOGRAMS, SOLAR

# In the order in which they are asked whether a file is theirs.
DOMAINS = (CORONA, SOLAR, MAGNETOGRAMS)
