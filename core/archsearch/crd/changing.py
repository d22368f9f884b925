"""What may change after an object has been made, in CEL.

The rules stand on ``spec``: one that stood on an optional field would not see it being set or taken away.
"""

from collections.abc import Iterator

from archsearch.api.base import Model
from archsearch.api.search import SearchSpec
from archsearch.api.trial import TrialStatus
from archsearch.crd.rules import Rule, texts
from archsearch.engine.model import Phase
from archsearch.manifest.changes import FIXED_WHERE_REPRODUCIBLE, MUTABLE

_SAME = "the search would no longer be the same"
_Names = tuple[str, ...]


def of_search() -> Iterator[Rule]:
    """A rule for each part of a search's spec that is not in MUTABLE; each names its field."""
    yield from _fixed(SearchSpec, ())
    for path in FIXED_WHERE_REPRODUCIBLE:
        spelled = ".".join(map(str, path[1:]))
        yield _forbidden(
            f"!oldSelf.trials.reproducible || self.{spelled} == oldSelf.{spelled}",
            spelled,
            "the search is reproducible",
        )


def _forbidden(rule: str, spelled: str, why: str) -> Rule:
    return Rule(rule, f"spec.{spelled} cannot change: {why}", field=f".{spelled}", reason="FieldValueForbidden")


def _fixed(model: type[Model], above: _Names) -> Iterator[Rule]:
    mutable = [path[1:] for path in MUTABLE if path[0] == "spec"]
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        if path in mutable:
            continue
        if any(other[: len(path)] == path for other in mutable):
            below = field.annotation
            assert isinstance(below, type), path
            assert issubclass(below, Model), path
            yield from _fixed(below, path)
        else:
            yield _kept(path, always=field.is_required() or field.default is not None)


def _kept(path: _Names, *, always: bool) -> Rule:
    new, old = (".".join((whose, *path)) for whose in ("self", "oldSelf"))
    same = f"{new} == {old}"
    optional = f"has({new}) == has({old}) && (!has({new}) || {same})"
    return _forbidden(same if always else optional, ".".join(path), _SAME)


def of_trial_spec() -> Rule:
    """A trial says what was sampled, and that is history."""
    message = "spec cannot change: it is the record of what was sampled"
    return Rule("self == oldSelf", message, reason="FieldValueForbidden")


def of_trial_status() -> Iterator[Rule]:
    """Once a trial is over nothing changes but its observation number, and that is set once."""
    final = texts(phase.value for phase in Phase if phase.terminal)
    for name, field in TrialStatus.model_fields.items():
        alias = field.alias or name
        new, old = f"self.{alias}", f"oldSelf.{alias}"
        over = f"has({old})" if name == "observation" else f"oldSelf.phase in {final}"
        yield Rule(
            f"!({over}) || (has({new}) == has({old}) && (!has({new}) || {new} == {old}))",
            f"status.{alias} cannot change any more: "
            + ("it is taught" if name == "observation" else "the trial is over"),
            None,
            f".{alias}",
            "FieldValueForbidden",
        )
