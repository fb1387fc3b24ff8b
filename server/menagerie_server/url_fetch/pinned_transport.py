"""Connects to public addresses only, and to exactly those that were checked."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

import httpx

from menagerie_server.url_fetch.errors import AddressRefused, FetchFailed

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network
    Resolver = Callable[[str, int], Awaitable[Iterable[str]]]

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""Addresses of IPv4 hosts for IPv6-only networks (RFC 6052): the last four bytes are the IPv4 address."""

# What the C library takes for an IPv4 address in decimal, octal or hexadecimal, in one to four parts: a host
# whose last label is a number (WHATWG URL, "ends in a number").
_ENDS_IN_NUMBER: Final = re.compile(r"(?:^|\.)(?:\d+|0[xX][0-9a-fA-F]*)\.?$")


def is_public(address: Address) -> bool:
    """Return whether an address is public; one that embeds an IPv4 address is as public as that."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(address.packed[-4:]))
        carried = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if carried is not None:
            return is_public(carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


async def resolve(host: str, port: int) -> Iterable[str]:
    """Resolve a host's addresses with the system's resolver.

    Raises:
        OSError, UnicodeError: it has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(sockaddr[0]) for *_, sockaddr in found]


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to the addresses that it has checked, under the requested host name."""

    def __init__(self, allowed: Collection[Network], resolver: Resolver, context: ssl.SSLContext) -> None:
        self._allowed = allowed
        self._resolver = resolver
        # A connection is known by its address here: kept alive, it would serve another name that has the same
        # address, and whose certificate nobody has checked.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(verify=context, limits=limits, trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Try the host's addresses in turn until one accepts the connection."""
        failure: httpx.HTTPError | None = None
        for address in await self._addresses(request.url):
            try:
                return await self._transport.handle_async_request(_pinned(request, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure or httpx.ConnectError("no address")

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def _addresses(self, url: httpx.URL) -> Sequence[Address]:
        host = url.raw_host.decode("ascii")
        port = url.port or {"http": 80, "https": 443}[url.scheme]
        literal = _literal(host)
        try:
            found = [literal] if literal else map(_address, await self._resolver(host, port))
            addresses = list(dict.fromkeys(found))
        except (OSError, UnicodeError) as error:
            raise FetchFailed("the host name does not resolve") from error
        if not all(map(self._may_connect, addresses)):
            raise AddressRefused
        return addresses

    def _may_connect(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._allowed)


def _pinned(request: httpx.Request, address: Address) -> httpx.Request:
    """Replace a request's host by an address; its Host header, and the name in the certificate, stay."""
    name = request.url.raw_host.decode("ascii")
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": name},
    )


def _literal(host: str) -> Address | None:
    """Parse a host that is an address.

    Raises:
        AddressRefused: only the C library takes it for one.
    """
    try:
        return _address(host)
    except ValueError:
        if _ENDS_IN_NUMBER.search(host):
            raise AddressRefused from None
        return None


def _address(text: str) -> Address:
    return ipaddress.ip_address(text)
