"""Attacks on TLS, before, during and after the handshake, while good clients call the clear-text port."""

import contextlib
import os
import ssl
import subprocess
import time

import pytest

import h2
from conftest import under_attack
from peer import Peer
from target import Target, wait_until
from test_http1_attacks import post


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    files = folder / "server.pem", folder / "server.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj",
         "/CN=localhost", "-keyout", files[1], "-out", files[0]], check=True, capture_output=True)
    return files


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory, certificate):
    target = Target(tmp_path_factory.mktemp("tls"), timers={"tlsHandshake": 2, "requestHead": 2, "lingeringClose": 0.5},
                    limits={"connectionsPerAddress": 1000}, tls=certificate)
    yield target
    target.stop()


@pytest.fixture
def attacked(tls_server, request):
    yield from under_attack(tls_server, request)


def context(version=ssl.TLSVersion.TLSv1_3, protocols=("http/1.1",)):
    result = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    result.check_hostname, result.verify_mode = False, ssl.CERT_NONE
    result.minimum_version = result.maximum_version = version
    result.set_alpn_protocols(list(protocols))
    return result


class TLSPeer(Peer):
    """A `Peer` whose TLS is made of parts, so that it can stop in the middle of any of them."""

    def __init__(self, port, **options):
        super().__init__(port)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context(**options).wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.taken = 0

    def hello(self) -> bytes:
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def handshake(self, seconds=20):
        end = time.monotonic() + seconds
        while True:
            try:
                self.tls.do_handshake()
                return self.send(self.outgoing.read())
            except ssl.SSLWantReadError:
                self.send(self.outgoing.read())
                assert time.monotonic() < end and not self.is_closed, "no handshake"
                self.feed(self.receive(1, until=lambda received: len(received) > self.taken))

    def feed(self, received):
        self.incoming.write(received[self.taken :])
        self.taken = len(received)

    def read(self, seconds=20) -> bytes:
        """Everything until the server ends the connection."""
        self.feed(self.receive(seconds))
        assert self.is_closed
        plain = b""
        with contextlib.suppress(ssl.SSLError):
            while piece := self.tls.read(65536):
                plain += piece
        return plain

    def send_sealed(self, data: bytes):
        self.tls.write(data)
        self.send(self.outgoing.read())


def test_handshake_flood(attacked):
    """The server's part of a handshake is the dear one: each of these made it compute, and went away."""
    for _ in range(400):
        with TLSPeer(attacked.tls_port) as peer:
            peer.send(peer.hello())
            peer.receive(5, until=lambda received: len(received) > 200)
            assert len(peer.received) > 200
            peer.vanish()


def test_slow_handshakes(attacked):
    """A few bytes of the first flight, then one now and then: all are closed after `tlsHandshake`."""
    before = attacked.hits("tlsHandshake")
    peers = [TLSPeer(attacked.tls_port) for _ in range(100)]
    hellos = [peer.hello() for peer in peers]
    for place in range(40):
        for peer, hello in zip(peers, hellos):
            if not peer.is_closed:
                peer.send(hello[place : place + 1])
        time.sleep(0.05)
    for peer in peers:
        peer.receive(20)
    assert all(peer.is_closed for peer in peers)
    assert attacked.hits("tlsHandshake") - before >= 100
    for peer in peers:
        peer.socket.close()


def test_slow_second_flight(attacked):
    """Silence after the server's flight is no better."""
    peers = [TLSPeer(attacked.tls_port) for _ in range(50)]
    for peer in peers:
        peer.send(peer.hello())
    for peer in peers:
        peer.receive(20)
        assert peer.is_closed
        peer.socket.close()


@pytest.mark.parametrize("data", [
    b"\x16\x03\x01\x40\x01" + b"\x01\x00\xff\xff" + bytes(16381),  # a handshake message far longer than any hello
    b"\x16\x03\x01\xff\xff" + bytes(70000),  # a record beyond the size of records
    b"\x15\x03\x01\x00\x02\x01\x00" * 5000,  # warnings
    b"\x14\x03\x03\x00\x01\x01" * 5000,  # changes of cipher
    b"\x17\x03\x03\x00\x10" + bytes(16),  # data before there are keys
    post(), os.urandom(5000),
], ids=["long hello", "long record", "warnings", "cipher changes", "early data", "clear text", "noise"])
def test_what_is_no_handshake(attacked, data):
    with Peer(attacked.tls_port) as peer:
        peer.send(data)
        peer.receive(20)
        assert peer.is_closed
        assert len(peer.received) < 200, "an alert, or a hint in clear text"


def test_another_protocol_than_was_agreed_on(attacked):
    """What ALPN has chosen is spoken, not guessed (ALPACA)."""
    with TLSPeer(attacked.tls_port, protocols=("http/1.1",)) as peer:
        peer.handshake()
        peer.send_sealed(h2.begin() + h2.call(1))
        assert peer.read().startswith(b"HTTP/1.1 505 ")
    with TLSPeer(attacked.tls_port, protocols=("h2",)) as peer:
        peer.handshake()
        peer.send_sealed(post())
        received = peer.read()
        assert h2.goaways(received) == [h2.PROTOCOL_ERROR] and b"HTTP/1.1" not in received


def s_client(target, version, commands, pause):
    """`openssl s_client` with one-letter commands, each in a write of its own; what it said."""
    process = subprocess.Popen(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{target.tls_port}", version, "-alpn", "http/1.1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        time.sleep(0.5)
        with contextlib.suppress(BrokenPipeError):
            for command in commands:
                process.stdin.write(command)
                process.stdin.flush()
                time.sleep(pause)
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        text = process.stdout.read()
        process.stdout.close()
        process.wait(timeout=30)
    return text.decode(errors="replace")


def test_renegotiation(attacked):
    """TLS 1.2 would let a client make the server compute again and again on one connection."""
    for _ in range(5):
        assert "no renegotiation" in s_client(attacked, "-tls1_2", [b"R\n"] * 20, 0.01)


def test_key_update_flood(attacked):
    """Each asks for an update in return. The peer reads them, and pays as much as the server does."""
    assert "KEYUPDATE" in s_client(attacked, "-tls1_3", [b"K\n"] * 2000, 0.001)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("resets", [False, True])
def test_truncated(attacked, version, resets):
    """An end without close_notify, in the middle of a request, of its answer, and of a record: nothing stays."""
    for sent in [
        post()[:40], post(body=None, extra=["transfer-encoding: chunked"]), post("Pour", b"\0\0\0\0\3\x08\xff\x7f")
    ]:
        for cut in [0, 5]:
            with TLSPeer(attacked.tls_port, version=version) as peer:
                peer.handshake()
                peer.tls.write(sent)
                sealed = peer.outgoing.read()
                peer.send(sealed[: len(sealed) - cut])
                peer.receive(0.2, until=lambda received: len(received) > 100_000)
                if resets:
                    peer.vanish()


def test_bad_records_after_the_handshake(attacked):
    for _ in range(20):
        with TLSPeer(attacked.tls_port) as peer:
            peer.handshake()
            peer.send(b"\x17\x03\x03\x00\x20" + os.urandom(32))
            peer.receive(20)
            assert peer.is_closed


def test_a_reader_that_does_not_read(attacked):
    """Answers are sealed only as far as the socket takes them."""
    peers = []
    for _ in range(10):
        peer = TLSPeer(attacked.tls_port)
        peer.handshake()
        peer.send_sealed(post("Pour", b"\0\0\0\0\4\x08\xff\xff\x7f"))
        peers.append(peer)
    time.sleep(1)
    for peer in peers:
        peer.vanish()
    assert wait_until(lambda: attacked.counters()["runningHandlers"] <= 2)
