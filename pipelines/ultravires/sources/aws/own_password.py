"""When a session of a role changes the password of the user after whom AWS named that session.

A session is named by whoever takes the role, also one in the console: its sign-in takes the credentials of any session.
Identity Center alone names its own after their users, in roles that nobody else can make:
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_enable-console-custom-url.html
"""

from ultravires.reading.values import mapping
from ultravires.sources.aws.changes import identifier
from ultravires.sources.aws.cloudtrail_records import CloudTrailRecord
from ultravires.sources.aws.identities import Actor

PASSWORDS = frozenset({"iam:CreateLoginProfile", "iam:UpdateLoginProfile"})
_OF_IDENTITY_CENTER = ":role/aws-reserved/sso.amazonaws.com/"


def is_own_by_session(actor: Actor, record: CloudTrailRecord) -> bool:
    """Whether the password asked for is that of the user whose session it is, by AWS's own word."""
    user = identifier(mapping(record.requestParameters), "userName")
    return user is not None and user == actor.session_name and _OF_IDENTITY_CENTER in (actor.uid or "")
