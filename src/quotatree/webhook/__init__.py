"""The admission server: bytes to codec to engine to bytes, and its certificates."""
