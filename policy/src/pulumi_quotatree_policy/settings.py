"""The configuration of the rules: one table gives the schema, the defaults and the checks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from quotatree.codec import findings
from quotatree.errors import QuotaTreeError

LIVE: Final = "live"
FAIL: Final = "fail"


class SettingsError(QuotaTreeError):
    """A rule is configured in a way that it cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One property of a rule's configuration; `schema` is JSON Schema."""

    name: str
    schema: Mapping[str, Any]
    default: Any
    description: str

    def to_schema(self) -> dict[str, Any]:
        """Return the schema that Pulumi checks a configuration with."""
        default = list(self.default) if isinstance(self.default, tuple) else self.default
        return {**self.schema, "default": default, "description": self.description}

    def check(self, value: object) -> str | tuple[str, ...]:
        """Return the value as a rule reads it.

        Raises:
            SettingsError: it has another type, or is none of the values that there are.
        """
        if self.schema["type"] == "array":
            if isinstance(value, list | tuple) and all(isinstance(it, str) for it in value):
                return tuple(value)
            raise SettingsError(
                f"{self.name} must be a list of texts, is {findings.kind_of(value)}"
            )
        known = self.schema.get("enum")
        if isinstance(value, str) and (known is None or value in known):
            return value
        want = " or ".join(known) if known else "a text"
        raise SettingsError(f"{self.name} must be {want}, is {findings.kind_of(value)}")


_TEXTS: Final = {"type": "array", "items": {"type": "string"}}
_TEXT: Final = {"type": "string"}

EXEMPT: Final = Property(
    name="exemptNamespaces",
    schema=_TEXTS,
    default=("kube-*", "default", "quotatree-system"),
    description="Namespaces that the rule leaves alone; `*` stands for any characters.",
)
UNKNOWN: Final = Property(
    name="unknown",
    schema={"type": "string", "enum": ["warn", FAIL]},
    default="warn",
    description="What becomes of what cannot be judged: told as a warning, or counted as a "
    "violation at the level of the rule.",
)
RESOURCES: Final = Property(
    name="resources",
    schema={"type": "array", "items": {"type": "string", "enum": ["cpu", "memory"]}},
    default=("cpu", "memory"),
    description="The resources that have to be named.",
)
GPUS: Final = Property(
    name="gpus",
    schema=_TEXTS,
    default=("*/gpu*", "nvidia.com/*", "gpu.intel.com/*"),
    description="Extended resources that are GPUs; `*` stands for any characters.",
)
STATE: Final = Property(
    name="state",
    schema=_TEXT,
    default="",
    description="A file that `quotatree tree -o json` wrote, or `live` to run `stateCommand`. "
    "Empty: $QUOTATREE_POLICY_STATE, and without that the program alone is judged.",
)
COMMAND: Final = Property(
    name="stateCommand",
    schema=_TEXTS,
    default=("quotatree", "tree", "-o", "json"),
    description="What prints the state of the live cluster, for instance with `--context`.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The configuration of one rule; what the rule has no property for is the default."""

    exempt: tuple[str, ...] = EXEMPT.default
    unknown: str = UNKNOWN.default
    resources: tuple[str, ...] = RESOURCES.default
    gpus: tuple[str, ...] = GPUS.default
    state: str = STATE.default
    command: tuple[str, ...] = COMMAND.default

    def exempts(self, namespace: str) -> bool:
        """Whether the rule leaves a namespace alone."""
        return any(fnmatchcase(namespace, pattern) for pattern in self.exempt)

    def is_gpu(self, resource: str) -> bool:
        """Whether an extended resource of a container, e.g. `nvidia.com/gpu`, is a GPU."""
        return "/" in resource and any(fnmatchcase(resource, pattern) for pattern in self.gpus)


_FIELDS: Final = {
    EXEMPT.name: "exempt",
    UNKNOWN.name: "unknown",
    RESOURCES.name: "resources",
    GPUS.name: "gpus",
    STATE.name: "state",
    COMMAND.name: "command",
}


def read(config: Mapping[str, Any], properties: Iterable[Property]) -> Settings:
    """Return the settings of a rule with these properties.

    Raises:
        SettingsError: a property is unknown or has a wrong value.
    """
    known = {it.name: it for it in properties}
    found: dict[str, Any] = {}
    for name, value in config.items():
        if name not in known:
            hint = findings.closest(name, known)
            raise SettingsError(
                f"there is no property {findings.quoted(name)}; {hint}".rstrip("; ")
            )
        found[_FIELDS[name]] = known[name].check(value)
    return Settings(**found)
