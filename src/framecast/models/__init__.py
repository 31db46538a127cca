"""Trained models: drawing ensembles from them, keeping them on disk, exporting them."""
