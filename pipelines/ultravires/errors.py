"""Everything Ultravires raises on purpose.

UltraviresError
├── UsageError    the command was called wrongly                       exit 2
├── NotKnown      nothing is known of what was asked for               exit 1
├── ConfigError   ultravires.yaml, a rule or a plug-in is wrong        exit 2
└── RunError      a run could not do its work                          exit 1
    ├── HomeBusy      another run holds the home                       exit 1
    └── DeliveryError a sink did not take an alert; retryable or not

Each message is one line that says what is wrong and what to do. The CLI prints it and nothing else.
"""

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


class UltraviresError(Exception):
    """Root of the tree; `exit_code` is what the CLI leaves with."""

    exit_code = 1


class UsageError(UltraviresError):
    exit_code = 2


class NotKnown(UltraviresError):
    """Well asked, and nothing has that name."""


class ConfigError(UltraviresError):
    exit_code = 2


class RunError(UltraviresError):
    exit_code = 1


class HomeBusy(RunError):
    pass


class DeliveryError(RunError):
    """A sink refused or did not answer; `is_retryable` says whether a later try can help."""

    def __init__(self, message: str, *, is_retryable: bool) -> None:
        super().__init__(message)
        self.is_retryable = is_retryable
