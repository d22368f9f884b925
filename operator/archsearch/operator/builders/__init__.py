"""Objects that the operator makes, as plain JSON: pure functions of the manifest, equal for equal arguments."""
