"""`quotatree doctor`: `reading` looks at the cluster, the checks judge what it saw, `repair` mends.

The checks are pure: what was seen in, findings out. What may just be on its way is looked at twice,
and only what stands both times is wrong.
"""
