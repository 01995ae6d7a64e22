"""Audit logs of the platforms that host models."""
