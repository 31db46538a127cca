"""``python -m framecast``: the command line."""

from framecast.cli import main

main()
