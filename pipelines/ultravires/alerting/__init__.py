"""From hits to findings to alerts that a sink has acknowledged."""
