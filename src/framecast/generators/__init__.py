"""What can be trained to generate videos: a diffusion, or a network that needs one evaluation.

`generator` defines their interface, `kinds` their configuration in recipes.
"""
