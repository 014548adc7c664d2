"""Asks FrameCodecPeer and its peers for rounds of each case in turn, and compares. Started by scripts/benchmark-peers.

A ratio says how many times as fast as the peer we are: the peer's fastest round divided by ours. Rounds of all
programs alternate and count CPU time, so that what else the machine does hits all of them alike, and the fastest round
of each is the one that it disturbed least.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import goals
import picture

HERE = Path(__file__).resolve().parent
SHAPES = ["mixed", "numbers", "strings", "maps", "nesting", "blob"]
OPERATIONS = ["encode", "decode", "touch", "JSON encode", "JSON decode"]
FRAMES = [f"frame {size} {operation}" for size in ("16 B", "1 KiB", "64 KiB") for operation in ("encode", "decode")]
TEXT = ["text 64 KiB encode", "text 64 KiB decode"]
CASES = FRAMES + TEXT + [f"{shape} {operation}" for shape in SHAPES for operation in OPERATIONS]
OURS = "ours"


class Program:
    def __init__(self, command: list[str], counter: str):
        # Without it each run of a Swift program has another order of map entries.
        environment = os.environ | {"LD_PRELOAD": counter, "SWIFT_DETERMINISTIC_HASHING": "1"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen(command, env=environment, **pipes)
        if self.process.stdout.readline().strip() != "ready":
            raise SystemExit(f"error: {command[0]} did not start")

    def round(self, case: str) -> tuple[float, float | None, int | None] | None:
        """Nanoseconds, allocations and bytes of one operation; None when the program does not have the case."""
        self.process.stdin.write(case + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise SystemExit(f"error: {self.process.args[0]} ended in {case}")
        if answer == ["unknown"]:
            return None
        return float(answer[0]), *(None if word == "-" else float(word) for word in answer[1:])

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def measure(case: str, programs: dict[str, Program], rounds: int) -> dict:
    """Results of one case by program; `memcpy` is a case of FrameCodecPeer."""
    sources = {name: (program, case) for name, program in programs.items()}
    sources["memcpy"] = (
        programs[OURS], " ".join(case.split()[: 3 if case.startswith(("frame", "text")) else 1]) + " memcpy"
    )
    if "JSON" in case or case.endswith("touch") or case.startswith("frame") and case.endswith("decode"):
        del sources["memcpy"]
    samples: dict[str, list] = {name: [] for name in sources}
    for _ in range(rounds):
        for name, (program, program_case) in list(sources.items()):
            sample = program.round(program_case)
            if sample is None:
                del sources[name], samples[name]
            else:
                samples[name].append(sample)
    results = {}
    for name, found in samples.items():
        times = [sample[0] for sample in found]
        name = "Foundation" if name == "SwiftProtobuf" and case.startswith("text") else name
        results[name] = {
            "nanoseconds": min(times),
            "spread": statistics.median(times) / min(times) - 1,
            "allocations": found[-1][1],
            "bytes": found[-1][2],
        }
    for result in results.values():
        result["ratio"] = result["nanoseconds"] / results[OURS]["nanoseconds"]
    return results


def row(case: str, result: dict) -> str:
    ours = result[OURS]
    speed = f"{ours['bytes'] / ours['nanoseconds'] * 1000:9.0f}" if ours["bytes"] else f"{'-':>9}"
    allocations = "-" if ours["allocations"] is None else f"{ours['allocations']:.0f}"
    cells = []
    for peer in ("SwiftProtobuf", "C++", "C++ arena", "memcpy"):
        peer = "Foundation" if peer == "SwiftProtobuf" and "Foundation" in result else peer
        cell = f"{result[peer]['ratio']:.2f}x" if peer in result else "-"
        if peer in result and result[peer]["allocations"] is not None and peer != "memcpy":
            cell += f" ({result[peer]['allocations']:.0f})"
        cells.append(f"{cell:>18}")
    return f"{case:22} {ours['nanoseconds']:12.1f} {speed} {allocations:>7} {' '.join(cells)}"


def progress(text: str) -> None:
    """One line on a terminal, which the next one replaces; lines of their own elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def check(results: dict) -> list[tuple[str, str]]:
    """What misses its committed budget by more than the noise: case and problem."""
    budgets = json.loads((HERE / "budgets.json").read_text())
    problems = []
    for case, limits in budgets["ratios"].items():
        for peer, least in limits.items():
            if case in results and peer in results[case]:
                found, allowed = results[case][peer]["ratio"], least * (1 - budgets["noise"])
                if found < allowed:
                    budget = f"budget {least} less {budgets['noise']:.0%}"
                    problems.append((case, f"{found:.2f} times as fast as {peer}, {budget}"))
    for case, most in budgets["allocations"].items():
        found = results.get(case, {}).get(OURS, {}).get("allocations")
        if found is not None and found > most + 0.5 + most * budgets["allocation_noise"]:
            problems.append((case, f"{found:.1f} allocations, budget {most}"))
    return problems


def write_budgets(results: dict) -> None:
    """Commits to what was measured just now. Allocations of a whole run are exact but for growing caches."""

    def peers(case: str, result: dict) -> dict:
        # Only where copying is most of the work does its ratio say something.
        skipped = {OURS} if case in ("frame 64 KiB encode", "blob encode", "blob decode") else {OURS, "memcpy"}
        # C++ takes one to three times as long for the same JSON, as its heap happens to lie.
        skipped |= {"C++", "C++ arena"} if "JSON" in case else set()
        return {name: round(value["ratio"], 2) for name, value in result.items() if name not in skipped}

    budgets = {
        "noise": 0.25,
        "allocation_noise": 0.02,
        "ratios": {case: peers(case, result) for case, result in results.items() if peers(case, result)},
        "allocations": {case: round(result[OURS]["allocations"]) for case, result in results.items()},
    }
    (HERE / "budgets.json").write_text(json.dumps(budgets, indent=2) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ours", required=True, help="the built FrameCodecPeer")
    parser.add_argument("--swift", help="the built SwiftProtobufPeer")
    parser.add_argument("--cpp", help="the built C++ peer")
    parser.add_argument("--counter", required=True)
    parser.add_argument("--folder", required=True, help="for the messages")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--filter", default="")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write-budgets", action="store_true")
    parser.add_argument("--picture")
    arguments = parser.parse_args()

    programs = {OURS: Program([arguments.ours, arguments.folder], arguments.counter)}
    if arguments.swift:
        programs["SwiftProtobuf"] = Program([arguments.swift, arguments.folder], arguments.counter)
    if arguments.cpp:
        programs["C++"] = Program([arguments.cpp, arguments.folder, "heap"], arguments.counter)
        programs["C++ arena"] = Program([arguments.cpp, arguments.folder, "arena"], arguments.counter)
    cases = [case for case in CASES if arguments.filter in case]
    if not cases:
        raise SystemExit(f"error: no case's name contains {arguments.filter!r}")
    if not arguments.json:
        heads = ["SwiftProtobuf", "C++", "C++ arena", "memcpy"]
        print(f"{'case':22} {'ns':>12} {'MB/s':>9} {'allocs':>7} " + " ".join(f"{head:>18}" for head in heads))
    results = {}
    for index, case in enumerate(cases, 1):
        progress(f"{index} of {len(cases)}: {case}")
        results[case] = measure(case, programs, arguments.rounds)
        if not arguments.json:
            progress("")
            print(row(case, results[case]), flush=True)
    problems = check(results) if arguments.check else []
    # A busy machine can slow all rounds of one program down: what misses its budget is measured again.
    for case in sorted({case for case, _ in problems}):
        progress(f"again: {case}")
        results[case] = measure(case, programs, 2 * arguments.rounds)
    problems = check(results) if problems else []
    progress("")
    for program in programs.values():
        program.close()

    judged = goals.judge(results)
    if arguments.json:
        print(json.dumps({"cases": results, "goals": judged}, indent=2))
    else:
        print("\nColumns of peers: how many times as fast we are (their allocations). Goals:")
        for goal in judged:
            print(f"{'met    ' if goal['met'] else 'NOT MET'} {goal['goal']}: {goal['measured']}")
    if arguments.picture:
        Path(arguments.picture).write_text(picture.svg(results))
    if arguments.write_budgets:
        write_budgets(results)
    for case, problem in problems:
        print(f"over budget: {case}: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
