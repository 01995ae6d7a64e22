"""Vocabularies of vendors that the sources read with: names, shapes and ids that are facts of the format."""
