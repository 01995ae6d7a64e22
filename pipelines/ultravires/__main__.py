"""`python -m ultravires` is the command `ultravires`."""

from ultravires.cli import main

if __name__ == "__main__":
    main()
