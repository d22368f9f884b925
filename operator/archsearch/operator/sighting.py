"""What is seen of a Lease, and whether it may be taken: nobody compares clocks, everybody measures silence."""

from dataclasses import dataclass

from archsearch.operator.port import Object


@dataclass(frozen=True)
class Sighting:
    """What a Lease said, and since when (by our own clock) it has said so."""

    holder: str
    duration: float
    """Seconds for which its holder may be silent."""
    transitions: int
    spec: tuple[tuple[str, str], ...]
    since: float

    def free_for(self, identity: str, now: float) -> bool:
        """Whether ``identity`` may take it at ``now``: nobody holds it, it does so itself, or its holder was silent."""
        return self.holder in ("", identity) or now - self.since >= self.duration


def sight(lease: Object, before: Sighting | None, now: float) -> Sighting:
    """``lease`` as it is seen at ``now``, after ``before``: the clock starts anew whenever its spec has changed."""
    spec = lease.get("spec") or {}
    fields = tuple(sorted((key, str(value)) for key, value in spec.items()))
    return Sighting(
        holder=str(spec.get("holderIdentity") or ""),
        duration=float(spec.get("leaseDurationSeconds") or 0),
        transitions=int(spec.get("leaseTransitions") or 0),
        spec=fields,
        since=before.since if before is not None and before.spec == fields else now,
    )
