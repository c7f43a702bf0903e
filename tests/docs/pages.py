"""The pages of the documentation and what is in them: links, headings, fenced blocks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
PAGES: Final = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "examples").rglob("*.md"),
        *(ROOT / "integrations").rglob("*.md"),
    ],
)

_FENCE: Final = re.compile(
    r"^```(?P<language>[a-z]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING: Final = re.compile(r"^#+ (?P<text>.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block: where it is, its language, its text."""

    place: str
    language: str
    text: str


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> Iterator[Block]:
    """Yield all fenced blocks of these languages."""
    for page in PAGES:
        whole = text(page)
        for match in _FENCE.finditer(whole):
            if match["language"] in languages:
                line = whole.count("\n", 0, match.start()) + 1
                yield Block(
                    place=f"{name(page)}:{line}", language=match["language"], text=match["text"]
                )


def links(page: Path) -> Iterator[str]:
    """Yield the targets of all links outside of fenced blocks."""
    for match in _LINK.finditer(_FENCE.sub("", text(page))):
        yield match["target"]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = _HEADING.findall(_FENCE.sub("", text(page)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> Iterator[tuple[str, str]]:
    """Yield place and text of every command in the blocks for a shell, continued lines joined."""
    for block in blocks("sh", "console"):
        for line in block.text.replace("\\\n", " ").splitlines():
            if block.language == "sh" or line.startswith("$ "):
                yield block.place, line.removeprefix("$ ")
