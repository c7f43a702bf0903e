"""The loop: watch, plan, apply, sleep. It decides nothing itself."""
