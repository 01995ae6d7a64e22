"""What the models room raises on purpose; each message is one line that names the file and the cure.

The pipelines translate these at their edge, because this package imports nothing of theirs.
"""


class ModelError(Exception):
    """Root of the tree."""


class RuleError(ModelError):
    """A Sigma rule cannot be read, or asks for something that the compiler does not do."""


class DetectorError(ModelError):
    """A detector's definition, or the tables it was given, are wrong."""


def one_line(error: object) -> str:
    """The text of an error without line breaks, for messages that must stay on one line."""
    return " ".join(str(error).split())
