"""What became of the second factor of a sign-in: the words in which sources say it, as `detail["second_factor"]`.

A log says it in words of its own: the outcome of a challenge, the method that was used, a requirement that was met.
Sources translate, and say nothing where the record does not: that no factor is named is no sign that none was asked
for.
"""

from typing import Literal

SecondFactor = Literal["passed", "failed", "denied", "asked", "none"]
SECOND_FACTORS: dict[SecondFactor, str] = {
    "passed": "the second factor was given and was right, now or earlier in the session that this sign-in is of",
    "failed": "a second factor was given and was wrong, or the time for it ran out",
    "denied": "the person was asked and said no: somebody else had the password",
    "asked": "a second factor was asked for, and the record does not say what came of it",
    "none": "the record says that the sign-in was by one factor alone, and that no second was asked for",
}
