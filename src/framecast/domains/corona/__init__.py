"""Synthetic active regions whose future is random but whose law is known.

A region is a set of fixed parameters (`region`) and a state (`state`) that changes by a Markov law (`dynamics`); light
follows from the two (`rendering`, `response`). `writing` makes archives; `oracle` continues the state
of any of their frames with other random numbers: the perfect probabilistic forecast.
"""

NAME = "corona"
"""What files carry as their domain."""

GENERATOR = "framecast synthetic corona"
"""What archives have as their attribute ``generator``."""
