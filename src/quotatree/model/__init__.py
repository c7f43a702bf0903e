"""The vocabulary: typed, frozen values.

Belongs here: what a namespace, a quota, a managed ResourceQuota, a verdict and an effect are.
Does not: dicts as the API server sends them (`codec`), decisions (`engine`), I/O.
"""
