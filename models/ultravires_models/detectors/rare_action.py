"""rare_action: a non-human identity uses an action that neither it nor its peers are known for.

The model, and how its threshold comes about, stand in `ultravires_models.estimators.rare_action`, which is imported
where it runs.
"""

from pathlib import Path

import pyarrow as pa

from ultravires_models.detector import Detector, Tables, file_version

_ESTIMATORS = Path(__file__).parent.parent / "estimators"


def detect(tables: Tables) -> pa.Table:
    """HITS of first uses in `usage`, each judged by the days before its own; `identities` gives the peers."""
    from ultravires_models.estimators.rare_action import hits_of

    return hits_of(tables)


DETECTOR = Detector(
    detector_id="rare_action",
    title="Action that is new to an identity and its peers",
    description=(
        "A non-human identity used an action that neither it nor its peers used before, and by what was used "
        "on the days before, so rare a use is expected of it at most once in 90 days. What only reads is low, "
        "unless it is a secret; what only lists is informational and not delivered."
    ),
    inputs=("usage", "identities"),
    detect=detect,
    severity="medium",
    class_uid=2004,
    frameworks=("attack.t1078.004", "owasp-asi.asi10", "owasp-nhi.nhi05", "csa-maestro.l5", "nist-csf.de-ae"),
    remediation="Ask the owner about a new task; if there is none, end the sessions and remove the action.",
    version=file_version(__file__, str(_ESTIMATORS / "rare_action.py"), str(_ESTIMATORS / "peers.py")),
    false_positives=("A new version of a service that needs one more action.",),
)
