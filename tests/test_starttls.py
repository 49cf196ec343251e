"""From plain text to TLS: five protocols, their refusals, and what somebody puts in between."""

from __future__ import annotations

import random
import socket
from pathlib import Path

import pytest

import servers
from command import EXPIRED, GOOD, ROOT, Command
from fasttrust._starttls import PORTS, Deadline, InjectionError, StartTLSError, start_tls
from world import machine_trusts

PROTOCOLS = tuple(servers.STARTTLS)


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_server_is_verified_after_starttls(command: Command, protocol: str) -> None:
    """The handshake that follows is any other's: trusted, with both chains."""
    with servers.serving(servers.STARTTLS[protocol](servers.tls(GOOD))) as port:
        found = command.server("--starttls", protocol, f"localhost:{port}", status=0)
    assert "trusted" == found["verdict"]
    assert ["CN=good", "CN=Example Issuer", "CN=Example Root"] == (
        [each["subject"] for each in found["verified"]]
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_untrusted_server_is_refused_after_starttls(command: Command, protocol: str) -> None:
    """So is its refusal, with code and alert."""
    with servers.serving(servers.STARTTLS[protocol](servers.tls(EXPIRED))) as port:
        found = command.server("--starttls", protocol, f"localhost:{port}", status=1)
    assert ("not trusted", 10, "certificate_expired") == (
        found["verdict"],
        found["code"],
        found["alert_sent"],
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("injected", [b"250 OK\r\n", b"\x16\x03\x03", b"x"])
def test_plain_text_behind_the_consent_is_a_refusal(
    command: Command, protocol: str, injected: bytes
) -> None:
    """Bytes before the handshake are somebody else's (CVE-2011-0411): nothing is sent any more."""
    seen: list[bytes] = []

    def after(sock: socket.socket) -> None:
        while received := sock.recv(4096):
            seen.append(received)

    consent = servers.CONSENT[protocol] + injected
    with servers.serving(servers.STARTTLS[protocol](after, consent)) as port:
        found = command.server("--starttls", protocol, f"localhost:{port}", status=1)
    assert ("not trusted", None) == (found["verdict"], found["code"])
    assert f"{len(injected)} bytes of plain text" in found["error"]
    assert [] == seen  # no ClientHello either


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("then", "why"),
    [
        (servers.says(b"garbage and more garbage"), "does not speak TLS"),
        (servers.says(b"garbage and more garbage", first=True), None),
        (servers.closes, "closed the connection during the TLS handshake"),
        (servers.stops, None),
    ],
)
def test_server_that_does_not_do_tls_after_its_consent_is_unreachable(
    command: Command, protocol: str, then: servers.Handle, why: str | None
) -> None:
    """Garbage, silence or the end instead of a handshake: no verdict, and no traceback.

    Garbage that comes at once may arrive together with the consent, which makes it a refusal.
    """
    with servers.serving(servers.STARTTLS[protocol](then)) as port:
        done = command(*("inspect", "--timeout", "1", "--starttls", protocol, f"localhost:{port}"))
    assert done.status == 2 or (why is None and done.status == 1)
    assert done.err == ""
    if why is not None:
        assert why in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("protocol", "consent", "why"),
    [
        ("smtp", b"454 TLS not available\r\n", "refused STARTTLS: 454 TLS not available"),
        ("smtp", b"garbage\r\n", "does not speak this protocol"),
        ("smtp", b"\x00\xff\x1b[31m\r\n", "does not speak this protocol"),
        ("imap", b"a1 NO not now\r\n", "refused STARTTLS: NO not now"),
        ("imap", b"a1 BAD what\r\n", "refused STARTTLS: BAD what"),
        ("imap", b"a1\r\n", "not IMAP"),
        ("imap", b"a2 OK\r\n", "not IMAP"),
        ("ftp", b"502 what\r\n", "refused AUTH TLS: 502 what"),
        ("ftp", b"334 more\r\n", "refused AUTH TLS"),
        ("postgres", b"N", "does not offer TLS"),
        ("postgres", b"E\x00\x00\x00\x05", "not PostgreSQL's"),
        ("ldap", b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00", "LDAP result 2"),
        ("ldap", b"\x30\x0c\x02\x01\x02\x78\x07\x0a\x01\x00\x04\x00\x04\x00", "nothing that was"),
        ("ldap", b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00", "not LDAP's"),
        ("ldap", b"\x30\x05\x02\x01\x01\x78\x07", "cut off"),
        ("ldap", b"\x30\x80\x02\x01\x01", "not LDAP"),
        ("ldap", b"\x30\x84\x7f\xff\xff\xff", "not LDAP"),
        ("ldap", b"220 what\r\n", "not LDAP"),
        ("ldap", b"\x30\x03\x02\x01\x01", "not LDAP's"),
    ],
)
def test_refusal_of_starttls_is_told(
    command: Command, protocol: str, consent: bytes, why: str
) -> None:
    """The server's own words, in one line, without its control characters."""
    with servers.serving(servers.STARTTLS[protocol](servers.silent, consent)) as port:
        found = command.server("--starttls", protocol, f"localhost:{port}", status=2)
    assert "unreachable" == found["verdict"]
    assert why in found["error"]


def test_smtp_server_that_does_not_offer_starttls_is_not_asked(command: Command) -> None:
    """It may have been taken out by somebody in between: there is no going on without TLS."""
    with servers.serving(servers.smtp(servers.silent, offers=False)) as port:
        found = command.server("--starttls", "smtp", f"localhost:{port}", status=2)
    assert "the server does not offer STARTTLS" == found["error"]


def test_active_directorys_long_lengths_are_read(command: Command) -> None:
    """BER allows what DER forbids."""
    handle = servers.ldap(servers.tls(GOOD), servers.LDAP_PADDED)
    with servers.serving(handle) as port:
        assert 0 == command("inspect", "--starttls", "ldap", f"localhost:{port}").status


@pytest.mark.parametrize("protocol", ["smtp", "imap", "ftp"])
@pytest.mark.parametrize(
    ("greeting", "why"),
    [
        (b"", "closed the connection before TLS"),
        (b"\r\n", "does not"),
        (b"SSH-2.0-OpenSSH\r\n", "does not"),
        (b"x" * 100_000, "line without an end"),
        (b"220-more\r\n" * 10_000, "does not"),
        (b"* PREAUTH hello\r\n", "does not"),
        (b"554 go away\r\n", "does not|554 go away"),
    ],
)
def test_server_that_greets_otherwise_is_unreachable(
    command: Command, protocol: str, greeting: bytes, why: str
) -> None:
    """Another protocol, no end of it, or nothing: one line."""
    with servers.serving(servers.says(greeting, first=True)) as port:
        found = command.server("--starttls", protocol, f"localhost:{port}", status=2)
    assert any(words in found["error"] for words in why.split("|"))


def test_server_that_drips_is_left_after_the_timeout(command: Command) -> None:
    """The time is that of the connection as a whole, not of each byte."""

    def drips(sock: socket.socket) -> None:
        sock.settimeout(0.05)
        while True:
            sock.sendall(b"2")
            try:
                if not sock.recv(1):
                    return
            except TimeoutError:
                continue

    with servers.serving(drips) as port:
        done = command("inspect", "--timeout", "0.5", "--starttls", "smtp", f"localhost:{port}")
    assert 2 == done.status
    assert "no answer within 0.5 seconds, speaking smtp" in " ".join(done.out.split())


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whatever_a_server_says_is_consent_or_an_error_of_ours(protocol: str) -> None:
    """Chance changes a good conversation: nothing but the errors that are told comes of it."""
    chance = random.Random(13)
    good = b"".join(_GREETINGS.get(protocol, ())) + servers.CONSENT[protocol]
    ends = set()
    for _ in range(200):
        said = bytearray(good)
        for _ in range(chance.randrange(3)):
            said[chance.randrange(len(said))] = chance.randrange(256)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            theirs.sendall(said[: chance.choice([len(said), chance.randrange(len(said) + 1)])])
            theirs.shutdown(socket.SHUT_WR)
            try:
                start_tls(protocol, ours, Deadline(10))
            except (StartTLSError, InjectionError) as error:
                ends.add(type(error))
            else:
                ends.add(None)
    assert {None, StartTLSError} <= ends


_GREETINGS = {
    "smtp": (b"220 hello\r\n", b"250-hello\r\n250 STARTTLS\r\n"),
    "imap": (b"* OK hello\r\n",),
    "ftp": (b"220 hello\r\n",),
}


def test_ports_are_those_that_iana_lists() -> None:
    """What is asked where no port is given."""
    expected = {"smtp": 25, "imap": 143, "ftp": 21, "postgres": 5432, "ldap": 389}
    assert expected == PORTS
