"""The clients that `measure_clients.py` measures, each behind the same three calls."""

from __future__ import annotations

import importlib
from typing import Final

load = importlib.import_module  # whichever are installed: none is needed by quotatree itself

PATH: Final = "/api/v1/resourcequotas"
PAGE: Final = 500


class Adapter:
    """One client: `imports` is what an application must load, the three calls what it does."""

    imports: tuple[str, ...] = ()

    def __init__(self, url: str, objects: int) -> None:
        self.url = url
        self.objects = objects

    async def open(self) -> None:
        """Connect, where the client needs that."""

    async def close(self) -> None:
        """Close what `open` opened."""

    async def list(self) -> int:
        """List everything, hold it, return how many."""
        raise NotImplementedError

    async def watch(self) -> int:
        """Read the stream of changes to its end, return how many."""
        raise NotImplementedError

    async def patch(self) -> None:
        """Patch one object."""
        raise NotImplementedError


class _AiohttpOrjson(Adapter):
    """What quotatree uses."""

    imports = ("aiohttp", "orjson")

    async def open(self) -> None:
        import aiohttp

        self.session = aiohttp.ClientSession(headers={"Accept-Encoding": "identity"})

    async def close(self) -> None:
        await self.session.close()

    async def list(self) -> int:
        import orjson

        async with self.session.get(self.url + PATH) as response:
            self.held = orjson.loads(await response.read())["items"]
        return len(self.held)

    async def watch(self) -> int:
        import orjson

        seen, rest = 0, b""
        async with self.session.get(self.url + PATH, params={"watch": "true"}) as response:
            async for piece in response.content.iter_any():
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    seen += bool(orjson.loads(line)["object"])
        return seen

    async def patch(self) -> None:
        import orjson

        async with self.session.patch(self.url + PATH, data=b"{}") as response:
            orjson.loads(await response.read())


class _AiohttpPages(_AiohttpOrjson):
    """The same with a list in pages, as quotatree asks for it."""

    async def list(self) -> int:
        import orjson

        self.held, params = [], {"limit": str(PAGE)}
        while True:
            async with self.session.get(self.url + PATH, params=params) as response:
                page = orjson.loads(await response.read())
            self.held += page["items"]
            params["continue"] = page["metadata"].get("continue", "")
            if not params["continue"]:
                return len(self.held)


class _Httpx2Orjson(Adapter):
    """lightkube's transport without its objects."""

    imports = ("httpx2", "orjson")

    async def open(self) -> None:
        self.session = load("httpx2").AsyncClient(timeout=60)

    async def close(self) -> None:
        await self.session.aclose()

    async def list(self) -> int:
        import orjson

        response = await self.session.get(self.url + PATH)
        self.held = orjson.loads(response.content)["items"]
        return len(self.held)

    async def watch(self) -> int:
        import orjson

        seen = 0
        async with self.session.stream("GET", f"{self.url}{PATH}?watch=true") as response:
            async for line in response.aiter_lines():
                seen += bool(orjson.loads(line)["object"])
        return seen

    async def patch(self) -> None:
        import orjson

        orjson.loads((await self.session.patch(self.url + PATH, content=b"{}")).content)


class _LightkubeModels(Adapter):
    """lightkube with its typed models."""

    imports = ("lightkube", "lightkube.resources.core_v1")
    chunk: int | None = None

    def kind(self) -> object:
        return load("lightkube.resources.core_v1").ResourceQuota

    async def open(self) -> None:
        lightkube = load("lightkube")
        config = lightkube.KubeConfig.from_server(self.url).get()
        config = config._replace(user=load("lightkube.config.models").User())
        self.client = lightkube.AsyncClient(config=config, timeout=None)

    async def close(self) -> None:
        await self.client.close()

    async def list(self) -> int:
        listing = self.client.list(self.kind(), namespace="*", chunk_size=self.chunk)
        self.held = [item async for item in listing]
        return len(self.held)

    async def watch(self) -> int:
        seen = 0
        async for _ in self.client.watch(
            self.kind(), namespace="*", server_timeout=1, on_error=_stop
        ):
            seen += 1
            if seen % self.objects == 0:  # it would open the watch again, for ever
                break
        return seen

    async def patch(self) -> None:
        await self.client.patch(self.kind(), "quotatree", {}, namespace="a")


class _LightkubePages(_LightkubeModels):
    """The same in pages."""

    chunk = PAGE


class _LightkubeGeneric(_LightkubeModels):
    """lightkube with a generic resource: dictionaries."""

    def kind(self) -> object:
        generic = load("lightkube.generic_resource")
        known = generic.get_generic_resource("v1", "ResourceQuota")
        return known or generic.create_namespaced_resource(
            "", "v1", "ResourceQuota", "resourcequotas"
        )


class _Kr8s(Adapter):
    """kr8s, asynchronous."""

    imports = ("kr8s", "kr8s.asyncio.objects")

    async def open(self) -> None:
        self.api = await load("kr8s.asyncio").api(url=self.url, kubeconfig="/nonexistent")
        self.kind = load("kr8s.asyncio.objects").ResourceQuota
        self.everywhere = load("kr8s").ALL

    async def list(self) -> int:
        self.held = [item async for item in self.api.get(self.kind, namespace=self.everywhere)]
        return len(self.held)

    async def watch(self) -> int:
        seen = 0
        async for _ in self.api.async_watch(self.kind, namespace=self.everywhere):
            seen += 1
        return seen

    async def patch(self) -> None:
        async with self.api.call_api(
            "PATCH", version="v1", base="/api", namespace="a", url="resourcequotas/q", content=b"{}"
        ) as response:
            response.json()


class _KubernetesAio(Adapter):
    """The official client, asynchronous half."""

    imports = ("kubernetes.aio.client", "kubernetes.aio.watch")
    package = "kubernetes.aio"

    async def open(self) -> None:
        client = load(f"{self.package}.client")
        self.api_client = client.ApiClient(client.Configuration(host=self.url))
        self.core = client.CoreV1Api(self.api_client)

    async def close(self) -> None:
        await self.api_client.close()

    async def list(self) -> int:
        self.held = (await self.core.list_resource_quota_for_all_namespaces()).items
        return len(self.held)

    async def watch(self) -> int:
        seen = 0
        watch = load(f"{self.package}.watch").Watch()
        stream = watch.stream(self.core.list_resource_quota_for_all_namespaces, timeout_seconds=1)
        async for _ in stream:
            seen += 1
        return seen

    async def patch(self) -> None:
        await self.core.patch_namespaced_resource_quota("quotatree", "a", {})


class _KubernetesAsyncio(_KubernetesAio):
    """The older asynchronous fork."""

    imports = ("kubernetes_asyncio.client", "kubernetes_asyncio.watch")
    package = "kubernetes_asyncio"


ADAPTERS: Final[dict[str, type[Adapter]]] = {
    "aiohttp + orjson": _AiohttpOrjson,
    "aiohttp + orjson, pages": _AiohttpPages,
    "httpx2 + orjson": _Httpx2Orjson,
    "lightkube, models": _LightkubeModels,
    "lightkube, models, pages": _LightkubePages,
    "lightkube, generic": _LightkubeGeneric,
    "kr8s": _Kr8s,
    "kubernetes.aio": _KubernetesAio,
    "kubernetes_asyncio": _KubernetesAsyncio,
}


def _stop(*_: object) -> object:
    types = load("lightkube.types")
    return types.OnErrorResult(types.OnErrorAction.STOP)
