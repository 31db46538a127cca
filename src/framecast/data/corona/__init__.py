"""Synthetic active regions whose future is random but whose law is known.

A region is a set of fixed parameters (`region`) and a state (`state`) that changes by a Markov law (`dynamics`); light
follows from the two (`rendering`, `response`). `write_corona` makes archives; `oracle_ensemble` continues the state
of any of their frames with other random numbers: the perfect probabilistic forecast.
"""

from framecast.data.corona.oracle import has_oracle, oracle_ensemble
from framecast.data.corona.spec import CoronaSpec
from framecast.data.corona.writing import write_corona

__all__ = ["CoronaSpec", "has_oracle", "oracle_ensemble", "write_corona"]
