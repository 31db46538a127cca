"""``python -m framecast``: the command line."""

from framecast.core.distributed import stop_with_launcher

stop_with_launcher()  # before anything is imported that takes its time

from framecast.cli import main  # noqa: E402

main()
