"""Findings as documents: JSON, markdown for a pull request, SARIF and JUnit for CI.

Values to text, once, at the very end of a command. What is found is decided in the engine; what a
person at a terminal sees is drawn in the cli. Pure, and for `cli` to import.
"""
