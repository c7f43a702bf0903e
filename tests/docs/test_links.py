"""Every link inside the repository leads somewhere, and every page can be found."""

import pytest
from tests.docs import pages


@pytest.mark.parametrize("page", pages.PAGES, ids=pages.name)
def test_links_lead_somewhere(page):
    for target in pages.links(page):
        if target.startswith(("https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{pages.name(page)} links to {target}, which does not exist"
        if anchor:
            assert anchor in pages.anchors(found), f"{pages.name(page)}: no heading for {target}"


def test_no_link_is_without_encryption():
    for page in pages.PAGES:
        assert not [t for t in pages.links(page) if t.startswith("http://")], pages.name(page)


def test_every_page_of_docs_is_in_the_list_of_pages():
    index = pages.DOCS / "README.md"
    listed = {(index.parent / t.partition("#")[0]).resolve() for t in pages.links(index)}
    decisions = set((pages.DOCS / "decisions").glob("*.md"))  # listed by their numbers already
    missing = set(pages.DOCS.rglob("*.md")) - {index} - decisions - listed
    assert not missing, f"not in docs/README.md: {sorted(map(pages.name, missing))}"
