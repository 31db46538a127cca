"""Videos on disk: archives, the windows a forecast is made from, and which of them may be learnt from."""
