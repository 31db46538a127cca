"""Whole jobs, from an archive on disk to a result on disk: training a recipe, forecasting a side of the split."""
