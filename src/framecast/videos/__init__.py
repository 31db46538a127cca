"""From videos in physical units to the numbers a network works on, and back."""
