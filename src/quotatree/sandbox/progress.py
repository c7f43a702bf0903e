"""Telling what goes on: a live line on a terminal, plain lines elsewhere, silence in tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichBar

PLAIN_INTERVAL_SECONDS: Final = 15.0


class Step(Protocol):
    """A piece of work that is going on."""

    def tick(self, fraction: float | None = None) -> None:
        """It still goes on; `fraction` of it (0 to 1) is done where that is known."""


class Progress(Protocol):
    """Where steps are shown."""

    def step(
        self, doing: str, *, after: str = "", slow: bool = False
    ) -> AbstractContextManager[Step]:
        """Show `doing` until the block ends; `after` says what comes next.

        `slow` steps are announced before they begin, where nothing moves on the screen.
        """

    def note(self, text: str) -> None:
        """Say something once."""


class _Ticker:
    def __init__(self, on_tick: Callable[[float | None], None]) -> None:
        self._on_tick = on_tick

    def tick(self, fraction: float | None = None) -> None:
        self._on_tick(fraction)


class Silent:
    """Says nothing."""

    @contextmanager
    def step(self, doing: str, *, after: str = "", slow: bool = False) -> Iterator[Step]:  # noqa: ARG002
        """Nothing is shown."""
        yield _Ticker(lambda _: None)

    def note(self, text: str) -> None:
        """Nothing is said."""


class Plain:
    """One line per step, and one every 15 s while it lasts: for logs and pipes."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock

    @contextmanager
    def step(self, doing: str, *, after: str = "", slow: bool = False) -> Iterator[Step]:
        """Write a line at the end, and before and during the step if it takes long."""
        began = self._clock()
        spoken = began
        following = f"; next: {after}" if after else ""

        def on_tick(fraction: float | None) -> None:
            nonlocal spoken
            now = self._clock()
            if now - spoken < PLAIN_INTERVAL_SECONDS:
                return
            spoken = now
            share = "" if fraction is None else f" ({fraction:.0%})"
            self.note(f"still {doing}{share}, {_seconds(now - began)} so far{following}")

        if slow:
            self.note(f"{doing}{following}")
        yield _Ticker(on_tick)
        self.note(f"{doing}: done in {_seconds(self._clock() - began)}")

    def note(self, text: str) -> None:
        """Write the line at once."""
        self._stream.write(f"{text}\n")
        self._stream.flush()


class Live:
    """One moving line with a spinner, the elapsed time and what comes next: for terminals."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, doing: str, *, after: str = "", slow: bool = False) -> Iterator[Step]:  # noqa: ARG002
        """Show the line, and leave a finished one behind."""
        following = f"next: {after}" if after else ""
        columns = (
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.fields[following]}", style="dim", markup=False),
        )
        with RichBar(*columns, console=self._console) as bar:
            task = bar.add_task(doing, total=None, following=following)

            def on_tick(fraction: float | None) -> None:
                if fraction is not None:
                    bar.update(task, total=1.0, completed=fraction)

            yield _Ticker(on_tick)
            bar.update(task, total=1.0, completed=1.0, following="")

    def note(self, text: str) -> None:
        """Write the line above whatever moves."""
        self._console.print(text, markup=False, highlight=False)


def shown_on(stream: TextIO) -> Progress:
    """The right kind of progress for `stream`."""
    console = Console(file=stream)
    return Live(console) if console.is_terminal else Plain(stream)


def _seconds(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60:02d} s"
