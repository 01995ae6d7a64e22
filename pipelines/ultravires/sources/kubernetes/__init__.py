"""Kubernetes, whoever runs the cluster."""
