"""Manifests: YAML text in, a search out, or every mistake with its place."""

from archsearch.manifest.changes import ForbiddenChange, differences, immutable_changes
from archsearch.manifest.checking import Checked, check, check_all, load, read_file
from archsearch.manifest.errors import InvalidManifestError, ManifestError

__all__ = [
    "Checked",
    "ForbiddenChange",
    "InvalidManifestError",
    "ManifestError",
    "check",
    "check_all",
    "differences",
    "immutable_changes",
    "load",
    "read_file",
]
