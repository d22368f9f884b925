"""The manifest as the page shows it: what was asked for, with the strategy that was in force."""

import io
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedSeq

from archsearch.engine.record import SearchRecord

_CLUSTER = ("controller", "suspend")
_CLUSTER_TRIAL = ("resources", "jobMetadata", "podTemplate", "report")


def manifest_yaml(record: SearchRecord) -> str:
    """The manifest as YAML: enough to run the search again.

    The strategy in force stands in it, and every default of what bears on the children; what a cluster alone reads is
    left out where it is the default.
    """
    fields = record.manifest.model_dump(mode="json", exclude_none=True)
    short = record.manifest.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    spec = _without(fields["spec"], short["spec"], _CLUSTER)
    spec["trial"] = _without(fields["spec"]["trial"], short["spec"]["trial"], _CLUSTER_TRIAL)
    spec["strategy"] = record.strategy.model_dump(mode="json", exclude_none=True)
    fields = {**fields, "metadata": short["metadata"], "spec": spec}
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(_laid_out(fields), buffer)
    return buffer.getvalue()


def _without(fields: dict[str, Any], short: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """``fields``, of which those in ``names`` are as ``short`` has them: left out where they are the default."""
    kept = {name: value for name, value in fields.items() if name not in names}
    return {**kept, **{name: short[name] for name in names if name in short}}


def _laid_out(value: Any) -> Any:
    """``value`` with lists of scalars on one line, as a person writes them."""
    if isinstance(value, dict):
        return {name: _laid_out(inner) for name, inner in value.items()}
    if not isinstance(value, list):
        return value
    items = CommentedSeq([_laid_out(item) for item in value])
    if not any(isinstance(item, dict | list) for item in value):
        items.fa.set_flow_style()
    return items
