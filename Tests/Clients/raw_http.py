"""HTTP/1.1 over a bare socket: for requests that no client library would send."""

import socket
from dataclasses import dataclass

from clients import SERVICE
from frames import frame, split_frames, read_trailers

PATH = f"/{SERVICE}/ListRepositories"
BLAME_PATH = f"/{SERVICE}/BlameFile"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def grpc_status(self) -> int:
        """From the trailer frame, or from the headers of an answer without a body."""
        if not self.body:
            return int(self.headers["grpc-status"])
        flags, payload = split_frames(self.body)[-1]
        assert flags == 0x80
        return int(read_trailers(payload)["grpc-status"])


class RawHTTP:
    """One connection."""

    def __init__(self, port: int, seconds: float = 20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_quietly(self, data: bytes) -> None:
        """Sends although the server may have hung up."""
        try:
            self.socket.sendall(data)
        except OSError:
            pass

    def half_close(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def vanish(self) -> None:
        """Closes with a reset instead of a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def read_answer(self) -> Answer | None:
        """The next answer; None when the server closes without one."""
        head = self._until(b"\r\n\r\n")
        if head is None:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split(" ")[1])
        return Answer(status, headers, b"" if status == 204 else self._body(headers))

    def is_closed(self) -> bool:
        """Whether the server closed, with nothing more to say; waits for it."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while (size := int(self._until(b"\r\n").split(b";")[0], 16)) > 0:
                body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            assert self._until(b"\r\n") == b"", "a gRPC-Web answer has no HTTP trailers"
            return body
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        body = self.buffer
        while piece := self.socket.recv(65536):
            body += piece
        self.buffer = b""
        return body

    def _more(self) -> bool:
        try:
            piece = self.socket.recv(65536)
        except ConnectionError:
            return False
        self.buffer += piece
        return bool(piece)

    def _until(self, mark: bytes) -> bytes | None:
        while mark not in self.buffer:
            if not self._more():
                return None
        found, _, self.buffer = self.buffer.partition(mark)
        return found

    def _exactly(self, count: int) -> bytes:
        while len(self.buffer) < count:
            assert self._more(), "the connection ended inside of a body"
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found


def post(
    key: str | None, body: bytes | None = frame(b""), path: str = PATH, method: str = "POST",
    content_type: str | None = "application/grpc-web+proto", length: int | None = None, extra: list[str] = (),
) -> bytes:
    """The bytes of a request. `body` None leaves out body and length."""
    lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1"]
    if content_type is not None:
        lines.append(f"content-type: {content_type}")
    if key is not None:
        lines.append(f"x-api-key: {key}")
    if body is not None:
        lines.append(f"content-length: {len(body) if length is None else length}")
    head = "\r\n".join([*lines, *extra, "", ""]).encode("latin-1")
    return head + (body or b"")
