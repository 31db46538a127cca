"""Videos on disk: archives, windows, and their split into training, validation and test."""
