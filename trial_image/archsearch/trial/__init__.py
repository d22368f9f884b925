"""The trial program: builds the network of one child, trains it, reports."""
