"""Agents and the gateways they call tools through."""
