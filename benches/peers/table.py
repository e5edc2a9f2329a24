"""The results of one run as a Markdown table: each peer beside Cortana, as a ratio."""

import json
import sys

results = [json.loads(line) for line in sys.stdin if line.strip()]
ours = {(r["subject"], r["n"]): r["ns"] for r in results if r["peer"] == "cortana"}


def span(ns):
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns} ns"


print("| what | N | who | each | times ours |\n|---|--:|---|--:|--:|")
for r in sorted(results, key=lambda r: (r["subject"], r["n"], r["peer"] != "cortana")):
    base = ours.get((r["subject"], r["n"]))
    ratio = f"{r['ns'] / base:.3g}" if base else ""
    print(f"| {r['subject']} | {r['n']:,} | {r['peer']} | {span(r['ns'])} | {ratio} |")
