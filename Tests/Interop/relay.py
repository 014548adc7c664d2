"""A TCP relay that counts bytes: shows whether messages travel compressed where neither side tells."""

import contextlib
import socket
import threading


class Relay:
    """Carries connections to a port of 127.0.0.1. `sent` and `received` count all of them, as the client sees it."""

    def __init__(self, port):
        self.target = port
        self.sent = self.received = 0
        self._sockets, self._lock = [], threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        with self._lock:
            for one in [self._listener, *self._sockets]:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                with self._lock:
                    self._sockets += [client, server]
                for source, sink, is_request in [(client, server, True), (server, client, False)]:
                    threading.Thread(target=self._pump, args=(source, sink, is_request), daemon=True).start()

    def _pump(self, source, sink, is_request):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                # Before it goes on: whoever has read it finds it counted.
                with self._lock:
                    if is_request:
                        self.sent += len(piece)
                    else:
                        self.received += len(piece)
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)
