"""When a session of a role changes the password of the user after whom AWS named that session.

A session is named by whoever takes the role. The console names one after its user, and Identity Center every one of its
own: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-console.html
"""

from ultravires.reading.values import mapping, truth
from ultravires.sources.aws.changes import identifier
from ultravires.sources.aws.cloudtrail_records import CloudTrailRecord
from ultravires.sources.aws.identities import Actor

PASSWORDS = frozenset({"iam:CreateLoginProfile", "iam:UpdateLoginProfile"})
_OF_IDENTITY_CENTER = ":role/aws-reserved/sso.amazonaws.com/"


def is_own_by_session(actor: Actor, record: CloudTrailRecord) -> bool:
    """Whether the password asked for is that of the user whose session it is, by AWS's own word."""
    user = identifier(mapping(record.requestParameters), "userName")
    if user is None or user != actor.session_name:
        return False
    is_of_person = truth(record.sessionCredentialFromConsole) is True and actor.has_mfa is True
    return is_of_person or _OF_IDENTITY_CENTER in (actor.uid or "")
