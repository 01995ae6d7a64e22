"""From the bytes of a file to rows of `events`: the contract of a source, framing, limits, redaction."""
