#!/usr/bin/env python3
"""Draws the results of scale.sh (standard input) as an SVG: seconds, memory and growth against the change, a line for each tree.

    scale-plot.py FILE
"""

import math
import sys
from html import escape

PANELS = (("seconds", 3, 1), ("peak memory, MiB", 5, 1 / 1024), ("grew by, MB", 6, 1e-6))
COLOURS = {"tiu apply": "#0b6e4f", "engine": "#8fb8a8", "rsync": "#b5442e", "rsync in place": "#d9a08f"}
DASHES = ("", "6 3", "2 3")
WIDTH, HEIGHT, LEFT, TOP, GAP = 300, 240, 60, 40, 80

rows = [line.rstrip("\n").split("|") for line in sys.stdin if line.strip()]
sizes = sorted({int(row[0]) for row in rows})
changes = sorted({float(row[1]) for row in rows})
out = []


def text(x, y, words, anchor="middle", **more):
    extra = "".join(f' {key}="{value}"' for key, value in more.items())
    out.append(f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{extra}>{escape(words)}</text>')


for panel, (title, column, unit) in enumerate(PANELS):
    x0, y0 = LEFT + panel * (WIDTH + GAP), TOP
    values = [max(float(row[column]) * unit, 0.001) for row in rows]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)

    def across(change):
        return x0 + (changes.index(change) + 0.5) * WIDTH / len(changes)

    def up(value):
        return y0 + HEIGHT - (math.log10(max(value, 0.001)) - low) / (high - low) * HEIGHT

    text(x0 + WIDTH / 2, y0 - 12, title, style="font-weight:bold")
    out.append(f'<rect x="{x0}" y="{y0}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#999"/>')
    for power in range(low, high + 1):
        y = up(10**power)
        out.append(f'<line x1="{x0}" x2="{x0 + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        text(x0 - 6, y + 4, f"{10**power:g}", "end")
    for change in changes:
        text(across(change), y0 + HEIGHT + 16, f"{change:g} %")
    for dash, size in zip(DASHES * len(sizes), sizes):
        for tool, colour in COLOURS.items():
            points = sorted((float(r[1]), float(r[column]) * unit) for r in rows if int(r[0]) == size and r[2] == tool)
            path = " ".join(f"{across(change):.1f},{up(value):.1f}" for change, value in points)
            out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
            for change, value in points:
                out.append(f'<circle cx="{across(change):.1f}" cy="{up(value):.1f}" r="2.5" fill="{colour}"/>')
y = TOP + HEIGHT + 48
x = LEFT
for tool, colour in COLOURS.items():
    out.append(f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" stroke="{colour}" stroke-width="2"/>')
    text(x + 30, y, tool, "start")
    x += 150
for dash, size in zip(DASHES * len(sizes), sizes):
    out.append(f'<line x1="{x}" x2="{x + 24}" y1="{y - 4}" y2="{y - 4}" stroke="#333" stroke-width="2" stroke-dasharray="{dash}"/>')
    text(x + 30, y, f"{size:,} files", "start")
    x += 150
width = max(LEFT + len(PANELS) * (WIDTH + GAP), x)
with open(sys.argv[1], "w", encoding="utf-8") as file:
    file.write(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 20}" font-family="sans-serif" font-size="12">\n')
    file.write("\n".join(out) + "\n</svg>\n")
