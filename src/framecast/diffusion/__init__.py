"""The mathematics of diffusion, on tensors and without a network.

A noise schedule says how much of the clean video is left at each time, a prediction what a network tells about it, a
sampler how noise becomes a video; draws and weighting decide what training looks at.
"""
