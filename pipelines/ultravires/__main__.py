"""`python -m ultravires` is the command `ultravires`."""

from ultravires.cli import main

main()
