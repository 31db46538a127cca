"""What every file may use: errors, configuration, atomic files, random seeds, the environment."""
