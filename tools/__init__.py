"""Scripts of the developers, run as `python -m tools.…`."""
