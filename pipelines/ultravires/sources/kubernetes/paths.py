"""The object that a request to a Kubernetes API server is about, as the path of the request names it."""

from functools import lru_cache

_PARTS = ("resource", "name", "subresource")
_OF_NAMESPACE = frozenset({"status", "finalize"})


@lru_cache(maxsize=8192)
def object_of_path(path: str) -> dict[str, str]:
    """`/apis/<group>/<version>[/namespaces/<namespace>]/<resource>[/<name>[/<subresource>]]` to parts of objectRef."""
    parts = path.partition("?")[0].strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        found, rest = {"apiVersion": parts[1]}, parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        found, rest = {"apiGroup": parts[1], "apiVersion": parts[2]}, parts[3:]
    else:
        return {}
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
        found["namespace"], rest = rest[1], rest[2:]
    return found | {name: part for name, part in zip(_PARTS, rest, strict=False) if part}
