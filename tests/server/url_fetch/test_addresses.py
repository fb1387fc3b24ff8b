from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie_server.url_fetch import AddressRefused, InvalidUrl, UrlFetcher, check_url, is_public

PRIVATE = [
    "0.0.0.0",  # noqa: S104 - nothing listens there
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "2002:c0a8:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]
PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "93.184.215.14",
    "172.15.0.1",
    "172.32.0.1",
    "192.167.255.255",
    "223.255.255.254",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_is_as_public_as_alone(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    carriers = (
        0xFFFF << 32 | number,  # IPv4-mapped
        0x64FF9B << 96 | number,  # NAT64
        0x2002 << 112 | number << 80,  # 6to4
    )
    for carrier in carriers:
        assert is_public(ipaddress.IPv6Address(carrier)) == is_public(address)


@pytest.mark.parametrize(
    "host",
    [
        *(f"[{address}]" if ":" in address else address for address in PRIVATE),
        "localhost",
        "LOCALHOST",
        "2130706433",  # 127.0.0.1 in decimal
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "017700000001",
        "0177.0.0.1",
        "0177.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "127.0.0.01",
        "0",
        "0x",
        "0.0",
        "1.0xfffffe",
        "134744072",  # 8.8.8.8, which is public: but who writes it so?
        "%31%32%37.0.0.1",
        "①②⑦.⓪.⓪.①",
        "user@127.0.0.1",
        "1.1.1.1@127.0.0.1",
    ],
)
async def test_no_url_leads_to_them(host: str) -> None:
    async with UrlFetcher(seconds=5) as fetcher:
        for scheme in ("http", "https"):
            with pytest.raises((AddressRefused, InvalidUrl)):
                await fetcher.fetch(f"{scheme}://{host}/image.jpg")


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::1"], ["2606:4700::1", "fe80::1%eth0"], ["::ffff:10.0.0.1"]],
)
async def test_a_name_that_has_one_private_address_is_refused(addresses: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        assert (host, port) == ("images.example", 80)
        return addresses

    async with UrlFetcher(resolver=resolve) as fetcher:
        with pytest.raises(AddressRefused) as refused:
            await fetcher.fetch("http://images.example/a.jpg")
    assert str(refused.value) == "Failed to download image from URL: not a public address"


@pytest.mark.parametrize(
    "url",
    [
        "not-a-valid-url",
        "",
        "http://",
        "http:///a.jpg",
        "https://?a",
        "ftp://example.com/a.jpg",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:image/png;base64,aaaa",
        "//example.com/a.jpg",
        "example.com/a.jpg",
        "http://example.com:port/",
        "http://example.com:99999/",
        "http://[::1/",
        "http://exam\nple.com/",
        "http://" + "a" * 70_000,
    ],
)
def test_what_is_no_url_is_told(url: str) -> None:
    with pytest.raises(InvalidUrl) as invalid:
        check_url(url)
    assert str(invalid.value) == f"Invalid URL format: {url}"


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "HTTPS://example.com/a.jpg?b#c",
        "https://cdn.example.com:8443/ä.avif",
        "http://münchen.example/",
    ],
)
def test_urls_are_read(url: str) -> None:
    assert check_url(url).host


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_is_not(text: str) -> None:
    for url in (text, f"http://{text}"):
        try:
            assert check_url(url).scheme in {"http", "https"}
        except InvalidUrl:
            continue
