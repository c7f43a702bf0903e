"""A small language host: it lets `pulumi up` run Python programs where Pulumi's own host is not.

Pulumi's host for Python comes with its installer only; no registry serves it. This one runs a
program with the interpreter that it runs with itself, whatever virtual environment Pulumi.yaml
names, installs nothing and asks for no plugins. `pulumi_engine.py` puts it on the PATH as
`pulumi-language-python`. For trials and tests.

Protocol: pulumi.runtime.proto, service LanguageRuntime; the first line on stdout is the port.
"""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import tomllib
import traceback
from collections.abc import Iterable, Iterator
from concurrent import futures
from pathlib import Path
from types import FrameType
from typing import Final

import grpc  # type: ignore[import-untyped]
import pulumi
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi import runtime
from pulumi.runtime.proto import (
    LanguageRuntimeServicer,
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
)

_MESSAGE_BYTES: Final = 400 << 20


class Host(LanguageRuntimeServicer):
    """Answers one engine, which listens on `engine`."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()

    def Handshake(  # noqa: N802 - the protocol's name
        self, request: language_pb2.LanguageHandshakeRequest, _: grpc.ServicerContext
    ) -> language_pb2.LanguageHandshakeResponse:
        """Learn where the engine listens."""
        self._engine = request.engine_address or self._engine
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(  # noqa: N802 - the protocol's name
        self, _: empty_pb2.Empty, __: grpc.ServicerContext
    ) -> plugin_pb2.PluginInfo:
        """Say which version this is."""
        return plugin_pb2.PluginInfo(version="0.1.0")

    def GetRequiredPackages(  # noqa: N802 - the protocol's name
        self, _: language_pb2.GetRequiredPackagesRequest, __: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Ask for nothing: the engine finds providers on the PATH when they are used."""
        return language_pb2.GetRequiredPackagesResponse()

    def About(  # noqa: N802 - the protocol's name
        self, _: language_pb2.AboutRequest, __: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        """Say what runs the programs."""
        version = ".".join(map(str, sys.version_info[:3]))
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def Run(  # noqa: N802 - the protocol's name
        self, request: language_pb2.RunRequest, _: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run a program against the engine's resource monitor, once."""
        directory = Path(request.info.program_directory)
        os.chdir(request.pwd or directory)
        sys.path.insert(0, str(directory))
        sys.argv = [str(directory), *request.args]
        main = directory / request.info.entry_point
        main = main if main.is_file() else directory / "__main__.py"
        whole = contextvars.copy_context().run(_run, request, engine=self._engine, main=main)
        return language_pb2.RunResponse(bail=not whole)

    def RunPlugin(  # noqa: N802 - the protocol's name
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a policy pack or a component provider, and pass on what it prints."""
        argv = [sys.executable, *_plugin(request)]
        environment = dict(entry.split("=", 1) for entry in request.env) or None
        pipe = subprocess.PIPE
        with subprocess.Popen(
            argv, cwd=request.pwd, env=environment, stdout=pipe, stderr=pipe
        ) as child:
            self._children.add(child)
            context.add_callback(child.terminate)
            for stream, line in _lines(child):
                yield _said(stream, line)
            code = child.wait()
            self._children.discard(child)
        yield language_pb2.RunPluginResponse(exitcode=code)

    def InstallDependencies(  # noqa: N802 - the protocol's name
        self, _: language_pb2.InstallDependenciesRequest, __: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing: programs run with what this interpreter has."""
        return iter(())

    def Cancel(  # noqa: N802 - the protocol's name
        self, _: empty_pb2.Empty, __: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """End what was started."""
        self.end()
        return empty_pb2.Empty()

    def end(self) -> None:
        """Terminate all plugins."""
        for child in list(self._children):
            child.terminate()


def _run(request: language_pb2.RunRequest, *, engine: str, main: Path) -> bool:
    """Whether the program came to its end; the engine is told why it did not."""
    runtime.reset_options(
        project=request.project,
        stack=request.stack,
        organization=request.organization or "organization",
        parallel=request.parallel,
        preview=request.dryRun,
        monitor_address=request.monitor_address,
        engine_address=engine,
    )
    runtime.set_all_config(dict(request.config), list(request.configSecretKeys))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The engine has been told of each failed resource; the tasks that wait for one say it again.
    loop.set_exception_handler(lambda _, __: None)
    try:
        loop.run_until_complete(runtime.run_in_stack(lambda: _execute(main)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
    except grpc.RpcError as error:
        if (
            error.code() != grpc.StatusCode.UNAVAILABLE
        ):  # Else the engine has given up, and said so.
            pulumi.log.error(f"the engine did not answer: {error.details()}")
    except (Exception, SystemExit):
        pulumi.log.error(f"the program failed:\n{traceback.format_exc()}")
    else:
        return True
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        sys.stdout.flush()
        sys.stderr.flush()
    return False


def _execute(main: Path) -> None:
    runpy.run_path(str(main), run_name="__main__")


def _plugin(request: language_pb2.RunPluginRequest) -> list[str]:
    """What Python has to run: a policy pack, a program, or the components of a package."""
    directory, arguments = Path(request.info.program_directory), list(request.args)
    if request.kind == "analyzer":
        return ["-um", "pulumi.policy", arguments[0], str(directory), *arguments[1:]]
    if (directory / "__main__.py").exists():
        return ["-u", str(directory), *arguments]
    package = tomllib.loads((directory / "pyproject.toml").read_text())["project"]["name"]
    return ["-um", "pulumi.run.plugin", package, *arguments]


def _said(stream: str, line: bytes) -> language_pb2.RunPluginResponse:
    if stream == "stdout":
        return language_pb2.RunPluginResponse(stdout=line)
    return language_pb2.RunPluginResponse(stderr=line)


def _lines(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """What the child prints, as it comes: ("stdout" or "stderr", line)."""
    found: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def read(name: str, stream: Iterable[bytes]) -> None:
        for line in stream:
            found.put((name, line))
        found.put((name, b""))

    assert child.stdout
    assert child.stderr
    streams = {"stdout": child.stdout, "stderr": child.stderr}
    for name, stream in streams.items():
        threading.Thread(target=read, args=(name, stream), daemon=True).start()
    while streams:
        name, line = found.get()
        if line:
            yield name, line
        else:
            del streams[name]


def _follow_engine(host: Host) -> None:
    """End with the engine, also when it was killed: it holds the other end of our stdin."""
    while os.read(0, 1):
        pass
    host.end()
    os._exit(0)


def main() -> None:
    """Listen until the engine sends SIGINT."""
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    host = Host(addresses[-1] if addresses else "")
    limits = [(f"grpc.max_{way}_message_length", _MESSAGE_BYTES) for way in ("send", "receive")]
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8), options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    ended = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    print(port, flush=True)
    threading.Thread(target=_follow_engine, args=(host,), daemon=True).start()
    ended.wait()
    host.end()
    server.stop(0)


if __name__ == "__main__":
    main()
