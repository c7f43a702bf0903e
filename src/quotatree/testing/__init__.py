"""Public helpers for tests: trees written as words, builders, a simulated API server."""
