"""purpose_drift: the last weeks of a non-human identity are made of other things than its first ones.

The model, and how its threshold comes about, stand in `ultravires_models.estimators.purpose_drift`, which is imported
where there is something to compare.
"""

from pathlib import Path

import pyarrow as pa

from ultravires_models.detector import Detector, Tables, file_version
from ultravires_models.hits import HITS

_ESTIMATORS = Path(__file__).parent.parent / "estimators"


def detect(tables: Tables) -> pa.Table:
    """HITS of identities whose habits changed; nothing at once where nobody has been at work for eight weeks."""
    if not tables["habits"].num_rows:
        return HITS.empty_table()
    from ultravires_models.estimators.purpose_drift import hits_of

    return hits_of(tables)


DETECTOR = Detector(
    detector_id="purpose_drift",
    title="Work that is other than it was after the approval",
    description=(
        "What a non-human identity does on a day, what that gives, at which hours, from which networks and by which "
        "tools, is other in its last four whole weeks than in the four after its first approval, or its first four: "
        "further apart than its own days and weeks lie by chance, and of those reported at most one in twenty is one."
    ),
    inputs=("habits", "identities"),
    detect=detect,
    severity="low",
    class_uid=2008,
    frameworks=("attack.t1078.004", "owasp-asi.asi10", "owasp-nhi.nhi05", "csa-maestro.l5", "nist-csf.de-ae"),
    remediation="Ask the owner what it is for now; approve that purpose, or narrow what it holds to the old one.",
    version=file_version(__file__, str(_ESTIMATORS / "purpose_drift.py")),
    false_positives=(
        "A service that was migrated, or got a new version, and does the same in other ways.",
        "A log that began to record more, or less, of what the identity always did.",
    ),
)
