"""Probabilistic video forecasting with diffusion models."""
