"""The OCSF classes that events of ours have, by their uid: https://schema.ocsf.io/1.8.0/classes."""

ACCOUNT_CHANGE = 3001
AUTHENTICATION = 3002
AUTHORIZE_SESSION = 3003
USER_ACCESS = 3005
GROUP_MANAGEMENT = 3006
USER_INVENTORY = 5003
API_ACTIVITY = 6003
