"""Clients that behave and must be served throughout: gRPC by grpcio, gRPC-Web over HTTP/1.1 by http.client."""

import http.client
import struct
import threading

import grpc

MESSAGE = b"\x0a\x05hello"


class GoodClients:
    """Call in the background, one call after the other each, until stopped."""

    def __init__(self, port: int):
        self.port = port
        self.calls = {"gRPC": 0, "gRPC-Web": 0}
        self.failures: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=one) for one in (
            ("gRPC", self._native()), ("gRPC-Web", self._web()))]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, name: str, calls) -> None:
        try:
            for answer in calls:
                assert answer == MESSAGE, answer
                self.calls[name] += 1
                if self._stop.wait(0.01):
                    return
        except Exception as error:
            self.failures.append(f"{name} after {self.calls[name]} calls: {error!r}")

    def _native(self):
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            unary = channel.unary_unary("/attack.Target/Unary")
            while True:
                yield unary(MESSAGE, timeout=10)

    def _web(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        body = struct.pack(">BI", 0, len(MESSAGE)) + MESSAGE
        while True:
            connection.request(
                "POST", "/attack.Target/Unary", body, {"content-type": "application/grpc-web+proto"})
            answer = connection.getresponse().read()
            assert b"grpc-status: 0" in answer or b"grpc-status:0" in answer, answer
            yield answer[5 : 5 + len(MESSAGE)]
