"""Media are fetched from allowed hosts at public addresses, and from nowhere else."""

from __future__ import annotations

import asyncio
import gzip
import socket

import httpx2 as httpx
import pytest

from casa.serving import remote_media
from casa.serving.addresses import is_public
from casa.serving.errors import APIError
from casa.serving.remote_media import RemoteMedia

HOST = "media.example"
PUBLIC = "93.184.215.14"


@pytest.fixture
def resolves(monkeypatch):
    """`resolves("10.0.0.1")`: what every name resolves to."""

    def to(*addresses):
        async def getaddrinfo(self, host, port, **options):
            assert host == HOST, "only the allowed host is looked up"
            if not addresses:
                raise socket.gaierror
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)

    to(PUBLIC)
    return to


class Host(httpx.AsyncBaseTransport):
    """Stands for the network, and keeps what it was asked."""

    def __init__(self, status, content=b"", headers=None):
        self.status, self.content, self.headers, self.asked = status, content, headers, []

    async def handle_async_request(self, request):
        self.asked.append(request)
        return httpx.Response(self.status, headers=self.headers, content=self._pieces())

    async def _pieces(self):
        yield self.content[:5]
        yield self.content[5:]


def fetch(url, host=None, domains=(HOST,)):
    found = fetch_all([url], host, domains)
    return found if isinstance(found, APIError) else found[url]


def fetch_all(urls, host=None, domains=(HOST,), megabytes=1.0):
    host = host or Host(200, content=b"png")
    try:
        return asyncio.run(RemoteMedia(frozenset(domains), megabytes, host).fetch(urls))
    except APIError as error:
        assert error.status == 400
        return error


def test_it_connects_to_the_checked_address_with_the_hosts_name_in_tls(resolves):
    host = Host(200, content=b"png")
    assert fetch(f"https://{HOST}/a%20b.png?x=1", host) == b"png"
    (request,) = host.asked
    assert str(request.url) == f"https://{PUBLIC}/a%20b.png?x=1"
    assert request.headers["host"] == request.extensions["sni_hostname"] == HOST
    assert "cookie" not in request.headers and "authorization" not in request.headers


@pytest.mark.parametrize(
    "url",
    [
        f"http://{HOST}/x",
        f"https://{HOST}:8443/x",
        f"https://user:key@{HOST}/x",
        f"https://sub.{HOST}/x",
        f"https://{HOST}.evil.example/x",
        f"https://evil.example/{HOST}",
        f"https://evil.example#@{HOST}/",
        f"https://evil.example\\@{HOST}/",
        "https://127.0.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://2130706433/x",
        "https://localhost/x",
        "https://[/x",
        f"https://{HOST}:port/x",
        f"ftp://{HOST}/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_another_address_is_not_asked(resolves, url):
    host = Host(200, content=b"png")
    assert isinstance(fetch(url, host), APIError)
    assert host.asked == []


@pytest.mark.parametrize("url", ["https://127.0.0.1/x", "https://169.254.169.254/x", "https://[::1]/x"])
def test_a_special_address_is_not_asked_even_if_it_was_allowed(url):
    host = Host(200, content=b"png")
    assert isinstance(fetch(url, host, ("127.0.0.1", "169.254.169.254", "::1")), APIError)
    assert host.asked == []


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("10.0.0.1",), ("169.254.169.254",), ("::1",), ("fd00::1",), (PUBLIC, "192.168.0.1"), ()],
)
def test_a_name_that_resolves_to_a_private_address_or_to_none_is_not_asked(resolves, addresses):
    resolves(*addresses)
    host = Host(200, content=b"png")
    assert isinstance(fetch(f"https://{HOST}/x", host), APIError)
    assert host.asked == []


@pytest.mark.parametrize("target", ["https://169.254.169.254/", f"https://{HOST}/other", "http://localhost/"])
def test_a_redirect_is_not_followed(resolves, target):
    host = Host(302, headers={"location": target})
    assert "redirects" in str(fetch(f"https://{HOST}/x", host))
    assert len(host.asked) == 1


def test_what_is_too_large_compressed_or_missing_is_refused(resolves, monkeypatch):
    monkeypatch.setattr(remote_media, "_MOST_BYTES", 10)
    assert "larger" in str(fetch(f"https://{HOST}/x", Host(200, content=b"x" * 11)))
    bomb = Host(200, content=gzip.compress(b"x"), headers={"content-encoding": "gzip"})
    assert "compressed" in str(fetch(f"https://{HOST}/x", bomb))
    assert "404" in str(fetch(f"https://{HOST}/x", Host(404)))


def test_media_of_one_request_are_few_and_small_together(resolves):
    urls = [f"https://{HOST}/{i}" for i in range(9)]
    assert fetch_all(urls[:8]) == dict.fromkeys(urls[:8], b"png")
    host = Host(200, content=b"png")
    assert "at most 8" in str(fetch_all(urls, host)) and host.asked == []
    host = Host(200, content=b"x" * 400)
    assert "larger" in str(fetch_all(urls[:4], host, megabytes=0.001))
    assert len(host.asked) == 3


def test_nothing_is_asked_where_one_of_the_addresses_is_not_allowed(resolves):
    host = Host(200, content=b"png")
    assert isinstance(fetch_all([f"https://{HOST}/x", "https://evil.example/x"], host), APIError)
    assert host.asked == []


def test_a_host_that_does_not_answer_in_time_is_given_up(resolves, monkeypatch):
    class Silent(Host):
        async def handle_async_request(self, request):
            await asyncio.sleep(60)

    monkeypatch.setattr(remote_media, "_TIMEOUT_S", 0.05)
    assert "in time" in str(fetch(f"https://{HOST}/x", Silent(200)))


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "2002:7f00:1::", "not an address"),
    ],
)
def test_special_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "2606:4700:4700::1111"])
def test_others_are(address):
    assert is_public(address)
