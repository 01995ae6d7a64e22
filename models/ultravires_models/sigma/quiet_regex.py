"""pySigma's check of regular expressions by RE2, without what RE2 itself writes to stderr about a wrong one: what is
wrong with a rule is one line of the run's summary.
"""

import re
from typing import Any

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine

_FLAGS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}


class _QuietEngine(RE2RegexEngine):
    def __deepcopy__(self, memo: object) -> "_QuietEngine":
        """Rules are copied before a filter is tried on them, and this has no state to copy."""
        return self

    def compile(self, pattern: str, flags: int = 0) -> Any:
        options = re2.Options()
        options.log_errors = False
        inline = "".join(letter for flag, letter in _FLAGS.items() if flags & flag)
        return re2.compile(f"(?{inline}){pattern}" if inline else pattern, options=options)


POLICY = SigmaPolicy(regex_engine=_QuietEngine())
