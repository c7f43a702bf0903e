"""What `quotatree explain` hears of events, and what becomes of a right that is missing."""

from __future__ import annotations

from tests.service.cluster.scripted import Script

from quotatree.cli import explain_inputs
from quotatree.cluster import client
from quotatree.model.names import Namespace

JOB = {"metadata": {"name": "train", "uid": "u"}}


async def test_events_that_may_not_be_read_were_not_told_by_anybody(
    api: client.Client, script: Script
) -> None:
    script.refuse(403, "Forbidden", "no")
    told, unread = await explain_inputs.events(api, JOB, Namespace("batch"))
    assert told == ()
    assert unread == ("events in batch may not be listed: what they say is not known",)
