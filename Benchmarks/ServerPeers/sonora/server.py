"""benchmark.Echo by sonora, gRPC-Web over WSGI. gunicorn runs it; configuration.py has the settings."""

import os
from pathlib import Path

import grpc
from google.protobuf.wrappers_pb2 import BytesValue
from sentry.integrations.scm.v1.scm_pb2 import ListRepositoriesResponse
from sonora.wsgi import grpcWSGI

LIST = ListRepositoriesResponse.FromString(Path(os.environ["LIST_FILE"]).read_bytes())
MESSAGE = BytesValue(value=b"x" * 1021)


def stream(_request, _context):
    for _ in range(1000):
        yield MESSAGE


def method(kind, handler, response):
    return kind(handler, request_deserializer=BytesValue.FromString, response_serializer=response.SerializeToString)


application = grpcWSGI()
handlers = {
    "Unary": method(grpc.unary_unary_rpc_method_handler, lambda request, _: request, BytesValue),
    "List": method(grpc.unary_unary_rpc_method_handler, lambda *_: LIST, ListRepositoriesResponse),
    "Stream": method(grpc.unary_stream_rpc_method_handler, stream, BytesValue),
}
application.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark.Echo", handlers),))
