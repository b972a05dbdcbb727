#!/usr/bin/env python3
"""Tells whether anything that somebody wrote was lost, when writers and runs were at work at the same time.

    lineage.py [--only SYSTEM] TRIAL

TRIAL is a folder as for expected.py, with `writes`: JSON lines, one for each write of an outside writer, in the order in
which they happened, with the record as the writer saw it and as it left it. Every value that was ever written to a traced
field is unique, so that it tells who wrote it, and who had seen it. Exit code 0, or 1 with what is wrong, a line each.

What must hold, once the sides have settled:
- both sides are the same, but for records with an open conflict;
- every value written is still there, or was replaced or deleted by a writer who had seen it, or is on record in a conflict;
- no value is back at the side where a writer deleted it who had seen it, unless a conflict on record says why;
- every conflict is true: neither value's writer had seen the other's.

Where one side was put back from an older copy, only what was written at the other SYSTEM must not be lost.
"""

import json
import os
import sys

import places


def main():
    only = sys.argv[2] if sys.argv[1:2] == ["--only"] and len(sys.argv) == 4 else None
    if len(sys.argv) != (4 if only else 2):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    findings = judge(**read_trial(sys.argv[-1]), only=only)
    for finding in findings[:12]:
        print(finding)
    return 1 if findings else 0


def read_trial(folder):
    def read(name):
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            return file.read()

    said = json.loads(read("trial.json"))
    collections, traced = said["collections"], said["traced"]

    def known(record, collection):
        return places.normal(record, collections[collection]["fields"])

    def key(record, collection):
        return collection, places.identity(record, collections[collection]["key"])

    writes = []
    for line in map(lambda line: json.loads(line, parse_float=str), read("writes").split("\n")[:-1]):
        before, after = (known(line[when], line["collection"]) for when in ("before", "after"))
        if before != after:
            writes.append((key(before or after, line["collection"]), before, after, line["side"]))
    conflicts = []
    for one in json.loads(read("conflicts.json"), parse_float=str):
        sides = {side: known(one[side], one["collection"]) for side in ("source", "target")}
        at = key(known(one["key"], one["collection"]), one["collection"])
        conflicts.append(dict(sides, at=at, kind=one["kind"], fields=one["fields"], decision=one["decision"]))
    held = {place.partition(":")[0]: places.dump(place, collections) for place in said["sides"].values()}
    return {"held": held, "writes": writes, "conflicts": conflicts, "traced": traced}


def judge(held, writes, conflicts, traced, only=None):
    findings = []
    open_ones = {one["at"] for one in conflicts if one["decision"] == "open"}
    for at in sorted(set().union(*held.values())):
        one, other = (records.get(at) for records in held.values())
        if one != other and at not in open_ones:
            findings.append(f"the sides differ: {at} {one} {other}")
    for field in traced:
        findings += judge_field(field, held, writes, conflicts, only)
    return findings


def judge_field(field, held, writes, conflicts, only):
    there, written, seen, deleted, parent, recorded, explained = set(), {}, set(), set(), {}, set(), set()
    for side, records in held.items():
        there |= {(at, record[field], side) for at, record in records.items()}
    for at, before, after, side in writes:
        old, new = (None if record is None else record[field] for record in (before, after))
        if old is not None and old != new:
            seen.add((at, old))
        if old is not None and after is None:
            deleted.add((at, old, side))
        if new is not None and new != old:
            if (at, new) in written:
                raise SystemExit(f"a value was written twice: {field} {at} {new}")
            written[at, new] = side
            parent[at, new] = old
    for one in conflicts:
        values = [one[side][field] for side in ("source", "target") if one[side]]
        recorded |= {(one["at"], value) for value in values}
        if one["kind"] in ("delete/update", "join"):
            explained.add(one["at"])
    left = {(at, value) for at, value, _ in there} | seen | recorded
    lost = [value for value, side in written.items() if value not in left and only in (None, side)]
    returned = [(at, value) for at, value, _ in sorted(there & deleted)]
    returned = [value for value in returned if value not in recorded and value[0] not in explained]
    findings = []
    for what, values in (("lost without a trace", lost), ("a deleted value is back", [] if only else returned)):
        for value in values:
            findings.append(f"{field}: {what}: {value}{story(value[0], field, held, writes, conflicts)}")
    if only:
        return findings
    for one in conflicts:
        if field in one["fields"] and one["kind"] in ("update/update", "insert/insert"):
            source, target = one["source"][field], one["target"][field]
            if descends(parent, one["at"], source, target) or descends(parent, one["at"], target, source):
                findings.append(f"{field}: a false conflict: {one}")
    return findings


def story(at, field, held, writes, conflicts):
    """What happened to one record, a line each."""
    lines = [""]
    for place, before, after, side in writes:
        if place == at:
            seen, left = ("nothing" if record is None else record[field] for record in (before, after))
            lines.append(f"  written at {side}: {seen!r} -> {left!r}")
    for one in conflicts:
        if one["at"] == at:
            sides = {side: one[side] and one[side][field] for side in ("source", "target")}
            lines.append(f"  on record: {one['kind']} {one['decision']} {sides} {one['fields']}")
    there = {side: records[at][field] if at in records else "nothing" for side, records in held.items()}
    return "\n".join([*lines, f"  there: {there}"])


def descends(parent, at, value, ancestor):
    """Tells whether who wrote `value` had seen `ancestor`, or somebody who had."""
    while value is not None and value != ancestor:
        value = parent.get((at, value))
    return value is not None


if __name__ == "__main__":
    sys.exit(main())
