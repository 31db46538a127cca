"""Verification: scores, baselines, intervals, and the comparison of forecasts on the same pixels."""
