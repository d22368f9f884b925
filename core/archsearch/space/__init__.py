"""Search spaces: tokens to architecture and back, validity, size, and the graph that pictures are drawn from."""
