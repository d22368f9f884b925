"""The report of a search: one HTML page that loads nothing, and its pictures. Needs the extra ``report``."""

from archsearch.page.build import render, write_report

__all__ = ["render", "write_report"]
