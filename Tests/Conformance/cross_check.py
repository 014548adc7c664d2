"""Random messages through the testee and through protobuf's Python package: both must say the same.

    .venv/bin/python Tests/Conformance/cross_check.py [--seed N] [--messages N] [--type TEXT] [TESTEE [ARGUMENT...]]

Every message goes to the testee as bytes (with unknown fields) and as the Python package's JSON, and comes back as
both.
Bytes are compared byte for byte in deterministic mode; the testee's JSON is read by the Python package too. Cut and
changed bytes must be refused by both or by none. A failure prints the seed that repeats it.
"""

import argparse
import random
import sys
import time

from google.protobuf import json_format

from case import compare_json, parse
from map_order import deterministic
from random_messages import Generator
from schema import POOL, message_class
from testee import JSON, PROTOBUF, Testee, default_command

TEST_ALL_TYPES = "protobuf_test_messages.proto3.TestAllTypesProto3"


def type_names() -> list[str]:
    """TestAllTypesProto3, then every message of scm.proto and of google.rpc."""
    names = []

    def add(message) -> None:
        if not message.GetOptions().map_entry:
            names.append(message.full_name)
        for nested in message.nested_types:
            add(nested)

    for file in ("sentry/integrations/scm/v1/scm.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"):
        for message in POOL.FindFileByName(file).message_types_by_name.values():
            add(message)
    return [TEST_ALL_TYPES, *names]


def check(testee: Testee, name: str, message) -> list[str]:
    """What is wrong with one message in any of its ways."""
    problems = []

    def ask(payload, output: int, form: str) -> bytes | str | None:
        response = testee.convert(payload, name, output)
        result = response.WhichOneof("result")
        if result != ("protobuf_payload" if output == PROTOBUF else "json_payload"):
            problems.append(f"{form}: {str(response)[:500]}")
            return None
        return getattr(response, result)

    def same_bytes(found: bytes | None, wanted, form: str) -> None:
        if found is not None and found != deterministic(wanted):
            problems.append(f"{form}: {found.hex()[:2000]} instead of {deterministic(wanted).hex()[:2000]}")

    data = message.SerializeToString()
    same_bytes(ask(data, PROTOBUF, "protobuf -> protobuf"), message, "protobuf -> protobuf")
    text = ask(data, JSON, "protobuf -> JSON")
    known = type(message)()
    known.CopyFrom(message)
    known.DiscardUnknownFields()
    if text is not None:
        difference = compare_json(text, message)
        if difference:
            problems.append(f"protobuf -> JSON: {difference}")
        else:
            read = json_format.Parse(text, type(message)(), descriptor_pool=POOL)
            same_bytes(deterministic(read), known, "our JSON read by the Python package")
    python_text = json_format.MessageToJson(message, descriptor_pool=POOL, ensure_ascii=len(data) % 2 == 0)
    same_bytes(ask(python_text, PROTOBUF, "JSON -> protobuf"), known, "JSON -> protobuf")
    return problems


def check_damaged(testee: Testee, name: str, data: bytes, chance: random.Random) -> list[str]:
    """Cut or changed bytes: refused by both or by none.

    Two differences are known: a tenth byte of a varint with bits beyond 64 is refused here, as Go does, and cut off
    by the Python package; it keeps a map entry with a field it does not know among the unknown fields, where others
    drop that field. So the messages are not compared.
    """
    damaged = bytearray(data)
    if chance.random() < 0.5:
        del damaged[chance.randrange(len(damaged)) :]
    else:
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    theirs = parse(bytes(damaged), message_class(name))
    response = testee.convert(bytes(damaged), name, PROTOBUF)
    is_refused = response.WhichOneof("result") == "parse_error"
    if (theirs is None) == is_refused or (is_refused and "does not fit" in response.parse_error):
        return []
    return [
        f"damaged {bytes(damaged).hex()[:2000]}: {'we' if theirs is None else 'they'} read it: {str(response)[:300]}"
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--messages", type=int, default=2000, help="half of them are TestAllTypesProto3")
    parser.add_argument("--type", default="", help="only types whose name contains this text")
    parser.add_argument("testee", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    names = [name for name in type_names() if arguments.type in name]
    print(f"cross-check: seed {arguments.seed}, {arguments.messages} messages of {len(names)} types", flush=True)
    testee = Testee(arguments.testee or default_command())
    failed, start = 0, time.monotonic()
    for index in range(arguments.messages):
        name = names[0] if index % 2 == 0 else names[index // 2 % len(names)]
        seed = f"{arguments.seed}/{index}"
        message = Generator(seed, unknown=index % 4 < 2).message(name)
        problems = check(testee, name, message)
        data = message.SerializeToString()
        if data:
            problems += check_damaged(testee, name, data, random.Random(seed))
        failed += bool(problems)
        for problem in problems if failed <= 20 else []:
            print(f"FAILED message {index} of --seed {arguments.seed}, {name}: {problem}")
    testee.close()
    print(f"cross-check: {arguments.messages} messages, {failed} failed, {time.monotonic() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
