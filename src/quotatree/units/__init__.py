"""Numbers: exact quantities and lists of resources.

Belongs here: the grammar and arithmetic of amounts. Does not: any Kubernetes object, any I/O.
Everyone may import it; it imports only `quotatree.errors`.
"""
