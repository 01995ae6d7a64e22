"""OCSF events, and the vendors' records that they are copies of."""
