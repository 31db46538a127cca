"""Recalibration of intervals to their nominal coverage."""
