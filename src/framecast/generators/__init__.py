"""What can be trained to generate videos: a diffusion, or a network that needs one evaluation.

`generator` says what all of them can do, `kinds` how a recipe asks for one.
"""
