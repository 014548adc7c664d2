"""The speeds that the codec is meant to reach, judged on the results of one run."""

SHAPES = ["mixed", "numbers", "strings", "maps", "nesting", "blob"]


def judge(results: dict) -> list[dict]:
    """Goals whose cases and peers were part of the run."""
    judged = []

    def ratio(case: str, peer: str, least: float) -> None:
        if peer in results.get(case, {}):
            found = results[case][peer]["ratio"]
            add(f"{case} at least {least} times as fast as {peer}", f"{found:.2f}", found >= least)

    def add(goal: str, measured: str, met: bool) -> None:
        judged.append({"goal": goal, "measured": measured, "met": met})

    ratio("mixed encode", "SwiftProtobuf", 7)
    ratio("mixed decode", "SwiftProtobuf", 3.5)
    ratio("mixed encode", "C++", 1.3)
    ratio("mixed decode", "C++", 1.0)
    if "mixed touch" in results and "mixed decode" in results:
        found = time(results, "mixed decode") / time(results, "mixed touch")
        add("mixed touch at least 8 times as fast as the full decode", f"{found:.2f}", found >= 8)
    for size in ("16 B", "1 KiB", "64 KiB"):
        if f"frame {size} decode" in results:
            found = time(results, f"frame {size} decode")
            add(f"frame {size} decode under 5 ns", f"{found:.2f} ns", found < 5)
    if "frame 64 KiB encode" in results:
        found = 1 / results["frame 64 KiB encode"]["memcpy"]["ratio"]
        add("frame 64 KiB encode within 1.1 of memcpy", f"{found:.2f}", found <= 1.1)
    for case in ("text 64 KiB encode", "text 64 KiB decode"):
        if case in results:
            found = results[case]["ours"]["bytes"] / time(results, case)
            add(f"{case} at least 2.2 GB/s", f"{found:.2f} GB/s", found >= 2.2)
    ratio("text 64 KiB encode", "Foundation", 2.5)
    allocations(results, add)
    return judged


def time(results: dict, case: str) -> float:
    return results[case]["ours"]["nanoseconds"]


def allocations(results: dict, add) -> None:
    counted = {case: result["ours"]["allocations"] for case, result in results.items()}
    frames = [count for case, count in counted.items() if case.startswith("frame") and count is not None]
    if frames:
        add("no allocation per frame", f"{max(frames):.2f}", max(frames) < 0.01)
    messages = [counted[case] for shape in SHAPES if counted.get(case := f"{shape} encode") is not None]
    if messages:
        add("at most one allocation per encoded message", f"{max(messages):.2f}", max(messages) < 1.01)
