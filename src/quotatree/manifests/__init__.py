"""The installation as objects: CRD, RBAC, policies, webhook configuration, deployment.

Belongs here: settings in, a list of plain Kubernetes objects out, in the order in which to apply
them. Does not: applying them (`cluster`), reading files or the environment (`cli`). It may be
imported by everything above it; the controller uses `gate.birth_rules` when a TreeQuota names a
new kind.
"""
