"""The ratios as a picture: one row for each case, one bar for each peer, on a logarithmic scale."""

import math
from html import escape

PEERS = {"SwiftProtobuf": "swift", "Foundation": "swift", "C++": "cpp", "C++ arena": "arena"}
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.faint { fill: #59636e } .line { stroke: #d1d9e0 } .one { stroke: #1f2328; stroke-width: 1.5 }
.swift { fill: #d9622b } .cpp { fill: #2f6fb5 } .arena { fill: #7fb3e0 } .ground { fill: #ffffff }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .faint { fill: #9198a1 } .line { stroke: #3d444d } .one { stroke: #e6edf3 }
  .ground { fill: #0d1117 } .swift { fill: #f08a5d } .cpp { fill: #4d94e0 } .arena { fill: #29588c }
}
""".strip()
LEFT, WIDTH, BAR, GAP, TOP = 170, 560, 11, 9, 64


def svg(results: dict) -> str:
    rows = [
        (case, [(peer, result[peer]["ratio"]) for peer in PEERS if peer in result])
        for case, result in results.items()
        if not case.startswith("frame")
    ]
    rows = [row for row in rows if row[1]]
    ratios = [ratio for _, bars in rows for _, ratio in bars]
    least = min(0.5, 2 ** math.floor(math.log2(min(ratios))))
    greatest = 2 ** math.ceil(math.log2(max(ratios)))

    def x(ratio: float) -> float:
        return LEFT + WIDTH * math.log(ratio / least) / math.log(greatest / least)

    body, y = [], TOP
    for case, bars in rows:
        height = len(bars) * BAR
        body.append(text(LEFT - 10, y + height / 2 + 4, case, anchor="end"))
        for index, (peer, ratio) in enumerate(bars):
            start, end = sorted((x(1), x(ratio)))
            top = y + index * BAR
            body.append(
                f'<rect class="{PEERS[peer]}" x="{start:.1f}" y="{top}" width="{max(end - start, 1):.1f}" '
                f'height="{BAR - 1}"/>'
            )
            body.append(text(max(end, x(1)) + 4, top + 9, f"{ratio:.1f}", "faint", size=10))
        y += height + GAP
    grid = []
    for power in range(round(math.log2(least)), round(math.log2(greatest)) + 1):
        at, name = x(2**power), f"{2**power:g}x"
        grid.append(
            f'<line class="{"one" if power == 0 else "line"}" x1="{at:.1f}" y1="{TOP - 6}" x2="{at:.1f}" y2="{y}"/>'
        )
        grid.append(text(at, TOP - 12, name, "faint", anchor="middle"))
    legend, at = [], LEFT
    for name, style in (
        ("SwiftProtobuf (text: Foundation)", "swift"), ("C++ protobuf", "cpp"), ("C++ with arena", "arena")
    ):
        legend.append(f'<rect class="{style}" x="{at}" y="26" width="11" height="11"/>' + text(at + 16, 36, name))
        at += 26 + 7 * len(name)
    title = text(LEFT, 16, "How many times as fast as the peer: right of the 1x line FrameCodec is faster")
    size = (LEFT + WIDTH + 60, y + 12)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
             f'width="{size[0]}" height="{size[1]}">',
             f"<style>{STYLE}</style>", f'<rect class="ground" width="{size[0]}" height="{size[1]}"/>',
             title]  # fmt: skip
    return "\n".join([*lines, *legend, *grid, *body, "</svg>"]) + "\n"


def text(x: float, y: float, content: str, style: str = "", anchor: str = "start", size: int = 12) -> str:
    css = f' class="{style}"' if style else ""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="font-size:{size}px"'
    return f"<text{css} {place}>{escape(content)}</text>"
