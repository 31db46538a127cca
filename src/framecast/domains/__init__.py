"""Code for single kinds of data: one folder each, with one `Domain`, through which the core accesses it.

A domain may use everything else in the package; nothing outside this folder imports from it. A new domain is only
entered in the list below.
"""

from framecast.domains.corona.domain import CORONA
from framecast.domains.solar.domain import MAGNETOGRAMS, SOLAR

# In the order in which they are tried for a file.
DOMAINS = (CORONA, SOLAR, MAGNETOGRAMS)
