"""A socket that sends whatever it is told, and goes on reading or does not."""

import selectors
import socket
import time


class Peer:
    def __init__(self, port: int, receive_buffer: int | None = None):
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.received = b""
        self.is_closed = False
        """The server has closed, or reset, this connection."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data: bytes, reads: bool = True, seconds: float = 10) -> None:
        """Sends all of it, or until the server closes or takes nothing for that long."""
        view, last = memoryview(data), time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_WRITE | (selectors.EVENT_READ if reads else 0))
            while view and not self.is_closed and time.monotonic() - last < seconds:
                for _, events in selector.select(0.2):
                    if events & selectors.EVENT_READ:
                        self._read()
                    if events & selectors.EVENT_WRITE and not self.is_closed:
                        try:
                            view = view[self.socket.send(view[:65536]) :]
                            last = time.monotonic()
                        except OSError:
                            self.is_closed = True

    def receive(self, seconds: float = 10, until=lambda received: False) -> bytes:
        """Everything that comes until the server closes, the condition holds, or time is over."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self.socket, selectors.EVENT_READ)
            while not self.is_closed and not until(self.received):
                if selector.select(max(0, end - time.monotonic())):
                    self._read()
                elif time.monotonic() >= end:
                    break
        return self.received

    def vanish(self) -> None:
        """Closes with a reset instead of a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def _read(self) -> None:
        try:
            piece = self.socket.recv(1 << 20)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        self.received += piece
        self.is_closed = not piece
