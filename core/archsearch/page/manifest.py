"""The manifest as the page shows it: what was asked for, with the strategy that was in force."""

import io

from ruamel.yaml import YAML

from archsearch.engine.record import SearchRecord


def manifest_yaml(record: SearchRecord) -> str:
    """The manifest as YAML, the strategy with every default filled in: enough to run the search again."""
    fields = record.manifest.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    spec = fields["spec"]
    spec["strategy"] = record.strategy.model_dump(mode="json", by_alias=True, exclude_none=True)
    spec["seed"] = record.manifest.spec.seed
    ordered = {name: fields[name] for name in ("apiVersion", "kind", "metadata") if name in fields}
    buffer = io.StringIO()
    yaml = YAML()
    yaml.width = 100
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump({**ordered, "spec": spec}, buffer)
    return buffer.getvalue()
