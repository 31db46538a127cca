"""The mathematics of diffusion, on tensors and without a network.

A noise schedule gives the fraction of the clean video at each time, a prediction type what a network estimates, a
sampler how noise becomes a video; draws and weighting determine what training emphasises.
"""
