"""What is said to a review that nobody decides."""

from __future__ import annotations

from quotatree.codec import review
from quotatree.errors import InputError
from quotatree.webhook import frames, routes
from quotatree.webhook.frames import Answer


def answer(path: str, body: bytes, why: str) -> Answer:
    """Return a refusal that says to ask again; what is not to be refused gets no review at all.

    Then the `failurePolicy` of its entry holds: a write that is only put right by us, and never
    judged, must not wait for us.
    """
    if path not in routes.REFUSABLE:
        return frames.said(why, status=503)
    try:
        uid = review.uid_of(review.request_of(body))
    except InputError as error:
        return frames.said(f"cannot read this AdmissionReview: {error}", status=400)
    return Answer(body=review.later(uid, why))
