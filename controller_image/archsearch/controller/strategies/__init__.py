"""Strategies: one module each, behind the seam in ``archsearch.controller.strategy``."""
