"""`grpc.testing.TestService` by grpcio, for our client."""

import time
from concurrent import futures

import grpc

ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"


def start(messages):
    """A running server and its port."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers([Handler(messages)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Handler(grpc.GenericRpcHandler):
    def __init__(self, messages):
        self.m = m = messages
        write = lambda message: message.SerializeToString()
        self.methods = {
            "EmptyCall": grpc.unary_unary_rpc_method_handler(lambda r, c: m.Empty(), m.Empty.FromString, write),
            "UnaryCall": grpc.unary_unary_rpc_method_handler(self.unary, m.SimpleRequest.FromString, write),
            "StreamingOutputCall": grpc.unary_stream_rpc_method_handler(
                self.output, m.StreamingOutputCallRequest.FromString, write),
            "StreamingInputCall": grpc.stream_unary_rpc_method_handler(
                self.input, m.StreamingInputCallRequest.FromString, write),
            "FullDuplexCall": grpc.stream_stream_rpc_method_handler(
                self.duplex, m.StreamingOutputCallRequest.FromString, write),
        }

    def service(self, details):
        prefix, _, method = details.method.rpartition("/")
        return self.methods.get(method) if prefix == "/grpc.testing.TestService" else None

    @staticmethod
    def echo(context):
        received = context.invocation_metadata()
        context.send_initial_metadata([(k, v) for k, v in received if k == ECHO_INITIAL])
        context.set_trailing_metadata([(k, v) for k, v in received if k == ECHO_TRAILING])

    @staticmethod
    def check(status, context):
        if status.code:
            code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
            context.abort(code, status.message)

    def unary(self, request, context):
        # Before the head, which names the encoding: later it has no effect.
        if request.response_compressed.value:
            context.set_compression(grpc.Compression.Gzip)
        self.echo(context)
        self.check(request.response_status, context)
        return self.m.SimpleResponse(payload=self.m.Payload(body=bytes(request.response_size)))

    def output(self, request, context):
        if any(parameters.compressed.value for parameters in request.response_parameters):
            context.set_compression(grpc.Compression.Gzip)
        yield from self.answers(request, context)

    def answers(self, request, context):
        for parameters in request.response_parameters:
            time.sleep(parameters.interval_us / 1e6)
            if parameters.HasField("compressed") and not parameters.compressed.value:
                context.disable_next_message_compression()
            yield self.m.StreamingOutputCallResponse(payload=self.m.Payload(body=bytes(parameters.size)))

    def input(self, requests, context):
        size = sum(len(request.payload.body) for request in requests)
        return self.m.StreamingInputCallResponse(aggregated_payload_size=size)

    def duplex(self, requests, context):
        self.echo(context)
        for request in requests:
            self.check(request.response_status, context)
            yield from self.answers(request, context)
