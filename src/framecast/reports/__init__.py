"""Charts, animations and report pages."""
