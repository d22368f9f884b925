"""The Kubernetes operator: the same engine as the laptop's, with Jobs in place of processes."""
