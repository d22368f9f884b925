"""The laptop backend: the same decide(), with subprocesses in place of Jobs."""
