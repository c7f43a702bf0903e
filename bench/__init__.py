"""What quotatree costs: beside native ResourceQuota on a real API server, and by itself.

`python -m bench` measures everything. Load is made, and the engine is measured, in processes of
their own, so that the one does not slow or fatten the other. Nothing here is shipped.
"""
