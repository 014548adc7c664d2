"""The program under test: a process that answers conformance requests."""

import os
import struct
import subprocess

from schema import Request, Response

PROTOBUF, JSON = 1, 2
IGNORE_UNKNOWN = 3


class Testee:
    def __init__(self, command: list[str]):
        self.command = command
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, request) -> "Response":
        data = request.SerializeToString()
        try:
            self.process.stdin.write(struct.pack("<I", len(data)) + data)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        header = self.process.stdout.read(4)
        if len(header) < 4:
            code = self.process.wait()
            raise TesteeEnded(f"the testee ended with code {code} on {request!r}"[:4000])
        return Response.FromString(self.process.stdout.read(struct.unpack("<I", header)[0]))

    def convert(self, payload: bytes | str, message_type: str, output: int, category: int = 0) -> "Response":
        request = Request(message_type=message_type, requested_output_format=output, test_category=category)
        if isinstance(payload, bytes):
            request.protobuf_payload = payload
        else:
            request.json_payload = payload
        return self.ask(request)

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(timeout=20)


class TesteeEnded(Exception):
    pass


def default_command() -> list[str]:
    """The built testee: CONFORMANCE_TESTEE, or .build/debug/ConformanceTestee."""
    from schema import CHECKOUT

    return [os.environ.get("CONFORMANCE_TESTEE", str(CHECKOUT / ".build/debug/ConformanceTestee"))]
