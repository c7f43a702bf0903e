"""The event loop of the controller's processes: the fastest that there is."""

from __future__ import annotations

import asyncio


def new() -> asyncio.AbstractEventLoop:
    """Return the loop to run in: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
