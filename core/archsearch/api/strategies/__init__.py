"""Settings of the strategies, each in a file of its own."""
