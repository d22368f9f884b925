"""CustomResourceDefinitions, written from the models: ``python -m archsearch.crd FOLDER...``."""

from archsearch.crd.definitions import definitions, texts

__all__ = ["definitions", "texts"]
