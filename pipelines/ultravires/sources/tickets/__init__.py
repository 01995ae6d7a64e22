"""Systems in which somebody approves a task."""
