"""The command line."""

from archsearch.cli.app import main

__all__ = ["main"]
