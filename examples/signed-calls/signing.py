"""Calls that prove to have a key without sending it: `x-signature`, for grpcio.

    channel = grpc.intercept_channel(grpc.insecure_channel("127.0.0.1:8080"), Signer(key_id, key))

`scm-gateway key add --signing` makes such a key. What is signed is in docs/security.md.
"""

import base64
import collections
import hashlib
import hmac
import os
import time

import grpc


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signature(key_id: int, key: str, method: str, target: str, content_type: str, body: bytes) -> str:
    """The value of x-signature for one request; `body` as it travels, frames and all."""
    secret = hmac.digest(key.encode(), b"scm-gateway signing key v1", "sha256")
    timestamp = str(time.time_ns() // 1_000_000)
    nonce = base64url(os.urandom(16))
    digest = hashlib.sha256(body).hexdigest()
    lines = ["scm-gateway-signature-v1", str(key_id), timestamp, nonce, method, target, content_type, digest]
    text = "".join(line + "\n" for line in lines)
    proof = base64url(hmac.digest(secret, text.encode(), "sha256"))
    return f"v1 kid={key_id},ts={timestamp},nonce={nonce},sig={proof}"


class _Details(
    collections.namedtuple("_Details", "method timeout metadata credentials wait_for_ready compression"),
    grpc.ClientCallDetails,
):
    pass


class Signer(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Signs calls with one request message. Leave compression off: what is signed must be what travels."""

    def __init__(self, key_id: int, key: str):
        self._key_id, self._key = key_id, key

    def intercept_unary_unary(self, continuation, details, request):
        return continuation(self._signed(details, request), request)

    def intercept_unary_stream(self, continuation, details, request):
        return continuation(self._signed(details, request), request)

    def _signed(self, details, request):
        message = request.SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        header = signature(self._key_id, self._key, "POST", details.method, "application/grpc", body)
        metadata = [*(details.metadata or []), ("x-signature", header)]
        return _Details(details.method, details.timeout, metadata, details.credentials, details.wait_for_ready, None)
