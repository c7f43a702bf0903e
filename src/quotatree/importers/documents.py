"""Texts of Kubernetes objects, YAML or JSON, one or many in each, to plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from quotatree.codec import yaml_tree
from quotatree.codec.findings import kind_of
from quotatree.errors import InputError
from quotatree.importers.objects import Object

MAX_BYTES: Final = 32 * 2**20
"""Size of the greatest text that is read: some ten thousand objects as a cluster shows them."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_AS_TEXT: Final = frozenset({"tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp"})


class _Loader(_Base):  # type: ignore[misc]  # the class depends on how PyYAML was built
    """Leaves fractions and dates as they are written: 0.1 is exact only as a text."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - PyYAML's own name and type
        first: [(tag, pattern) for tag, pattern in found if tag not in _AS_TEXT]
        for first, found in _Base.yaml_implicit_resolvers.items()
    }


def parse(data: bytes, *, name: str) -> list[Object]:
    """Return the objects of a text; `name` is what messages call it.

    Raises:
        InputError: the text is too long, no YAML, or holds something that is no object.
    """
    if len(data) > MAX_BYTES:
        size, most = len(data) / 2**20, MAX_BYTES // 2**20
        raise InputError(
            f"{name}: the file has {size:.1f} MiB, at most {most} MiB are read; split it"
        )
    try:
        return list(_objects(data.decode("utf-8-sig"), name=name))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(f"{name}:{line}: this is no text file (UTF-8)") from error
    except RecursionError as error:
        raise InputError(f"{name}: nested too deeply") from error


def _objects(text: str, *, name: str) -> Iterator[Object]:
    loader = _Loader(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            found = loader.construct_document(node)
            if found is not None:
                yield _object(found, place=f"{name}:{node.start_mark.line + 1}")
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(_syntax_message(text, error, name=name)) from error
    finally:
        loader.dispose()


def _object(found: object, *, place: str) -> Object:
    if not isinstance(found, dict):
        raise InputError(f"{place}: must be a Kubernetes object, is {kind_of(found)}")
    for key in ("apiVersion", "kind"):
        if not isinstance(found.get(key), str):
            raise InputError(f"{place}: must be a Kubernetes object, {key} is missing")
    return found


def _syntax_message(text: str, error: Exception, *, name: str) -> str:
    if not isinstance(error, yaml.YAMLError):
        return f"{name}: is no YAML: {error}"
    finding, (line, column) = yaml_tree.syntax_finding(text, error)
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{name}:{line}:{column}: {finding.message}{hint}"
