"""Intervals widened until they have their nominal coverage."""
