"""Hierarchical resource quotas for Kubernetes: exact, explainable, in Python."""

from importlib.metadata import version

__version__ = version("quotatree")
