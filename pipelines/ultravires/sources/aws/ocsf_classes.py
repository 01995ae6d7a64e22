"""OCSF class and activity of an AWS API call (https://schema.ocsf.io/1.8.0), after the mapping of Security
Lake.
"""

from functools import lru_cache

from ultravires.sources.ocsf.classes import ACCOUNT_CHANGE, API_ACTIVITY, AUTHENTICATION, USER_ACCESS

_LOGON = 1
_SIGN_INS = frozenset(
    {
        "ConsoleLogin",
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "AssumeRoot",
        "GetSessionToken",
        "GetFederationToken",
        "SwitchRole",
    }
)
_ACCOUNT = {
    "CreateUser": 1,
    "CreateLoginProfile": 2,
    "ChangePassword": 3,
    "UpdateLoginProfile": 4,
    "DeleteLoginProfile": 5,
    "DeleteUser": 6,
    "EnableMFADevice": 10,
    "DeactivateMFADevice": 11,
}
_ACCESS = {"Attach": 1, "Put": 1, "Add": 1, "Detach": 2, "Delete": 2, "Remove": 2}
_ACCESS_TO = ("UserPolicy", "RolePolicy", "GroupPolicy", "UserToGroup", "UserFromGroup")
_VERBS = {
    1: ("Create", "Run", "Allocate", "Generate", "Import", "Register", "Issue"),
    2: ("Get", "List", "Describe", "Head", "Lookup", "Search", "Scan", "Query", "Batch", "Select", "View"),
    3: (
        "Put",
        "Update",
        "Modify",
        "Set",
        "Attach",
        "Detach",
        "Add",
        "Tag",
        "Untag",
        "Enable",
        "Disable",
        "Authorize",
    ),
    4: ("Delete", "Terminate", "Remove", "Deregister", "Revoke", "Purge", "Destroy"),
}
_OTHER, _READ = 99, 2


@lru_cache(maxsize=65536)
def ocsf_class(service: str, name: str, is_read_only: bool | None) -> tuple[int, int]:
    """(class_uid, activity_id); API Activity with 1 create, 2 read, 3 update, 4 delete, 99 other is the
    general case.
    """
    if name in _SIGN_INS and service in ("sts", "signin"):
        return AUTHENTICATION, _LOGON
    if service == "iam":
        if name in _ACCOUNT:
            return ACCOUNT_CHANGE, _ACCOUNT[name]
        verb = next((verb for verb in _ACCESS if name.startswith(verb)), None)
        if verb and name.endswith(_ACCESS_TO):
            return USER_ACCESS, _ACCESS[verb]
    if is_read_only:
        return API_ACTIVITY, _READ
    verbs = ((activity, verb) for activity, group in _VERBS.items() for verb in group)
    return API_ACTIVITY, next((activity for activity, verb in verbs if name.startswith(verb)), _OTHER)
