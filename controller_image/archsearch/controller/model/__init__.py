"""The surrogate of ``strategy.modelBased``: a Gaussian process over decisions, and what is done with its posterior."""
