"""The clients under test behind one small interface, so that one test body runs over all of them.

    client.unary("GetRepository", request) -> Repository
    client.stream("BlameFile", request) -> iterator of BlameHunk

Both raise `CallFailed` with the gRPC status. `scm` is the module of message types, generated at the test's start.
"""

import base64
from dataclasses import dataclass
from typing import Any, Callable, Iterator

import grpc
from google.protobuf import message_factory
from google.rpc import error_details_pb2, status_pb2

SERVICE = "sentry.integrations.scm.v1.ScmService"


class CallFailed(Exception):
    """A call that ended with another status than OK."""

    def __init__(self, code: int, message: str, status: status_pb2.Status | None = None):
        super().__init__(f"{grpc_code(code).name}: {message}")
        self.code = grpc_code(code)
        self.message = message
        self.status = status

    def detail(self, kind: type) -> Any:
        """The first detail of a type, or None."""
        for packed in self.status.details if self.status else []:
            found = kind()
            if packed.Unpack(found):
                return found
        return None

    @property
    def reason(self) -> str | None:
        info = self.detail(error_details_pb2.ErrorInfo)
        return info.reason if info else None


def grpc_code(number: int) -> grpc.StatusCode:
    return next(code for code in grpc.StatusCode if code.value[0] == number)


def status_of(details: bytes | str | None) -> status_pb2.Status | None:
    """Reads `grpc-status-details-bin`: bytes, or base64 text with or without padding."""
    if not details:
        return None
    if isinstance(details, str):
        details = base64.b64decode(details + "=" * (-len(details) % 4))
    return status_pb2.Status.FromString(details)


@dataclass(frozen=True)
class Method:
    """One method of the service: where it is, and its message types."""

    name: str
    request: type
    response: type

    @property
    def path(self) -> str:
        return f"/{SERVICE}/{self.name}"


def methods(scm) -> dict[str, Method]:
    service = scm.DESCRIPTOR.services_by_name["ScmService"]
    kind = message_factory.GetMessageClass
    return {m.name: Method(m.name, kind(m.input_type), kind(m.output_type)) for m in service.methods}


class Client:
    """What a test sees. `timeout` is in seconds, None for no deadline."""

    name = ""

    def __init__(self, url: str, key: str | None, scm):
        self.url, self.key, self.methods = url, key, methods(scm)
        self.metadata = [("x-api-key", key)] if key else []

    def unary(self, method: str, request, timeout: float | None = None):
        raise NotImplementedError

    def stream(self, method: str, request, timeout: float | None = None) -> Iterator:
        raise NotImplementedError

    def close(self) -> None:
        pass


class GrpcioClient(Client):
    """Google's Python client: native gRPC over HTTP/2."""

    name = "grpcio"

    compression = grpc.Compression.NoCompression

    def __init__(self, url: str, key: str | None, scm):
        super().__init__(url, key, scm)
        self.channel = grpc.insecure_channel(url.removeprefix("http://"), compression=self.compression)

    def unary(self, method, request, timeout=None):
        kind = self.methods[method]
        call = self.channel.unary_unary(kind.path, kind.request.SerializeToString, kind.response.FromString)
        return self._guard(lambda: call(request, timeout=timeout, metadata=self.metadata))

    def stream(self, method, request, timeout=None):
        answers = self.start_stream(method, request, timeout)
        while (answer := self._guard(lambda: next(answers, None))) is not None:
            yield answer

    def start_stream(self, method, request, timeout=None):
        """The bare grpcio call, which can be cancelled."""
        kind = self.methods[method]
        call = self.channel.unary_stream(kind.path, kind.request.SerializeToString, kind.response.FromString)
        return call(request, timeout=timeout, metadata=self.metadata)

    def _guard(self, body: Callable):
        try:
            return body()
        except grpc.RpcError as error:
            trailers = dict(error.trailing_metadata() or ())
            status = status_of(trailers.get("grpc-status-details-bin"))
            raise CallFailed(error.code().value[0], error.details(), status) from error

    def close(self):
        self.channel.close()


class GrpcioGzipClient(GrpcioClient):
    name = "grpcio-gzip"
    compression = grpc.Compression.Gzip


class ConnectClient(Client):
    """The `connectrpc` client. It has three protocols, over either HTTP.

    It sends no base64 text mode, and gives only the error's own details, not the whole google.rpc.Status.
    """

    http2 = False
    protocol = "GRPC_WEB"
    json = False
    gzip = False
    get = False
    """Methods without side effects are asked with GET."""

    def __init__(self, url: str, key: str | None, scm):
        super().__init__(url, key, scm)
        from connectrpc.client import ConnectClientSync
        from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
        from connectrpc.compression.gzip import GzipCompression
        from connectrpc.protocol import ProtocolType
        from pyqwest import HTTPVersion, SyncClient, SyncHTTPTransport

        version = HTTPVersion.HTTP2 if self.http2 else HTTPVersion.HTTP1
        self.transport = SyncHTTPTransport(http_version=version)
        self.client = ConnectClientSync(
            url,
            codec=google_protobuf_json_codec() if self.json else google_protobuf_binary_codec(),
            protocol=ProtocolType[self.protocol],
            accept_compression=[GzipCompression()] if self.gzip else [],
            send_compression=GzipCompression() if self.gzip else None,
            http_client=SyncClient(self.transport),
        )

    def unary(self, method, request, timeout=None):
        descriptor = request.DESCRIPTOR.file.services_by_name["ScmService"].methods_by_name[method]
        get = self.get and descriptor.GetOptions().idempotency_level == descriptor.GetOptions().NO_SIDE_EFFECTS
        arguments = self._arguments(method, request, timeout)
        return self._guard(lambda: self.client.execute_unary(**arguments, use_get=get))

    def stream(self, method, request, timeout=None):
        answers = self.client.execute_server_stream(**self._arguments(method, request, timeout))
        while (answer := self._guard(lambda: next(answers, None))) is not None:
            yield answer

    def _arguments(self, method, request, timeout):
        from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType

        kind = self.methods[method]
        info = MethodInfo(
            name=kind.name,
            service_name=SERVICE,
            input=kind.request,
            output=kind.response,
            idempotency_level=IdempotencyLevel.NO_SIDE_EFFECTS if self.get else IdempotencyLevel.UNKNOWN,
            stream_type=StreamType.UNARY,
        )
        milliseconds = None if timeout is None else max(1, int(timeout * 1000))
        return {"request": request, "method": info, "headers": dict(self.metadata), "timeout_ms": milliseconds}

    def _guard(self, body: Callable):
        from connectrpc.errors import ConnectError

        try:
            return body()
        except ConnectError as error:
            name = "CANCELLED" if error.code.name == "CANCELED" else error.code.name
            status = status_pb2.Status(message=error.message)
            for detail in error.details:
                packed = status.details.add(value=detail.message_bytes)
                packed.type_url = f"type.googleapis.com/{detail.type_name}"
            raise CallFailed(grpc.StatusCode[name].value[0], error.message, status) from error

    def close(self):
        self.client.close()


class ConnectWebClient(ConnectClient):
    name = "connectrpc-web-http1"


class ConnectWebHTTP2Client(ConnectClient):
    name = "connectrpc-web-http2"
    http2 = True


class ConnectNativeClient(ConnectClient):
    name = "connectrpc-grpc-http2"
    http2 = True
    protocol = "GRPC"


class ConnectNativeGzipClient(ConnectNativeClient):
    name = "connectrpc-grpc-gzip-http2"
    gzip = True


class ConnectProtoClient(ConnectClient):
    """The Connect protocol itself."""

    name = "connectrpc-proto-http1"
    protocol = "CONNECT"
    gzip = True


class ConnectJSONClient(ConnectProtoClient):
    name = "connectrpc-json-http2"
    http2 = True
    json = True
    gzip = False


class ConnectGetClient(ConnectProtoClient):
    name = "connectrpc-get-http1"
    get = True


class SonoraClient(Client):
    """The `sonora` client: gRPC-Web, binary, over HTTP/1.1.

    What it cannot do: HTTP/2, text mode, `grpc-status-details-bin`, and telling a deadline of its own from one of
    the server. It wants the base URL to end with a slash.
    """

    name = "sonora"

    def __init__(self, url: str, key: str | None, scm):
        super().__init__(url, key, scm)
        from sonora.client import insecure_web_channel

        self.channel = insecure_web_channel(url + "/")

    def unary(self, method, request, timeout=None):
        kind = self.methods[method]
        call = self.channel.unary_unary(kind.path, kind.request.SerializeToString, kind.response.FromString)
        return self._guard(lambda: call(request, timeout=timeout, metadata=self.metadata))

    def stream(self, method, request, timeout=None):
        kind = self.methods[method]
        call = self.channel.unary_stream(kind.path, kind.request.SerializeToString, kind.response.FromString)
        answers = iter(call(request, timeout=timeout, metadata=self.metadata))
        while (answer := self._guard(lambda: next(answers, None))) is not None:
            yield answer

    def _guard(self, body: Callable):
        from sonora.protocol import WebRpcError

        try:
            return body()
        except WebRpcError as error:
            raise CallFailed(error.code().value[0], error.details() or "") from error

    def close(self):
        self.channel.__exit__(None, None, None)
