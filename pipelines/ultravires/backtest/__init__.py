"""How well links and detectors do against labelled history."""
