"""From the bytes of a file to rows of events, one way for all sources."""
