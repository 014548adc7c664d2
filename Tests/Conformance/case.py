"""One conformance case: an input, and what must come of it."""

import json
import math
import struct
from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import DecodeError, EncodeError

from map_order import deterministic
from schema import POOL, TestAllTypes
from testee import IGNORE_UNKNOWN, JSON, PROTOBUF, Testee

TEST_ALL_TYPES = TestAllTypes.DESCRIPTOR.full_name


@dataclass
class Case:
    name: str
    payload: bytes | str
    expected: object = None
    """The message that the input stands for; None when it must be refused."""
    ignores_unknown: bool = False
    outputs: tuple = (PROTOBUF, JSON)
    json_refused: bool = False
    """The message has no form in JSON: writing it must be refused."""

    def check(self, testee: Testee) -> list[str]:
        """What is wrong, one line for each output format."""
        problems = []
        for output in self.outputs:
            category = IGNORE_UNKNOWN if self.ignores_unknown else output
            response = testee.convert(self.payload, TEST_ALL_TYPES, output, category)
            problem = self.judge(response, output)
            if problem:
                form = "JSON" if output == JSON else "protobuf"
                problems.append(f"{self.name} -> {form}: {problem}")
        return problems

    def judge(self, response, output: int) -> str | None:
        result = response.WhichOneof("result")
        if self.expected is None:
            return None if result == "parse_error" else f"not refused: {str(response)[:300]}"
        if output == JSON and self.json_refused:
            return None if result == "serialize_error" else f"written: {str(response)[:300]}"
        if output == PROTOBUF:
            if result != "protobuf_payload":
                return f"no message: {response}"
            wanted = deterministic(self.expected)
            if response.protobuf_payload != wanted:
                return f"bytes {response.protobuf_payload.hex()} instead of {wanted.hex()}"
            return None
        if result != "json_payload":
            return f"no JSON: {response}"
        return compare_json(response.json_payload, self.expected)


def compare_json(text: str, message) -> str | None:
    """Compares JSON with what the second implementation writes: the same members and values, in any order."""
    wanted = json_format.MessageToDict(message, descriptor_pool=POOL)
    try:
        found = json.loads(text, object_pairs_hook=members_once)
    except ValueError as error:
        return f"not JSON ({error}): {text[:500]}"
    if same(found, wanted):
        return None
    return f"JSON {text[:600]} instead of {json.dumps(wanted)[:600]}"


def members_once(pairs: list) -> dict:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a member is there twice")
    return result


def same(left, right) -> bool:
    """Equal, a bool being no number and a number no string."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.copysign(1, left) == math.copysign(1, right) and (left == right or same_denormal(left, right))
    return type(left) is type(right) and left == right


def same_denormal(left: float, right: float) -> bool:
    """Python does not write the shortest digits of the smallest floats; all are right that read back the same."""
    return abs(left) < 1.2e-38 and struct.pack("<f", left) == struct.pack("<f", right)


def parse(data: bytes, kind=TestAllTypes):
    """What the second implementation reads; None when it refuses."""
    try:
        return kind.FromString(data)
    except (DecodeError, EncodeError, ValueError):
        return None
