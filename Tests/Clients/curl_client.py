"""`curl` with hand-made frames: the proof that no library is needed."""

import base64
import json
import subprocess

import grpc
from google.protobuf import json_format

from clients import CallFailed, Client
from frames import decode_text, frame, read_answer


class CurlClient(Client):
    """gRPC-Web, binary, over HTTP/1.1."""

    name = "curl-web-http1"
    flags = ["--http1.1"]
    content_type = "application/grpc-web+proto"
    text = False

    def unary(self, method, request, timeout=None):
        answers = list(self.stream(method, request, timeout))
        assert len(answers) == 1, f"{len(answers)} messages instead of one"
        return answers[0]

    def stream(self, method, request, timeout=None):
        kind = self.methods[method]
        headers, body = self._post(kind.path, frame(request.SerializeToString()), timeout)
        for message in read_answer(headers, body):
            yield kind.response.FromString(message)

    def _post(self, path: str, body: bytes, timeout: float | None) -> tuple[dict[str, str], bytes]:
        command = ["curl", "--silent", "--show-error", "--include", *self.flags, "--data-binary", "@-"]
        fields = {"content-type": self.content_type, "x-grpc-web": "1", "expect": ""}
        if timeout is not None:
            fields["grpc-timeout"] = f"{max(1, int(timeout * 1_000_000))}u"
        for name, value in [*fields.items(), *self.metadata]:
            command += ["--header", f"{name}: {value}"]
        out = subprocess.run(
            [*command, self.url + path],
            input=base64.b64encode(body) if self.text else body,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        return self._read(out)

    def _read(self, out: bytes) -> tuple[dict[str, str], bytes]:
        head, _, body = out.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        assert status.split(" ")[1] == "200", status
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        assert headers["content-type"] == self.content_type
        return headers, decode_text(body) if self.text else body


class CurlHTTP2Client(CurlClient):
    """gRPC-Web, binary, over HTTP/2."""

    name = "curl-web-http2"
    flags = ["--http2-prior-knowledge"]


class CurlTextClient(CurlClient):
    """gRPC-Web in its base64 text form over HTTP/1.1."""

    name = "curl-text-http1"
    content_type = "application/grpc-web-text+proto"
    text = True


class CurlTextHTTP2Client(CurlTextClient):
    """gRPC-Web in its base64 text form over HTTP/2."""

    name = "curl-text-http2"
    flags = ["--http2-prior-knowledge"]


class CurlJSONClient(Client):
    """Connect's unary JSON: a plain POST, as a person would type it. It has no streams."""

    name = "curl-json-http1"

    def unary(self, method, request, timeout=None):
        kind = self.methods[method]
        command = ["curl", "--silent", "--show-error", "--write-out", "\\n%{http_code}", "--json", "@-"]
        fields = [("connect-timeout-ms", str(max(1, int(timeout * 1000))))] if timeout is not None else []
        for name, value in [*fields, *self.metadata]:
            command += ["--header", f"{name}: {value}"]
        out = subprocess.run(
            [*command, self.url + kind.path],
            input=json_format.MessageToJson(request).encode(),
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        text, _, status = out.decode().rpartition("\n")
        if status == "200":
            return json_format.Parse(text, kind.response())
        error = json.loads(text)
        name = {"canceled": "CANCELLED"}.get(error["code"], error["code"].upper())
        raise CallFailed(grpc.StatusCode[name].value[0], error.get("message", ""))
