"""A monitor that keeps every registration as Pulumi's engine would see it."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pulumi
from pulumi.output import UNKNOWN
from pulumi.runtime import mocks, rpc, settings


@dataclass(frozen=True, kw_only=True)
class Registered:
    """One resource: what was asked for, and what it waits for, by logical names."""

    type: str
    name: str
    read: bool
    inputs: dict[str, Any]
    parent: str
    needs: frozenset[str]
    request: Any

    @property
    def protect(self) -> bool:
        return not self.read and self.request.protect

    @property
    def metadata(self) -> dict[str, Any]:
        return self.inputs["metadata"]


def _name(urn: str) -> str:
    return urn.rsplit("::", maxsplit=1)[-1]


class _Echo(mocks.Mocks):
    """Every resource becomes what was asked for; what is imported shows what there is."""

    def __init__(self, live: dict[str, dict[str, Any]] | None = None) -> None:
        self.live = live or {}

    def call(self, args):
        raise AssertionError(f"no component calls a function: {args.token}")

    def new_resource(self, args):
        return args.resource_id or f"{args.name}-id", self.live.get(args.resource_id, args.inputs)


class Recorder(mocks.MockMonitor):
    """Plain mocks hide parent, dependencies and options; here they are kept."""

    def __init__(self, live: dict[str, dict[str, Any]] | None = None) -> None:
        super().__init__(_Echo(live))
        self.found: list[Registered] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        self.absent: set[str] = set()

    def RegisterResource(self, request):  # noqa: N802 - the service's name
        if request.type != "pulumi:pulumi:Stack":
            self._keep(request, request.object, read=False)
        return super().RegisterResource(request)

    def ReadResource(self, request):  # noqa: N802 - the service's name
        self._keep(request, request.properties, read=True)
        if request.id in self.absent:
            raise Exception(f"{request.name}: resource '{request.id}' does not exist")
        return super().ReadResource(request)

    def RegisterResourceOutputs(self, request):  # noqa: N802 - the service's name
        self.outputs[_name(request.urn)] = rpc.deserialize_properties(
            request.outputs, keep_unknowns=True
        )
        return super().RegisterResourceOutputs(request)

    def _keep(self, request, properties, *, read: bool) -> None:
        self.found.append(
            Registered(
                type=request.type,
                name=request.name,
                read=read,
                inputs=rpc.deserialize_properties(properties, keep_unknowns=True),
                parent=_name(request.parent),
                needs=frozenset(map(_name, request.dependencies)),
                request=request,
            )
        )

    # -- questions ----------------------------------------------------------------------------

    def __getitem__(self, name: str) -> Registered:
        (found,) = [it for it in self.found if it.name == name]
        return found

    def of_type(self, ending: str) -> list[Registered]:
        return [it for it in self.found if it.type.endswith(ending)]

    def names(self, ending: str) -> list[str]:
        return [it.name for it in self.of_type(ending)]

    def all_needs(self, name: str) -> set[str]:
        """Return everything that has to stand before this resource is made."""
        reached: set[str] = set()
        pending = [name]
        while pending:
            new = self[pending.pop()].needs - reached
            reached |= new
            pending += new
        return reached


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a program did."""

    monitor: Recorder
    result: Any
    warnings: list[str]

    def __getitem__(self, name: str) -> Registered:
        return self.monitor[name]


@contextmanager
def _own_loop() -> Iterator[None]:
    """Keep what a failed program leaves unfinished away from the next one."""
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)
    asyncio.set_event_loop(loop)
    try:
        yield
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
        asyncio.set_event_loop(None)


def run(
    program: Callable[[], Any],
    *,
    preview: bool = False,
    absent: tuple[str, ...] = (),
    live: dict[str, dict[str, Any]] | None = None,
) -> Ran:
    """Run a program without an engine; `result` is what it returns, Outputs resolved.

    `live` is what the cluster shows of objects that are imported, by their id.
    """
    monitor = Recorder(live)
    monitor.absent |= set(absent)
    logger = logging.Logger("program")
    kept = _Kept()
    logger.addHandler(kept)
    results: list[Any] = []

    def keep() -> Any:
        found = program()
        return pulumi.Output.from_input(found).apply(results.append) if found is not None else None

    with _own_loop():
        # The stack is a resource too, and belongs to the loop that it was made in.
        settings.set_root_resource(None)  # type: ignore[arg-type]
        mocks.set_mocks(_Echo(), preview=preview, monitor=monitor, logger=logger)
        pulumi.runtime.test(keep)()
    return Ran(monitor=monitor, result=results[0] if results else None, warnings=kept.said)


def unknown() -> pulumi.Output[Any]:
    """Return an Output that is not known at preview."""
    return pulumi.Output.from_input(UNKNOWN)


def later(value: Any, name: str = "source") -> pulumi.Output[Any]:
    """Return an Output of a resource, known when that resource is made."""
    made = pulumi.CustomResource("test:index:Source", name, {"value": value})
    return made.value  # type: ignore[attr-defined]
