"""A real OpenSearch node on this machine, in a process of its own."""
