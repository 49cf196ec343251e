"""HOST[:PORT] as people write it."""

from __future__ import annotations

import pytest

from fasttrust._target import Target, target, targets


@pytest.mark.parametrize(
    ("said", "host", "port"),
    [
        ("www.example.org", "www.example.org", 443),
        ("www.example.org:8443", "www.example.org", 8443),
        ("  www.example.org\t", "www.example.org", 443),
        ("www.example.org.", "www.example.org", 443),
        ("localhost:1", "localhost", 1),
        ("a_b.example:65535", "a_b.example", 65535),
        ("192.0.2.1:853", "192.0.2.1", 853),
        ("::1", "::1", 443),
        ("[::1]", "::1", 443),
        ("[2001:DB8::0:1]:8443", "2001:db8::1", 8443),
        ("[fe80::1%lo]:1", "fe80::1%lo", 1),
        ("bücher.example:444", "xn--bcher-kva.example", 444),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah", 443),
    ],
)
def test_host_and_port_are_read(said: str, host: str, port: int) -> None:
    """Names, addresses of both kinds, and names beyond ASCII by their A-labels."""
    assert (host, port) == target(said)[:2]


def test_zone_of_an_address_is_no_part_of_its_name() -> None:
    """A certificate is for the address."""
    assert "fe80::1" == target("[fe80::1%lo]").server_hostname


def test_target_is_written_so_that_it_can_be_read() -> None:
    """The brackets of IPv6 come back."""
    for said in ("[::1]:853", "www.example.org:443", "192.0.2.1:1"):
        assert said == str(target(said))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("", "empty"),
        ("   ", "empty"),
        (":443", "not a host name"),
        ("a.example:", "not ''"),
        ("a.example:0", "not '0'"),
        ("a.example:70000", "not '70000'"),
        ("a.example:99999999999999999999", "1 to 65535"),
        ("a.example:https", "not 'https'"),
        ("a.example:-1", "not '-1'"),
        ("a.example:+1", r"not '\+1'"),
        ("a.example:٤٤٣", "1 to 65535"),
        ("a.example:1:2", "two colons"),
        ("[::1", "IPv6"),
        ("[::1]443", "IPv6"),
        ("[::1]:", "not ''"),
        ("[a.example]:443", "IPv6"),
        ("[192.0.2.1]", "IPv6"),
        ("[::g]", "not an IPv6 address"),
        ("a b.example", "not a host name"),
        ("a\tb.example", "not a host name"),
        ("a\x00b.example", "not a host name"),
        ("a\x1b[31m.example", "not a host name"),
        ("a\u202eb.example", "cannot be a host name"),
        ("[fe80::1%\x1b]", "not an IPv6 address"),
        ("-a.example", "not a host name"),
        ("a..example", "not a host name"),
        (".", "not a host name"),
        ("a" * 64 + ".example", "not a host name"),
        ("é" * 64 + ".example", "cannot be a host name"),
        (".".join(["a" * 60] * 5), "not a host name"),
        ("https://www.example.org/", "is a URL"),
        ("www.example.org/path", "not a host name"),
        ("user@www.example.org", "not a host name"),
        ("straße.example", "xn--"),
        ("a\u200db.example", "xn--"),
    ],
)
def test_what_names_no_server_is_refused(said: str, why: str) -> None:
    """One sentence says why, without a control character."""
    with pytest.raises(ValueError, match=why) as caught:
        target(said)
    assert type(caught.value) is ValueError
    assert str(caught.value).isprintable()


def test_lines_of_a_file_are_read() -> None:
    """Empty lines and remarks do not count, and the default port is the protocol's."""
    lines = ["# servers", "", "a.example  # the first", "b.example:1\r"]
    assert [Target("a.example", 25, "a.example"), Target("b.example", 1, "b.example:1")] == (
        targets(lines, 25)
    )


def test_every_wrong_line_is_named() -> None:
    """All of them at once, by their numbers."""
    with pytest.raises(ValueError, match=r"line 2: .*'0'; line 4: .*not a host name"):
        targets(["a.example", "a.example:0", "b.example", "c d"])
