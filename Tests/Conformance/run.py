"""Protobuf conformance: asks the testee case by case and says what is wrong.

    .venv/bin/python Tests/Conformance/run.py [--filter TEXT] [--list] [TESTEE [ARGUMENT...]]

Speaks the public conformance protocol, so other testees can be asked too. Exit code 1 when a case fails.
"""

import argparse
import itertools
import sys

import binary_cases
import json_cases
from testee import Testee, TesteeEnded, default_command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filter", default="", help="only cases whose name contains this text")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("testee", nargs=argparse.REMAINDER, help="default: .build/debug/ConformanceTestee")
    arguments = parser.parse_args()
    cases = [
        case
        for case in itertools.chain(binary_cases.cases(), json_cases.cases())
        if arguments.filter in case.name
    ]
    if arguments.list:
        print("\n".join(case.name for case in cases))
        return 0
    return report(cases, arguments.testee or default_command())


def report(cases: list, command: list[str]) -> int:
    testee = Testee(command)
    failed = 0
    for case in cases:
        try:
            problems = case.check(testee)
        except TesteeEnded as error:
            problems = [f"{case.name}: {error}"]
            testee = Testee(command)
        failed += bool(problems)
        for problem in problems:
            print(f"FAILED {problem}")
    testee.close()
    checks = sum(len(case.outputs) for case in cases)
    print(f"conformance: {len(cases)} cases, {checks} checks, {failed} cases failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
