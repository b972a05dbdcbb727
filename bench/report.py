"""The figures, as a table, as JSON and as a page of the documentation."""

import json
import os

COLUMNS = (
    ("job", "job", "<"),
    ("rows", "rows", ">"),
    ("flags", "trueup's options", "<"),
    ("trueup_s", "trueup s", ">"),
    ("against", "against", "<"),
    ("other_s", "its s", ">"),
    ("ratio", "ratio", ">"),
    ("memory_mib", "MiB", ">"),
    ("load", "load", ">"),
)


def cells(result):
    shown = dict(result)
    shown["rows"] = f"{result['rows']:,}"
    for name in ("trueup_s", "other_s", "ratio", "load"):
        shown[name] = f"{result[name]:.2f}"
    shown["memory_mib"] = f"{result['memory_mib']:.0f}"
    return [str(shown[name]) for name, _, _ in COLUMNS]


def table(results):
    lines = [[title for _, title, _ in COLUMNS]] + [cells(result) for result in results]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    shown = []
    for line in lines:
        parts = [f"{cell:{align}{width}}" for cell, width, (_, _, align) in zip(line, widths, COLUMNS)]
        shown.append("  ".join(parts).rstrip())
    return "\n".join(shown)


def markdown(results):
    lines = [" | ".join(title for _, title, _ in COLUMNS)]
    lines.append(" | ".join("---:" if align == ">" else "---" for _, _, align in COLUMNS))
    for result in results:
        cell = cells(result)
        lines.append(" | ".join(part.replace("|", "\\|") for part in cell))
    return "\n".join(f"| {line} |" for line in lines)


def save(path, machine, results):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"machine": machine, "results": results}, file, indent=1)
        file.write("\n")
    return path


PAGE = """# Benchmarks

How long trueup takes, beside what the systems' own tools take for the same on the same machine in the same minutes. Made by
`bench/run --write-docs`; nothing here is written by hand. What each job is: [bench/README.md](../bench/README.md).

{machine}

{table}

*ratio*: trueup's time over the other's, the median over pairs of runs that follow each other ({pairs}). Above 1,
trueup is slower. *MiB*: the most memory that trueup held. *load*: the highest load average (of one minute) at the
start of a run: above the number of cores, others were at work too, and times say little, ratios less than they could.

After each timed run, the engines' own clients compared what was made with what was to be made; a difference would have
ended the benchmark.
"""


def page(machine, results):
    about = (
        f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB of memory, {machine['system']}, "
        f"Linux {machine['kernel']}; PostgreSQL {machine['postgres']}, sqlite3 {machine['sqlite3']}"
    )
    for name, shown in (("mariadb", "MariaDB"), ("reladiff", "reladiff"), ("sling", "sling"), ("pgcopydb", "pgcopydb"), ("pgloader", "pgloader"), ("arrow", "ADBC and pyarrow")):
        if name in machine:
            about += f", {shown} {machine[name]}"
    about += f"; trueup {machine['trueup']}. {machine['date']}."
    pairs = sorted({result["pairs"] for result in results})
    pairs = " or ".join(str(count) for count in pairs) + (" pair" if pairs == [1] else " pairs")
    return PAGE.format(machine=about, table=markdown(results), pairs=pairs)
