"""Fetches media from allowed hosts only, and never from where a server's own network is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence, Set
from urllib.parse import SplitResult

import httpx2 as httpx

from casa.serving.addresses import allowed_url, checked_address
from casa.serving.errors import APIError

_MOST = 8  # in one request
_MOST_BYTES = 20_000_000  # of one
_TIMEOUT_S = 10.0


class RemoteMedia:
    """Fetches media by https, one after the other.

    The connection goes to an address that was checked, with the host's name in TLS; redirects are not followed, no proxy and no
    cookie of this machine is used, and size and time are limited.

    Args:
        domains: hosts that may be asked; empty for none.
        megabytes: of all media of a request together.
        transport: another transport, for tests.
    """

    def __init__(self, domains: Set[str], megabytes: float, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._domains = {domain.lower().rstrip(".") for domain in domains}
        self._most_together = int(megabytes * 1e6)
        self._transport = transport

    async def fetch(self, urls: Sequence[str]) -> dict[str, bytes]:
        """The media of one request, by their addresses.

        Raises:
            APIError: 400, one may not be fetched, or could not be, or they are too many or too large.
        """
        if len(urls) > _MOST:
            raise APIError(400, f"at most {_MOST} media are fetched for one request", "too_many_media")
        parts = {url: allowed_url(url, self._domains) for url in urls}
        fetched: dict[str, bytes] = {}
        for url, part in parts.items():
            room = self._most_together - sum(map(len, fetched.values()))
            fetched[url] = await self._one(part, min(_MOST_BYTES, room))
        return fetched

    async def _one(self, parts: SplitResult, most_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                address = await checked_address(parts.hostname or "")
                return await self._get(address, parts, most_bytes)
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL):
            raise _failed("it could not be reached in time") from None

    async def _get(self, address: str, parts: SplitResult, most_bytes: int) -> bytes:
        client = httpx.AsyncClient(transport=self._transport, trust_env=False, follow_redirects=False)
        host, path = parts.hostname or "", f"{parts.path or '/'}?{parts.query}".rstrip("?")
        url = httpx.URL(scheme="https", host=address, raw_path=path.encode())
        headers = {"host": host, "accept-encoding": "identity", "user-agent": "casa"}
        request = httpx.Request("GET", url, headers=headers, extensions={"sni_hostname": host, **_TIMEOUTS})
        async with client:
            response = await client.send(request, stream=True)
            try:
                if response.is_redirect:
                    raise _failed("it redirects, which is not followed")
                if response.status_code != 200:
                    raise _failed(f"its host answered {response.status_code}")
                return await _read(response, most_bytes)
            finally:
                await response.aclose()


_TIMEOUTS = {"timeout": httpx.Timeout(_TIMEOUT_S).as_dict()}


async def _read(response: httpx.Response, most_bytes: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise _failed("it came compressed, which was not asked for")
    content = bytearray()
    async for chunk in response.aiter_raw():
        content += chunk
        if len(content) > most_bytes:
            raise _failed(f"it is larger than the {most_bytes / 1e6:g} MB that are left for it")
    return bytes(content)


def _failed(reason: str) -> APIError:
    return APIError(400, f"a medium was not fetched: {reason}", "media_failed")
