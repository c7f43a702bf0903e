"""What a rule has to say about what is planned."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A violation or, with `unknown`, something that could not be judged. Neither is a pass.

    `urn` is the resource that it is about, empty for the whole stack.
    """

    message: str
    urn: str = ""
    unknown: bool = False
