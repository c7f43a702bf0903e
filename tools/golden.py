"""Write the accepted outputs again: `uv run python -m tools.golden`.

Run it after a change of `quotatree.manifests` or `quotatree.importers` that is meant, and read the
difference before committing it: these files are what people will apply to their clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from quotatree.cli import manifest_files
from quotatree.codec import treefile
from quotatree.importers import convert, objects
from quotatree.manifests import install
from quotatree.manifests.settings import InstallSettings

GOLDEN: Final = Path(__file__).parent.parent / "tests" / "golden"

CASES: Final[Mapping[str, InstallSettings]] = {
    "manifests.yaml": InstallSettings(version="0.0.0", image="registry.example/quotatree:0.0.0"),
    "manifests-outside.yaml": InstallSettings(
        version="0.0.0",
        webhook_url="https://127.0.0.1:9443",
        ca_bundle="cGVt",
        gated=("count/configmaps", "count/jobs.batch"),
        controller_users=("quotatree",),
        owner_references_enforced=True,
    ),
}
"""File name to the settings of which it shows the installation."""


def render(name: str) -> str:
    """Return what the golden file `name` has to hold."""
    return install.to_yaml(install.installation(CASES[name]))


def imported(tool: str) -> dict[str, str]:
    """Return what the golden files of an import have to hold: the tree and what was said."""
    source = GOLDEN / "import" / f"{tool}.objects.yaml"
    read = manifest_files.read([str(source)])
    found = convert.convert(objects.of(item.body for item in read))
    return {
        f"import/{tool}.quotatree.yaml": treefile.to_text(found.tree),
        f"import/{tool}.notes.txt": "".join(f"{note}\n" for note in found.notes),
    }


def main() -> None:
    """Write all golden files of the manifests and of the imports."""
    for name in CASES:
        (GOLDEN / name).write_text(render(name), encoding="utf-8")
        print(f"wrote tests/golden/{name}")
    for tool in convert.READERS:
        for name, text in imported(tool).items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
            print(f"wrote tests/golden/{name}")


if __name__ == "__main__":
    main()
