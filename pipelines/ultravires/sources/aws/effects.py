"""What only a call's parameters say of its effects: whether a change of a setting weakens something or not, and whether
what is opened is open to everybody (reading/effects.py).

An action that is in no table here does what build/action_effects/aws.csv says. A call that failed was meant all the
same. Members of requests are named as https://docs.aws.amazon.com/awscloudtrail/ shows them: as the API of each service
does, in camelCase. What a call changes of who holds what, policies of resources among it, is said as grants.
"""

from ultravires.sources.aws.asked import Effects
from ultravires.sources.aws.asked_power import ASKED_POWER
from ultravires.sources.aws.exposures import EXPOSURES
from ultravires.sources.aws.used_workloads import USED_WORKLOADS
from ultravires.sources.aws.weakened_evidence import WEAKENED_EVIDENCE
from ultravires.sources.aws.weakened_guards import WEAKENED_GUARDS

EFFECTS: dict[str, Effects] = {**ASKED_POWER, **WEAKENED_EVIDENCE, **WEAKENED_GUARDS, **EXPOSURES, **USED_WORKLOADS}
"""What a call says of its own effects, by its action."""
