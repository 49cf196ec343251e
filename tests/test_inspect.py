"""`python -m fasttrust inspect`: every verdict, every way to fail, and the status of each."""

from __future__ import annotations

import random
import socket
import ssl
from pathlib import Path

import pytest

import pki
import servers
from command import EXPIRED, GOOD, ISSUER, ROOT, UNKNOWN, WRONG_NAME, Command, closed_port
from fasttrust import _inspect
from fasttrust._target import target
from world import machine_trusts


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    return machine_trusts(monkeypatch, tmp_path, ROOT)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_trusted_server_is_shown_with_all_that_was_agreed(
    command: Command, version: ssl.TLSVersion
) -> None:
    """Verdict, protocol, cipher, ALPN, address, and both chains."""
    with servers.serving(servers.tls(GOOD, "h2", version=version)) as port:
        found = command.server(f"localhost:{port}", status=0)
    assert ("trusted", 0, None, None) == (
        *(found["verdict"], found["code"]),
        *(found["error"], found["alert_sent"]),
    )
    assert version.name.replace("_", ".") == found["protocol"]
    assert found["cipher"].startswith("TLS_" if version is ssl.TLSVersion.TLSv1_3 else "ECDHE-")
    assert ("h2", "127.0.0.1") == (found["alpn"], found["address"])
    assert ["CN=good", "CN=Example Issuer", "CN=Example Root"] == (
        [each["subject"] for each in found["verified"]]
    )
    assert ["CN=good", "CN=Example Issuer"] == [each["subject"] for each in found["sent"]]
    assert ("EC P-256", list(NAMES_SHOWN)) == (
        found["sent"][0]["key"],
        found["sent"][0]["names"],
    )


NAMES_SHOWN = ("localhost", "127.0.0.1", "0:0:0:0:0:0:0:1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("chain", "expected", "hint"),
    [
        (EXPIRED, (10, "certificate_expired"), "was valid until"),
        (UNKNOWN, (19, "unknown_ca"), "does not know"),
        (WRONG_NAME, (62, "bad_certificate"), "other.test"),
        (pki.Chain(GOOD.certificates[:1]), (20, "unknown_ca"), "alone"),
    ],
)
def test_refused_server_is_shown_by_its_refusal(
    command: Command,
    version: ssl.TLSVersion,
    chain: pki.Chain,
    expected: tuple[int, str],
    hint: str,
) -> None:
    """Code, hint, the alert, what was sent, protocol and cipher: all from one handshake."""
    connections: list[None] = []
    serve = servers.tls(chain, version=version)

    def count(sock: socket.socket) -> None:
        connections.append(None)
        serve(sock)

    with servers.serving(count) as port:
        found = command.server(f"localhost:{port}", status=1)
    assert 1 == len(connections)
    assert "not trusted" == found["verdict"]
    assert expected == (found["code"], found["alert_sent"])
    assert hint in found["hint"]
    assert [issued.certificate.serial_number for issued in chain.certificates] == (
        [int(each["serial"], 16) for each in found["sent"]]
    )
    assert [] == found["verified"]
    assert version.name.replace("_", ".") == found["protocol"]
    assert found["cipher"]


def test_nothing_is_ever_accepted_to_look_at_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No context of the command is told not to verify, whoever is asked."""
    seen: list[ssl.SSLContext] = []
    wrap = ssl.SSLContext.wrap_socket

    def wrapped(self: ssl.SSLContext, *args: object, **kwargs: object) -> ssl.SSLSocket:
        if not kwargs.get("server_side"):
            seen.append(self)
        return wrap(self, *args, **kwargs)

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrapped)
    with servers.serving(servers.tls(UNKNOWN)) as port:
        command.server("--compare", f"localhost:{port}", status=1)
    assert len(seen) >= 2
    assert all(each.verify_mode == ssl.CERT_REQUIRED and each.check_hostname for each in seen)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_address_is_verified_as_an_address(command: Command, host: str) -> None:
    """Of either kind; the certificate's IP addresses count."""
    try:
        with servers.serving(servers.tls(GOOD), host.strip("[]")) as port:
            assert 0 == command("inspect", f"{host}:{port}").status
        with servers.serving(servers.tls(WRONG_NAME), host.strip("[]")) as port:
            assert 64 == command.server(f"{host}:{port}", status=1)["code"]
    except OSError:
        pytest.skip("this machine has no IPv6")


def test_name_beyond_ascii_is_verified_by_its_a_label(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is connected to, asked for and compared is xn--..."""
    resolve = socket.getaddrinfo
    asked = []

    def local(host: str, *args: object, **kwargs: object) -> object:
        asked.append(host)
        return resolve("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", local)
    chain = pki.Chain((pki.leaf("idna", ISSUER, names=("xn--bcher-kva.example",)), ISSUER))
    with servers.serving(servers.tls(chain)) as port:
        found = command.server(f"bücher.example:{port}", status=0)
    assert (["xn--bcher-kva.example"], "xn--bcher-kva.example") == (asked, found["host"])


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (servers.says(b"HTTP/1.1 400 Bad Request\r\n\r\nplain"), "speaks plain HTTP"),
        (servers.says(b"220 mail.test ESMTP\r\n", first=True), "try --starttls smtp"),
        (servers.says(b"* OK ready\r\n", first=True), "try --starttls imap"),
        (servers.says(b"\x00\x1b[31mX", first=True), "does not speak TLS"),
        (servers.says(b"\x16\x03\x03\x00\x05hello"), "TLS handshake failed"),
        (servers.says(b"\x15\x03\x03\x00\x02\x02\x28"), "the alert handshake_failure"),
        (servers.says(b"\x15\x03\x03\x00\x02\x02\xfe"), "the alert unknown (254)"),
        (servers.closes, "closed the connection"),
        (servers.says(), "closed the connection"),
        (servers.stops, "no answer within 1 seconds, in the TLS handshake"),
        (servers.silent, "no answer within 1 seconds, in the TLS handshake"),
    ],
)
def test_server_that_does_not_come_to_a_verdict_is_unreachable(
    command: Command, handle: servers.Handle, why: str
) -> None:
    """One line says what it did instead, and the status is 2."""
    with servers.serving(handle) as port:
        done = command("inspect", "--timeout", "1", f"localhost:{port}")
    assert (2, "") == (done.status, done.err)
    assert why in " ".join(done.out.split())


def test_server_that_knows_no_protocol_of_ours_is_asked_without(command: Command) -> None:
    """The alert no_application_protocol is no verdict: the next handshake offers nothing."""
    context = servers.peer.server_context(GOOD)
    offered: list[bool] = []

    def handle(sock: socket.socket) -> None:
        hello = sock.recv(4096, socket.MSG_PEEK)
        offered.append(b"\x02h2" in hello)
        if offered[-1]:
            sock.recv(4096)
            sock.sendall(b"\x15\x03\x03\x00\x02\x02\x78")
        else:
            with context.wrap_socket(sock, server_side=True) as connection:
                connection.recv(1)

    with servers.serving(handle) as port:
        command.server(f"localhost:{port}", status=0)
    assert [True, False] == offered


@pytest.mark.parametrize(
    ("version", "status"), [(ssl.TLSVersion.TLSv1_2, 2), (ssl.TLSVersion.TLSv1_3, 0)]
)
def test_server_that_wants_a_client_certificate_is_told_as_such(
    command: Command, version: ssl.TLSVersion, status: int
) -> None:
    """In TLS 1.2 it ends the handshake; in TLS 1.3 ours is over before it can."""
    context = servers.peer.server_context(GOOD, version=version, client_anchors=(ROOT,))

    def handle(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as connection:
            connection.recv(1)

    with servers.serving(handle) as port:
        found = command.server(f"localhost:{port}", status=status)
    assert found["asks_for_certificate"]
    if status:
        assert "handshake_failure after it asked for a client certificate" in found["error"]


def test_context_that_cannot_be_made_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Such as one that cannot log its keys where SSLKEYLOGFILE says, as in `ssl`."""
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "missing" / "keys"))
    found = command.server("localhost:1", status=2)
    assert "no context could be made: " in found["error"]
    assert "keys" in found["error"]


def test_whatever_a_server_answers_is_no_defect_of_ours(command: Command) -> None:
    """Chance decides what it sends, and how much of it is TLS; none of it is trusted."""
    chance = random.Random(11)
    hello = b"\x02\x00\x00\x2c\x03\x03" + bytes(32) + b"\x00\xc0\x2b\x00\x00\x04\xff\x01\x00\x00"

    def handle(sock: socket.socket) -> None:
        kind = chance.choice([20, 21, 22, 22, 22, 23, chance.randrange(256)])
        body = bytearray(hello + chance.randbytes(chance.randrange(60)))
        for _ in range(chance.randrange(4)):
            body[chance.randrange(len(body))] = chance.randrange(256)
        record = bytes([kind, 3, chance.randrange(5)]) + len(body).to_bytes(2, "big") + body
        servers.says(record[: chance.choice([len(record), chance.randrange(9)])])(sock)

    with servers.serving(handle) as port:
        server = target(f"localhost:{port}")
        reports = [_inspect.look(server, _inspect.Settings(timeout=5)) for _ in range(150)]
    assert {_inspect.UNREACHABLE} == {report.verdict for report in reports}
    assert all(report.error and not report.verified for report in reports)
    assert len({report.error for report in reports}) > 5


def test_names_and_ports_where_nobody_is_are_unreachable(command: Command) -> None:
    """A port without a listener, and a name that RFC 6761 reserves for not being there."""
    done = command("inspect", f"127.0.0.1:{closed_port()}", "nobody.invalid")
    assert 2 == done.status
    assert "connection refused" in done.out
    assert "its name cannot be resolved" in done.out


def test_name_that_is_never_answered_for_costs_no_more_than_the_timeout(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's resolver has no timeout of its own."""
    answer = servers.threading.Event()

    def never(*args: object, **kwargs: object) -> object:
        answer.wait(servers.LIMIT)
        raise socket.gaierror("never")

    monkeypatch.setattr(socket, "getaddrinfo", never)
    done = command("inspect", "--timeout", "0.2", "slow.example")
    answer.set()
    assert 2 == done.status
    assert "no answer within 0.2 seconds, looking up slow.example" in " ".join(done.out.split())
