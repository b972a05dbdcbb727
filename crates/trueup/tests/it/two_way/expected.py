#!/usr/bin/env python3
"""Works out what a two-way run must lead to: a second opinion that shares no line with trueup.

    expected.py look TRIAL     before the run: writes down what both sides hold
    expected.py judge TRIAL    after it: tells whether both sides, and the conflicts on record, are what they must be
    expected.py know TRIAL     takes the conflicts on record as judged

TRIAL is a folder. Its `trial.json` names the sides, the collections and the rules; `conflicts.json` is what
`trueup conflicts list --json` said. The base lies beside them as JSON lines, and is this script's own: what it found both
sides to agree on, judgement after judgement. Exit code 0, or 1 with what is wrong, a line each.

The rules, as the documents have them. A record is compared field by field with what the sides agreed on last. What one side
changed is carried to the other. What both changed alike is agreed on. What both changed differently is a conflict, decided
field by field by a policy; where one field stays undecided the whole record stays as it is on both sides. A delete is
carried where the other side left the record alone; else the data is kept, unless deletes win, and it is a conflict. Where
it is not known what was agreed on, nothing is deleted: what one side has is copied, what differs is a conflict. To keep
both means that the source decides, and that the target's record is also there, under a key of its own.
"""

import json
import os
import sys

import places

UNKNOWN = "unknown"
SHOWN_MAX = 12


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("look", "judge", "know"):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    trial = Trial(sys.argv[2])
    findings = getattr(trial, sys.argv[1])() or []
    for finding in findings[:SHOWN_MAX]:
        print(finding)
    if len(findings) > SHOWN_MAX:
        print(f"and {len(findings) - SHOWN_MAX} more")
    return 1 if findings else 0


# --- the decision about one key


class Set(frozenset):
    """A JSON array of which only the elements are foretold, not their order."""


def reconcile(base, source, target, rules):
    """Returns the record that both sides must hold and the conflict, each None where there is none.

    A record is a dictionary of normal values, or None; `base` may also be UNKNOWN. Where a conflict stays open the
    record is OPEN: each side keeps its own.
    """
    if source == target:
        return source, None
    if source is None or target is None:
        return one_has_none(base, source, target, rules)
    agreed = base if isinstance(base, dict) else {}
    merged, fields, winners = {}, [], []
    for field, ours in source.items():
        theirs = target[field]
        if ours == theirs:
            merged[field] = ours
        elif field in agreed and agreed[field] == ours:
            merged[field] = theirs
        elif field in agreed and agreed[field] == theirs:
            merged[field] = ours
        else:
            winner, merged[field] = rules.decide(field, source, target)
            fields.append(field)
            winners.append(winner)
    if not fields:
        return merged, None
    kind = "join" if base == UNKNOWN else "insert/insert" if base is None else "update/update"
    return (OPEN if "open" in winners else merged), {"kind": kind, "fields": fields, "decision": sum_up(winners)}


OPEN = object()


def one_has_none(base, source, target, rules):
    holder, record = ("target", target) if source is None else ("source", source)
    if base == UNKNOWN or base is None:
        return record, None
    if base == record:
        return None, None
    changed = [field for field in record if record[field] != base[field]]
    decision = "delete" if rules.deletes_win else holder
    return (None if rules.deletes_win else record), {"kind": "delete/update", "fields": changed, "decision": decision}


def sum_up(winners):
    for whole in ("open", "keep-both"):
        if whole in winners:
            return whole
    return winners[0] if len(set(winners)) == 1 else "merge"


class Rules:
    """The rules of one collection."""

    def __init__(self, collection, fields, rules):
        self.fields = fields
        self.default = rules["collections"].get(collection, rules["default"])
        prefix = collection + "."
        self.single = {name[len(prefix) :]: rule for name, rule in rules["fields"].items() if name.startswith(prefix)}
        self.deletes_win = rules["on_delete"].get(collection, rules["on_delete"].get("", "keep")) == "wins"
        self.stamp = rules["stamp"].get(collection)

    def decide(self, field, source, target):
        """Returns who wins ("source", "target", "merge" or "open") and the value."""
        policy = self.single.get(field, self.default)
        if policy in ("max", "min"):
            winner = extreme(policy, self.fields[field], source[field], target[field])
        elif policy == "newest":
            winner = extreme("later", self.fields[self.stamp], source[self.stamp], target[self.stamp])
        elif policy == "set-union":
            return union(source[field], target[field])
        elif policy.startswith("cel:"):
            winner, value = EXPRESSIONS[policy](field, source, target)
            if winner == "merge":
                # A value that one side holds already is that side's.
                winner = {source[field]: "source", target[field]: "target"}.get(value, winner)
                return winner, value
        elif policy == "keep-both":
            return "keep-both", source[field]
        else:
            winner = {"source": "source", "target": "target", "manual": "open"}[policy]
        return winner, {"source": source, "target": target, "open": {field: None}}[winner][field]


def larger_quantity(_, source, target):
    ours, theirs = (record["qty"] and int(record["qty"]) for record in (source, target))
    if ours is None or theirs is None:
        return "open", None
    return ("source" if ours > theirs else "target"), None


def one_after_the_other(field, source, target):
    if source[field] is None or target[field] is None:
        return "open", None
    return "merge", source[field] + " / " + target[field]


# What the expressions mean that the rules use. An expression that fails leaves its conflict open.
EXPRESSIONS = {
    'cel:source.qty > target.qty ? "source" : "target"': larger_quantity,
    'cel:source_value + " / " + target_value': one_after_the_other,
}


def extreme(wanted, kind, ours, theirs):
    """Tells who has the larger or the smaller value. A value beats the lack of one; `later` needs both."""
    if ours is None or theirs is None:
        if wanted == "later" or ours == theirs:
            return "open"
        return "target" if ours is None else "source"
    order = places.ORDER.get(kind)
    if order is None or order(ours) == order(theirs):
        return "open"
    larger = "source" if order(ours) > order(theirs) else "target"
    if wanted == "min":
        return {"source": "target", "target": "source"}[larger]
    return larger


def union(ours, theirs):
    """Both are JSON texts in normal form. A set that has all of the other's elements is the union already."""
    read = [value and json.loads(value) for value in (ours, theirs)]
    if not all(isinstance(value, list) for value in read):
        return "open", None
    source, target = (Set(json.dumps(element, sort_keys=True) for element in value) for value in read)
    if source < target:
        return "target", theirs
    if target < source:
        return "source", ours
    return "merge", Set(source | target)


def fits(expected, found):
    """Tells whether a record is the one foretold."""
    if expected is None or found is None:
        return expected is found
    for field, value in expected.items():
        if isinstance(value, Set):
            elements = json.loads(found[field] or "null")
            if not isinstance(elements, list) or len(elements) != len(value):
                return False
            if value != {json.dumps(element, sort_keys=True) for element in elements}:
                return False
        elif found[field] != value:
            return False
    return True


# --- one run


class Trial:
    def __init__(self, folder):
        self.folder = folder
        with open(self.path("trial.json"), encoding="utf-8") as file:
            said = json.load(file)
        self.sides, self.rules, self.forgotten = said["sides"], said["rules"], said["forgotten"]
        self.collections = said["collections"]

    def path(self, name):
        return os.path.join(self.folder, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return {(line["collection"], line["key"]): line["record"] for line in map(json.loads, file)}

    def write(self, name, records):
        with open(self.path(name), "w", encoding="utf-8") as file:
            for (collection, key), record in sorted(records.items()):
                line = {"collection": collection, "key": key, "record": record}
                file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")

    def look(self):
        for side, place in self.sides.items():
            self.write(f"before.{side}", places.dump(place, self.collections))

    def judge(self):
        base = self.read("base") if os.path.exists(self.path("base")) else None
        before = {side: self.read(f"before.{side}") for side in self.sides}
        after = {side: places.dump(place, self.collections) for side, place in self.sides.items()}
        rules = {name: Rules(name, one["fields"], self.rules) for name, one in self.collections.items()}
        findings, conflicts, agreed = [], {}, {}
        seen = set().union(*before.values(), base or {})
        for identity in sorted(seen):
            old = UNKNOWN if base is None or self.forgotten else base.get(identity)
            source, target = (before[side].get(identity) for side in ("source", "target"))
            record, conflict = reconcile(old, source, target, rules[identity[0]])
            if conflict:
                conflicts[identity] = dict(conflict, source=source, target=target)
            for side, kept in (("source", source), ("target", target)):
                found = after[side].get(identity)
                expected = kept if record is OPEN else record
                if not fits(expected, found):
                    findings.append(f"{identity} at the {side}: {show(expected)} is expected, {show(found)} is there")
                    findings.append(f"  base {show(old)}, source {show(source)}, target {show(target)}")
            agreed[identity] = old if record is OPEN else after["source"].get(identity)
        findings += self.judge_copies(conflicts, seen, after)
        agreed.update((identity, record) for identity, record in after["source"].items() if identity not in seen)
        findings += self.judge_conflicts(conflicts)
        if not findings:
            self.write("base", {identity: record for identity, record in agreed.items() if record is not None})
        return findings

    def judge_copies(self, conflicts, seen, after):
        """Records under keys that nobody has chosen: those that keep-both keeps, each once, and no other."""
        copies = []
        for (collection, _), one in conflicts.items():
            if one["decision"] == "keep-both":
                copies.append((collection, self.without_key(collection, one["target"])))
        findings = []
        for identity in sorted(set().union(*after.values()) - seen):
            held = [after[side].get(identity) for side in ("source", "target")]
            copy = (identity[0], held[0] and self.without_key(identity[0], held[0]))
            if held[0] == held[1] and copy in copies:
                copies.remove(copy)
            else:
                findings.append(f"{identity} is there and nobody made it: {show(held)}")
        return findings + [f"not kept: {show(copy)}" for copy in copies]

    def without_key(self, collection, record):
        return {name: value for name, value in record.items() if name not in self.collections[collection]["key"]}

    def listed(self):
        with open(self.path("conflicts.json"), encoding="utf-8") as file:
            return {str(one["id"]): self.normal(one) for one in json.load(file, parse_float=str)}

    def know(self, listed=None):
        listed = listed or self.listed()
        with open(self.path("known.json"), "w", encoding="utf-8") as file:
            json.dump({number: self.turned(one) for number, one in listed.items()}, file)

    def known(self):
        if not os.path.exists(self.path("known.json")):
            return {}
        with open(self.path("known.json"), encoding="utf-8") as file:
            return {number: self.turned(one) for number, one in json.load(file).items()}

    def turned(self, one):
        """Between the runs the sides are kept in an order of their own: the user may name them either way round."""
        if self.sides["source"] < self.sides["target"]:
            return one
        decision = {"source": "target", "target": "source"}.get(one["decision"], one["decision"])
        return dict(one, source=one["target"], target=one["source"], decision=decision)

    def judge_conflicts(self, expected):
        """All that stay open must be on record as open, and of the others each once; nothing else, and nothing goes away."""
        listed, known, findings = self.listed(), self.known(), []
        for number, was in known.items():
            if number not in listed:
                findings.append(f"conflict {number} is not on record any more: {show(was)}")
            elif was["decision"] != "open" and listed[number] != was:
                findings.append(f"conflict {number} was {show(was)} and is {show(listed[number])}")
        left = dict(expected)
        for number, one in listed.items():
            was_open = known.get(number, {}).get("decision") == "open"
            if number in known and not was_open:
                continue
            identity = (one["collection"], one["key"])
            wanted = left.get(identity)
            if wanted and same_conflict(wanted, one):
                del left[identity]
            elif one["decision"] == "open" or not was_open and not (self.forgotten and one["unsure"]):
                # One that was open may have been closed because the sides agree by now.
                findings.append(f"conflict {number} on record: {show(one)}, expected {show(wanted)}")
        findings += [f"a conflict is not on record: {identity} {show(one)}" for identity, one in left.items()]
        if not findings:
            self.know(listed)
        return findings

    def normal(self, one):
        """A conflict as it was listed, with normal values."""
        collection = self.collections[one["collection"]]
        normal = {side: places.normal(one[side], collection["fields"]) for side in ("source", "target")}
        key = places.identity(places.normal(one["key"], collection["fields"]), collection["key"])
        rest = {name: one[name] for name in ("collection", "kind", "decision")}
        # Of a run that died before something was put back it may not be known whether it carried out what it recorded.
        rest["unsure"] = "not known" in (one.get("note") or "")
        return dict(rest, **normal, key=key, fields=sorted(one["fields"]))


def same_conflict(expected, listed):
    fields = sorted(expected["fields"]) == listed["fields"]
    return fields and all(expected[name] == listed[name] for name in ("kind", "decision", "source", "target"))


def show(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=lambda other: sorted(other))


if __name__ == "__main__":
    sys.exit(main())
