"""Synthetic active regions with a random future of known distribution.

A region is a set of fixed parameters (`region`) and a state (`state`) that changes by a Markov law (`dynamics`); light
follows from the two (`rendering`, `response`). `writing` makes archives; `oracle` continues the state
of any of their frames with other random numbers: the perfect probabilistic forecast.
"""

NAME = "corona"
"""Name of the domain in files."""

GENERATOR = "framecast synthetic corona"
"""Attribute ``generator`` of archives."""
