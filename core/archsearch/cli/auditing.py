"""What an audit found, in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from archsearch.space.base import Genotype

if TYPE_CHECKING:  # what an audit needs takes its time to load
    from archsearch.local.audit import Audit

_MOST = 20
"""Children that are told one by one."""
_SHOWN = 24
"""Decisions of a genotype that are shown."""


def changed_versions(then: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str | None]]:
    """What the search was run with that is another now: its version then, and now (None: not installed)."""
    return {name: (version, now.get(name)) for name, version in then.items() if now.get(name) != version}


def audit_lines(audit: "Audit", changed: Mapping[str, tuple[str, str | None]]) -> list[str]:
    """What the audit found; where something differs, beside it what may be the reason."""
    lines = [f"{audit.children} children and {audit.observations} observations derived anew"]
    lines += [_difference(found.index, found.logged, found.derived) for found in audit.mismatches[:_MOST]]
    if len(audit.mismatches) > _MOST:
        lines.append(f"... and {len(audit.mismatches) - _MOST} more")
    if audit.stored_hash is None:
        lines.append(f"policy {audit.derived_hash}; none of the same moment was kept to compare with")
    elif audit.stored_hash == audit.derived_hash:
        lines.append(f"policy {audit.derived_hash}, as it was kept")
    else:
        lines.append(f"policy differs: kept {audit.stored_hash}, derived {audit.derived_hash}")
    if audit.agrees:
        return [*lines, "the ledger is what the policy did"]
    lines += [
        f"{name} was {then} and is {now or 'not installed'}: this may be why; audit with what the search was run with"
        for name, (then, now) in changed.items()
    ]
    return [*lines, "the ledger is NOT what the policy did"]


def _difference(index: int, logged: Genotype, derived: Genotype) -> str:
    pairs = enumerate(zip(logged, derived, strict=False))
    place = next((place for place, (one, other) in pairs if one != other), min(len(logged), len(derived)))
    there, here = genotype(logged, place), genotype(derived, place)
    return f"child {index} differs from decision {place} on: the ledger has {there}, derived {here}"


def genotype(options: Genotype, around: int = 0) -> str:
    """A genotype as a short string: a digit for each decision, or numbers with dots; at most 24, ``around`` a place."""
    first = max(0, min(around - _SHOWN // 2, len(options) - _SHOWN))
    part = options[first : first + _SHOWN]
    text = ("" if all(option < 10 for option in options) else ".").join(map(str, part))
    return f"{'…' if first else ''}{text}{'…' if first + _SHOWN < len(options) else ''}"
