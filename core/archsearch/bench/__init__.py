"""Benchmarks of the product as it is: searches through the real engine, real processes, real files."""
