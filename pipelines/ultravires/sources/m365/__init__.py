"""Microsoft 365."""
