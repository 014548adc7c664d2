"""The gRPC interoperability cases, asked by grpcio: an implementation that shares no code with ours."""

import contextlib
import os

import grpc
from relay import Relay


def cases(messages, port):
    """Case name -> function."""
    stub = Stub(port, messages)
    return {name.removeprefix("case_"): getattr(stub, name) for name in dir(stub) if name.startswith("case_")}


class Stub:
    def __init__(self, port, messages):
        self.m = messages
        self.port = port
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    @contextlib.contextmanager
    def counted(self):
        """The same service through a relay that counts bytes: grpcio does not tell how a message has travelled."""
        with Relay(self.port) as relay:
            stub = Stub(relay.port, self.m)
            yield stub, relay
            stub.channel.close()

    def unary(self, method, answer, service="TestService"):
        return self.channel.unary_unary(
            f"/grpc.testing.{service}/{method}", lambda m: m.SerializeToString(), answer.FromString)

    def output(self):
        return self.channel.unary_stream(
            "/grpc.testing.TestService/StreamingOutputCall", lambda m: m.SerializeToString(),
            self.m.StreamingOutputCallResponse.FromString)

    def input(self):
        return self.channel.stream_unary(
            "/grpc.testing.TestService/StreamingInputCall", lambda m: m.SerializeToString(),
            self.m.StreamingInputCallResponse.FromString)

    def duplex(self, method="FullDuplexCall"):
        return self.channel.stream_stream(
            f"/grpc.testing.TestService/{method}", lambda m: m.SerializeToString(),
            self.m.StreamingOutputCallResponse.FromString)

    def large(self, **fields):
        return self.m.SimpleRequest(response_size=314159, payload=self.m.Payload(body=bytes(271828)), **fields)

    def ask(self, request_size, response_size):
        return self.m.StreamingOutputCallRequest(
            response_parameters=[self.m.ResponseParameters(size=response_size)],
            payload=self.m.Payload(body=bytes(request_size)))

    def case_empty_unary(self):
        assert self.unary("EmptyCall", self.m.Empty)(self.m.Empty(), timeout=20) == self.m.Empty()

    def case_large_unary(self):
        answer = self.unary("UnaryCall", self.m.SimpleResponse)(self.large(), timeout=20)
        assert answer.payload.body == bytes(314159)

    def case_client_streaming(self):
        requests = (self.m.StreamingInputCallRequest(payload=self.m.Payload(body=bytes(size)))
                    for size in [27182, 8, 1828, 45904])
        assert self.input()(requests, timeout=20).aggregated_payload_size == 74922

    def case_server_streaming(self):
        sizes = [31415, 9, 2653, 58979]
        request = self.m.StreamingOutputCallRequest(
            response_parameters=[self.m.ResponseParameters(size=size) for size in sizes])
        assert [len(answer.payload.body) for answer in self.output()(request, timeout=20)] == sizes

    def case_ping_pong(self):
        import queue
        waiting = queue.Queue()
        call = self.duplex()(iter(waiting.get, None), timeout=20)
        for request, response in [(27182, 31415), (8, 9), (1828, 2653), (45904, 58979)]:
            waiting.put(self.ask(request, response))
            assert len(next(call).payload.body) == response
        waiting.put(None)
        assert list(call) == []

    def case_half_duplex(self):
        answers = self.duplex("HalfDuplexCall")(iter([self.ask(8, 9), self.ask(8, 2653)]), timeout=20)
        assert [len(answer.payload.body) for answer in answers] == [9, 2653]

    def case_empty_stream(self):
        assert list(self.duplex()(iter([]), timeout=20)) == []

    def fails(self, code, call):
        try:
            call()
        except grpc.RpcError as error:
            assert error.code() == code, error
            return error.details()
        raise AssertionError("the call succeeded")

    def case_status_code_and_message(self, text="test status message"):
        status = self.m.EchoStatus(code=2, message=text)
        unary = self.unary("UnaryCall", self.m.SimpleResponse)
        request = self.m.SimpleRequest(response_status=status)
        assert self.fails(grpc.StatusCode.UNKNOWN, lambda: unary(request, timeout=20)) == text
        request = self.m.StreamingOutputCallRequest(response_status=status)
        call = self.duplex()
        assert self.fails(grpc.StatusCode.UNKNOWN, lambda: list(call(iter([request]), timeout=20))) == text

    def case_special_status_message(self):
        self.case_status_code_and_message(
            "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
        )

    def case_custom_metadata(self):
        metadata = [("x-grpc-test-echo-initial", "test_initial_metadata_value"),
                    ("x-grpc-test-echo-trailing-bin", b"\xab\xab\xab")]
        unary = self.unary("UnaryCall", self.m.SimpleResponse)
        _, call = unary.with_call(self.large(), metadata=metadata, timeout=20)
        self.expect_echo(call)
        call = self.duplex()(iter([self.ask(271828, 314159)]), metadata=metadata, timeout=20)
        list(call)
        self.expect_echo(call)

    @staticmethod
    def expect_echo(call):
        assert dict(call.initial_metadata())["x-grpc-test-echo-initial"] == "test_initial_metadata_value"
        assert dict(call.trailing_metadata())["x-grpc-test-echo-trailing-bin"] == b"\xab\xab\xab"

    def case_unimplemented_method(self):
        call = self.unary("UnimplementedCall", self.m.Empty)
        self.fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(self.m.Empty(), timeout=20))

    def case_unimplemented_service(self):
        call = self.unary("UnimplementedCall", self.m.Empty, "UnimplementedService")
        self.fails(grpc.StatusCode.UNIMPLEMENTED, lambda: call(self.m.Empty(), timeout=20))

    def case_cancel_after_begin(self):
        import threading
        never = threading.Event()
        call = self.input().future(iter(never.wait, None), timeout=20)
        call.cancel()
        never.set()
        assert call.code() == grpc.StatusCode.CANCELLED

    def case_cancel_after_first_response(self):
        import queue
        waiting = queue.Queue()
        waiting.put(self.ask(27182, 31415))
        call = self.duplex()(iter(waiting.get, None), timeout=20)
        next(call)
        call.cancel()
        waiting.put(None)
        self.fails(grpc.StatusCode.CANCELLED, lambda: list(call))

    def case_timeout_on_sleeping_server(self):
        import queue
        waiting = queue.Queue()
        waiting.put(self.m.StreamingOutputCallRequest(payload=self.m.Payload(body=bytes(27182))))
        call = self.duplex()(iter(waiting.get, None), timeout=0.001)
        self.fails(grpc.StatusCode.DEADLINE_EXCEEDED, lambda: list(call))
        waiting.put(None)

    def case_client_compressed_unary(self):
        yes, no = self.m.BoolValue(value=True), self.m.BoolValue(value=False)
        for compression in [grpc.Compression.Gzip, grpc.Compression.Deflate]:
            for options, is_small in [({"compression": compression}, True), ({}, False)]:
                right, wrong = (yes, no) if is_small else (no, yes)
                with self.counted() as (stub, relay):
                    unary = stub.unary("UnaryCall", self.m.SimpleResponse)
                    self.fails(grpc.StatusCode.INVALID_ARGUMENT,
                               lambda: unary(self.large(expect_compressed=wrong), timeout=20, **options))
                    answer = unary(self.large(expect_compressed=right), timeout=20, **options)
                    assert answer.payload.body == bytes(314159)
                    assert (relay.sent < 100_000) == is_small, relay.sent

    def case_client_compressed_streaming(self):
        """grpcio's clients say "compressed" for a whole stream, but send as it is what would not get smaller: noise."""
        yes, no = self.m.BoolValue(value=True), self.m.BoolValue(value=False)
        zeros, noise = bytes, os.urandom

        def send(stub, messages, **options):
            requests = (self.m.StreamingInputCallRequest(payload=self.m.Payload(body=body), expect_compressed=expected)
                        for body, expected in messages)
            return stub.input()(requests, timeout=20, **options).aggregated_payload_size

        gzip = {"compression": grpc.Compression.Gzip}
        wrong = [([(zeros(27182), yes)], {}), ([(zeros(27182), no)], gzip), ([(noise(27182), yes)], gzip)]
        for messages, options in wrong:
            self.fails(grpc.StatusCode.INVALID_ARGUMENT, lambda: send(self, messages, **options))
        with self.counted() as (stub, relay):
            mixed = [(zeros(27182), yes), (noise(45904), no), (zeros(1828), yes), (noise(8), no)]
            assert send(stub, mixed, **gzip) == 74922
            assert 45904 < relay.sent < 45904 + 8_000, relay.sent
        assert send(self, [(zeros(size), no) for size in [27182, 8, 1828, 45904]]) == 74922

    def case_server_compressed_unary(self):
        for wish in [True, False]:
            with self.counted() as (stub, relay):
                unary = stub.unary("UnaryCall", self.m.SimpleResponse)
                answer = unary(self.large(response_compressed=self.m.BoolValue(value=wish)), timeout=20)
                assert answer.payload.body == bytes(314159)
                assert (relay.received < 100_000) == wish, relay.received

    def case_server_compressed_streaming(self):
        """The specification's two messages, the first compressed, and a third one that is compressed again."""
        request = self.m.StreamingOutputCallRequest(response_parameters=[
            self.m.ResponseParameters(size=size, compressed=self.m.BoolValue(value=compressed))
            for size, compressed in [(31415, True), (92653, False), (2653, True)]])
        with self.counted() as (stub, relay):
            answers = stub.output()(request, timeout=20)
            assert [len(answer.payload.body) for answer in answers] == [31415, 92653, 2653]
            assert 92653 < relay.received < 92653 + 2653, relay.received
