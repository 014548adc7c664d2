"""What a hostile or broken peer sends, byte by byte. After each test a good call works and no work is left behind."""

import base64
import socket
import struct
import threading
import time

import grpc
import pytest

from frames import frame
from gateway import wait_until
from raw_http import BLAME_PATH, PATH, RawHTTP, post

OK, CANCELLED, EXHAUSTED, UNIMPLEMENTED, INTERNAL, UNAUTHENTICATED = 0, 1, 8, 12, 13, 16


@pytest.fixture(autouse=True)
def stays_well(world, grpcio, scm):
    yield
    answer = grpcio.unary("ListRepositories", scm.ListRepositoriesRequest(page_size=1), timeout=20)
    assert len(answer.repositories) == 1
    assert wait_until(lambda: not world.gateway.running_git()), world.gateway.running_git()
    assert world.gateway.process.poll() is None


@pytest.fixture
def raw(world):
    with RawHTTP(world.gateway.port) as connection:
        yield connection


@pytest.fixture
def key(world):
    return world.gateway.key


def test_a_good_call_for_comparison(raw, key):
    raw.send(post(key) + post(key))
    for _ in range(2):
        answer = raw.read_answer()
        assert (answer.status, answer.grpc_status) == (200, OK)
        assert answer.headers["content-type"] == "application/grpc-web+proto"


# ------------------------------------------------------------------------------------------- HTTP level


@pytest.mark.parametrize("method", ["PUT", "HEAD", "DELETE", "PATCH"])
def test_verbs(raw, key, method):
    raw.send(post(key, method=method, extra=["connection: close"]))
    head = raw._until(b"\r\n\r\n").decode().lower()
    assert head.startswith("http/1.1 405 ")
    assert "allow: post" in head


def test_get_without_a_message(raw, key):
    """A method that only reads can be asked with GET (Connect), but the message must be in the query."""
    raw.send(post(key, method="GET", extra=["connection: close"]))
    assert raw._until(b"\r\n\r\n").decode().lower().startswith("http/1.1 400 ")


@pytest.mark.parametrize("content_type", [
    None, "", "text/plain", "application/json5", "application/grpcfoo", "application/grpc-webx", "application/grpc+",
    "application/grpc-web-text+", "multipart/form-data; boundary=x",
])
def test_content_types_that_nobody_speaks(raw, key, content_type):
    raw.send(post(key, content_type=content_type))
    assert raw.read_answer().status == 415


@pytest.mark.parametrize("content_type", [
    "application/grpc-web", "application/grpc-web+proto", "APPLICATION/GRPC-WEB+PROTO",
    "application/grpc-web+proto; charset=utf-8",
])
def test_content_types_that_are_the_same(raw, key, content_type):
    raw.send(post(key, content_type=content_type))
    answer = raw.read_answer()
    assert (answer.status, answer.grpc_status) == (200, OK)


def test_unknown_paths(raw, key):
    service = PATH.rsplit("/", 1)[0]
    for path in [f"{service}/NoSuchMethod", "/no.such.Service/Method", PATH + "/", PATH.lower(), "/a/../" + PATH]:
        raw.send(post(key, path=path))
        answer = raw.read_answer()
        assert answer.status == 404 or answer.grpc_status == UNIMPLEMENTED, path


@pytest.mark.parametrize("key", [None, "", "nonsense", "ä"])
def test_missing_or_wrong_keys(raw, key):
    raw.send(post(key))
    answer = raw.read_answer()
    assert answer.status == 400 or answer.grpc_status == UNAUTHENTICATED


@pytest.mark.parametrize("head", [
    "content-length: 5\r\ntransfer-encoding: chunked", "content-length: 5\r\ncontent-length: 6", "content-length: -1",
    "content-length: 99999999999999999999", "content-length: 5x", "transfer-encoding: chunked, identity",
    "content-length : 5", "x: a\r\n folded: b", "transfer-encoding: xchunked",
])
def test_requests_that_two_servers_would_read_differently(raw, key, head):
    raw.send(post(key, body=None, extra=head.split("\r\n")) + frame(b"") + post(key))
    assert raw.read_answer().status in (400, 413, 501)
    assert raw.is_closed()


def test_huge_headers(world, key):
    for extra in [["x-large: " + "x" * 1_000_000], [f"x-{n}: y" for n in range(20_000)]]:
        with RawHTTP(world.gateway.port) as raw:
            raw.send_quietly(post(key, extra=extra))
            answer = raw.read_answer()
            assert answer is None or answer.status == 431


def test_a_request_line_without_end(raw):
    raw.send_quietly(b"POST /" + b"x" * 200_000)
    answer = raw.read_answer()
    assert answer is None or answer.status in (400, 414, 431)


@pytest.mark.parametrize("garbage", [
    b"\0" * 1000, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 100_000,
    b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 1000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("ffffff 04 00 00000000"),
])
def test_garbage_instead_of_http(world, garbage):
    with RawHTTP(world.gateway.port) as raw:
        raw.send_quietly(garbage)
        raw.socket.settimeout(20)
        try:
            while raw.socket.recv(65536):
                pass
        except ConnectionError:
            pass


# ------------------------------------------------------------------------------------------ frame level

BAD_FRAMES = [
    ("flag bits nobody defined", b"\x02\0\0\0\0", {INTERNAL}),
    ("all flag bits", b"\xff\0\0\0\0", {INTERNAL}),
    ("trailers in a request", frame(b"grpc-status: 0\r\n", flags=0x80), {INTERNAL}),
    ("compressed without an encoding", frame(b"x", flags=1), {INTERNAL}),
    ("a header cut short", b"\0\0\0", {INTERNAL}),
    ("a message cut short", b"\0\0\0\0\x0aabc", {INTERNAL}),
    ("no message", b"", {UNIMPLEMENTED, INTERNAL}),
    ("two messages", frame(b"") * 2, {UNIMPLEMENTED}),
    ("bytes after the message", frame(b"") + b"\0", {INTERNAL, UNIMPLEMENTED}),
    ("four gigabytes declared", b"\0\xff\xff\xff\xff", {EXHAUSTED}),
    ("a little too large", struct.pack(">BI", 0, 4 * 1024 * 1024 + 1), {EXHAUSTED}),
]


@pytest.mark.parametrize("body, expected", [row[1:] for row in BAD_FRAMES], ids=[row[0] for row in BAD_FRAMES])
@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_bad_frames(raw, key, body, expected, text):
    content_type = "application/grpc-web-text" if text else "application/grpc-web"
    raw.send(post(key, body=base64.b64encode(body) if text else body, content_type=content_type))
    answer = raw.read_answer()
    assert answer.status == 200
    if text and answer.body:
        answer.body = base64.b64decode(answer.body)
    assert answer.grpc_status in expected


BROKEN_MESSAGES = [
    b"\x08", b"\x08" + b"\xff" * 10, b"\x0a\x05abc", b"\x00", b"\x07\x00", b"\x0b" * 1000, b"\x22\xff\xff\xff\xff\x0f",
    b"\x22\x02\xff\xfe", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
]


@pytest.mark.parametrize("message", BROKEN_MESSAGES)
def test_broken_protobuf(raw, key, message):
    raw.send(post(key, body=frame(message)))
    assert raw.read_answer().grpc_status in (INTERNAL, 3)


@pytest.mark.parametrize("body", [b"AAAA*AAA", b"AAAAAAA", b"A", b"=AAA", b"AA==A", b"\0\0\0\0\0", b"AAAA\r\nAAA="])
def test_bad_base64(raw, key, body):
    raw.send(post(key, body=body, content_type="application/grpc-web-text"))
    answer = raw.read_answer()
    assert (answer.status, answer.grpc_status) == (400, INTERNAL)


@pytest.mark.parametrize("timeout", ["", "1", "S", "1s", "-1S", "+1S", "123456789S", "1.5S", " 1S ", "1S, 2S"])
def test_bad_timeouts(raw, key, timeout):
    raw.send(post(key, extra=[f"grpc-timeout: {timeout}"]))
    expected = OK if timeout == " 1S " else INTERNAL
    assert raw.read_answer().grpc_status == expected


def test_an_unknown_encoding(raw, key):
    raw.send(post(key, extra=["grpc-encoding: zip9000"]))
    answer = raw.read_answer()
    assert answer.grpc_status == UNIMPLEMENTED


# ------------------------------------------------------------------------------- peers that come and go


def test_a_body_that_ends_early(world, key):
    with RawHTTP(world.gateway.port) as raw:
        raw.send(post(key, body=b"\0\0", length=100))
        raw.half_close()
        answer = raw.read_answer()
        assert answer is None or answer.status == 400 or answer.grpc_status != OK


def test_a_half_closed_socket_gets_an_answer(raw, key):
    """A client that closes its side may be gone: the answer may say CANCELLED, but there is one."""
    raw.send(post(key))
    raw.half_close()
    answer = raw.read_answer()
    assert answer.status == 200 and answer.grpc_status in (OK, CANCELLED)
    assert raw.is_closed()


def test_a_request_byte_by_byte(raw, key):
    for byte in post(key):
        raw.send(bytes([byte]))
    assert raw.read_answer().grpc_status == OK


def test_connections_that_only_open(world):
    connections = [RawHTTP(world.gateway.port) for _ in range(100)]
    for connection in connections:
        connection.socket.close()


def blame_request(scm, world) -> bytes:
    request = scm.BlameFileRequest(repository_id=world.gateway.repository_id, path="generated/table.csv")
    return frame(request.SerializeToString())


def test_clients_that_vanish_in_the_middle_of_a_stream(world, scm, key):
    """The first round may start processes that are kept for object requests; later ones must leave nothing."""
    counts = []
    for _ in range(3):
        for read in [0, 1, 100, 5000] * 17:
            raw = RawHTTP(world.gateway.port)
            raw.send(post(key, body=blame_request(scm, world), path=BLAME_PATH))
            if read:
                raw.socket.recv(read)
            raw.vanish()
        assert wait_until(lambda: not world.gateway.running_git()), world.gateway.running_git()
        counts.append(settled(world.gateway.descriptors))
    assert counts[2] <= counts[1] + 2, f"open descriptors after each round: {counts}"


def settled(measure, seconds: float = 5):
    """The lowest value that comes up within some seconds."""
    lowest = measure()
    for _ in range(int(seconds / 0.1)):
        time.sleep(0.1)
        lowest = min(lowest, measure())
    return lowest


def test_calls_that_are_cancelled(world, scm, grpcio):
    request = scm.BlameFileRequest(repository_id=world.work_tree_id, path="generated/table.csv", ref="v2.0")
    for _ in range(20):
        call = grpcio.start_stream("BlameFile", request)
        next(call)
        call.cancel()
        with pytest.raises(grpc.RpcError):
            list(call)


def test_a_reader_that_stops_reading(world, scm, key):
    """A stream nobody reads must not fill the server's memory, nor hold up others."""
    with RawHTTP(world.gateway.port) as raw:
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20):
            raw.send(post(key, body=blame_request(scm, world), path=BLAME_PATH))
        with RawHTTP(world.gateway.port) as other:
            other.send(post(key))
            assert other.read_answer().grpc_status == OK
        raw.vanish()


def test_many_at_once(world, scm, connect, client_kind):
    """32 threads with their own clients; each answer is right."""
    failures = []

    def work(number):
        try:
            client = connect(client_kind)
            for _ in range(3):
                wanted = world.repository_ids[number % len(world.repository_ids)]
                answer = client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=wanted), timeout=60)
                assert answer.id == wanted
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


# ------------------------------------------------------------------------------------------------- CORS


def preflight(origin: str) -> bytes:
    return post(None, body=None, method="OPTIONS", content_type=None, extra=[
        f"origin: {origin}", "access-control-request-method: POST",
        "access-control-request-headers: content-type,x-api-key,x-grpc-web",
    ])


def test_browsers_are_refused_by_default(raw, key):
    raw.send(preflight("https://example.com"))
    answer = raw.read_answer()
    assert "access-control-allow-origin" not in answer.headers
    raw.send(post(key, extra=["origin: https://example.com"]))
    answer = raw.read_answer()
    assert "access-control-allow-origin" not in answer.headers
