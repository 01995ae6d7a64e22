"""One run from its start to its end: the open home, progress, Ctrl-C, and the summary."""
