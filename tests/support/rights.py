"""Rights as roles give them and calls as the API server has seen them, compared one by one."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, as a rule of a role grants it to an account."""

    group: str
    resource: str
    """With its subresource: ``pods/log``."""
    verb: str
    namespace: str | None = None
    """Where; None: everywhere."""
    name: str | None = None
    """On what; None: on any object."""

    def allows(self, call: "Call") -> bool:
        """Whether this right alone would do for ``call``."""
        same = (self.group, self.resource, self.verb) == (call.group, call.resource, call.verb)
        return same and self.namespace in (None, call.namespace) and self.name in (None, call.name)

    def __str__(self) -> str:
        return _spelled(self)


@dataclass(frozen=True, order=True)
class Call:
    """One kind of call that an account has made."""

    group: str
    resource: str
    verb: str
    namespace: str | None
    name: str | None = None

    def __str__(self) -> str:
        return _spelled(self)


def _spelled(one: Right | Call) -> str:
    where = "everywhere" if one.namespace is None else f"in {one.namespace}"
    what = f"{one.resource}.{one.group}" if one.group else one.resource
    return f"{one.verb} {what}{f' {one.name}' if one.name else ''} {where}"


def rights_of(objects: Iterable[Mapping[str, Any]], account: tuple[str, str]) -> set[Right]:
    """What the roles among ``objects`` give to the service account ``(namespace, name)`` through the bindings there.

    Raises:
        AssertionError: a rule has a wildcard or is for URLs, so that nobody can say what it gives.
    """
    objects = list(objects)
    found = set()
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding") or not _is_for(binding, account):
            continue
        namespace = binding["metadata"].get("namespace") if binding["kind"] == "RoleBinding" else None
        (role,) = [one for one in objects if _is_role_of(binding, one)]
        for rule in role["rules"]:
            found |= _flat(rule, namespace)
    return found


def _is_for(binding: Mapping[str, Any], account: tuple[str, str]) -> bool:
    return any((subject.get("namespace"), subject["name"]) == account for subject in binding["subjects"])


def _is_role_of(binding: Mapping[str, Any], role: Mapping[str, Any]) -> bool:
    wanted = binding["roleRef"]
    near = wanted["kind"] == "ClusterRole" or role["metadata"].get("namespace") == binding["metadata"]["namespace"]
    return near and (role["kind"], role["metadata"]["name"]) == (wanted["kind"], wanted["name"])


def _flat(rule: Mapping[str, Any], namespace: str | None) -> set[Right]:
    words = [*rule.get("apiGroups", ()), *rule.get("resources", ()), *rule["verbs"]]
    assert "*" not in words, f"a wildcard: {rule}"
    assert "nonResourceURLs" not in rule, f"a rule for URLs: {rule}"
    return {
        Right(group, resource, verb, namespace, name)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [None]
    }


def calls_of(events: Iterable[Mapping[str, Any]]) -> set[Call]:
    """Every kind of call on resources in an audit log."""
    return {call_of(event) for event in events if "resource" in event.get("objectRef", {})}


def call_of(event: Mapping[str, Any]) -> Call:
    """The call of one event of an audit log, which is on a resource."""
    on = event["objectRef"]
    resource = f"{on['resource']}/{on['subresource']}" if "subresource" in on else on["resource"]
    return Call(on.get("apiGroup", ""), resource, event["verb"], on.get("namespace"), on.get("name"))


def forbidden(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Calls that the account had no right to, as a sentence each. A quota's 403 is none of them."""
    denied = [event for event in events if event["annotations"].get("authorization.k8s.io/decision") == "forbid"]
    return sorted({f"{event['verb']} {event['requestURI']}" for event in denied})


def missing(rights: Collection[Right], calls: Iterable[Call]) -> list[str]:
    """Calls that none of ``rights`` allows."""
    return [str(call) for call in sorted(calls, key=str) if not any(right.allows(call) for right in rights)]


def unused(rights: Iterable[Right], calls: Collection[Call]) -> list[str]:
    """Rights that no call has needed."""
    return [str(right) for right in sorted(rights, key=str) if not any(right.allows(call) for call in calls)]
