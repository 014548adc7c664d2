"""Message types of the protobuf Python package for our .proto files, without generated code."""

import subprocess
import tempfile
from pathlib import Path

from google.protobuf import (  # noqa: F401  (the well-known types join the default pool when imported)
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)

CHECKOUT = Path(__file__).resolve().parents[2]
POOL = descriptor_pool.Default()
FILES = [
    "test_messages_proto3.proto",
    "conformance.proto",
    "sentry/integrations/scm/v1/scm.proto",
    "google/rpc/error_details.proto",
]


def load() -> None:
    """Compiles the .proto files with protoc and adds them to the pool."""
    with tempfile.NamedTemporaryFile() as file:
        includes = [f"-I{CHECKOUT / folder}" for folder in ("Tests/Conformance/Protos", "Protos")] + ["-I/usr/include"]
        output = ["--include_imports", f"--descriptor_set_out={file.name}"]
        subprocess.run(["protoc", *includes, *output, *FILES], check=True)
        files = descriptor_pb2.FileDescriptorSet.FromString(file.read())
    for proto in files.file:
        try:
            POOL.FindFileByName(proto.name)
        except KeyError:
            POOL.Add(proto)


def message_class(name: str):
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(name))


load()
TestAllTypes = message_class("protobuf_test_messages.proto3.TestAllTypesProto3")
Request = message_class("conformance.ConformanceRequest")
Response = message_class("conformance.ConformanceResponse")
