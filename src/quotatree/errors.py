"""The few exceptions of the pure half and of the shells: each says whose fault it is.

A refusal is not an exception but a :class:`quotatree.model.verdict.Verdict`. Exceptions are for
broken input (`InputError`) and for a broken world (`ClusterError`, `SandboxError`).
"""

from __future__ import annotations


class QuotaTreeError(Exception):
    """Base of all errors that quotatree raises on purpose; its text is fit for a user's screen."""


class InputError(QuotaTreeError):
    """What the user gave cannot be understood; the text names the place and what is expected."""


class ClusterError(QuotaTreeError):
    """The API server refused, or could not be reached.

    `status` is the HTTP status (0 when there was no answer) and `reason` the reason of the
    Kubernetes `Status` object, e.g. `Conflict`, empty when there was none.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class SandboxError(QuotaTreeError):
    """The local control plane could not be built, started or stopped."""
