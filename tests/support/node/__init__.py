"""A whole Kubernetes node of our own on this machine, for tests/e2e: Linux, root, Debian's containerd and runc."""
