"""The reference's own tests: it is no second opinion if it is wrong."""

import unittest

import expected
import lineage
import places

# b(ase), s(ource) and t(arget) as fields "n" (a number), "m" (a moment) and "j" (JSON); None is NULL, - is no record and
# ? is not known. The last two columns: what both sides must hold ("open": each keeps its own), and kind:fields:decision.
CASES = [
    # policy, base, source, target, record, conflict
    ("manual", "-", "-", "-", "-", ""),
    ("manual", "?", "1 a", "1 a", "1 a", ""),
    ("manual", "?", "1 a", "-", "1 a", ""),
    ("manual", "?", "-", "1 a", "1 a", ""),
    ("manual", "?", "1 a", "2 a", "open", "join:n:open"),
    ("source", "?", "1 a", "2 a", "1 a", "join:n:source"),
    ("max", "?", "1 b", "2 a", "2 b", "join:n,m:merge"),
    ("manual", "-", "1 a", "-", "1 a", ""),
    ("manual", "-", "1 a", "1 b", "open", "insert/insert:m:open"),
    ("target", "-", "1 a", "1 b", "1 b", "insert/insert:m:target"),
    ("manual", "1 a", "1 a", "1 a", "1 a", ""),
    ("manual", "1 a", "-", "-", "-", ""),
    ("manual", "1 a", "-", "1 a", "-", ""),
    ("manual", "1 a", "1 a", "-", "-", ""),
    ("manual", "1 a", "2 a", "-", "2 a", "delete/update:n:source"),
    ("manual", "1 a", "-", "2 b", "2 b", "delete/update:n,m:target"),
    ("target wins", "1 a", "2 a", "-", "-", "delete/update:n:delete"),
    ("target wins", "1 a", "1 a", "-", "-", ""),
    ("target wins", "?", "1 a", "-", "1 a", ""),
    ("manual", "1 a", "2 a", "1 a", "2 a", ""),
    ("source", "1 a", "1 a", "2 a", "2 a", ""),
    ("manual", "1 a", "2 a", "1 b", "2 b", ""),
    ("manual", "1 a", "2 a", "2 a", "2 a", ""),
    ("manual", "1 a", "2 b", "2 a", "2 b", ""),
    ("manual", "1 a", "2 a", "3 b", "open", "update/update:n:open"),
    ("source", "1 a", "2 a", "3 b", "2 b", "update/update:n:source"),
    ("target", "1 a", "2 b", "3 c", "3 c", "update/update:n,m:target"),
    ("keep-both", "1 a", "2 a", "3 b", "2 b", "update/update:n:keep-both"),
    ("max", "1 a", "9 a", "10 a", "10 a", "update/update:n:target"),
    ("min", "1 a", "9 a", "10 a", "9 a", "update/update:n:source"),
    ("max", "1 a", "None a", "2 a", "2 a", "update/update:n:target"),
    ("min", "1 a", "None a", "2 a", "2 a", "update/update:n:target"),
    ("newest", "1 a", "2 c", "3 b", "2 c", "update/update:n,m:source"),
    ("newest", "1 a", "2 b", "3 b", "open", "update/update:n:open"),
    ("newest", "1 a", "2 None", "3 b", "open", "update/update:n,m:open"),
    ("newest", "1 a", "2 b", "3 a", "2 b", "update/update:n:source"),
]


class Decisions(unittest.TestCase):
    def test_cases(self):
        for case in CASES:
            with self.subTest(case=case):
                self.check(*case)
                if case[0] != "keep-both":
                    self.check(*mirrored(case))

    def check(self, policy, base, source, target, record, conflict):
        rules = rules_of(policy)
        found, ruling = expected.reconcile(*map(record_of, (base, source, target)), rules)
        self.assertEqual("open" if found is expected.OPEN else found, record_of(record))
        self.assertEqual(ruling and f"{ruling['kind']}:{','.join(ruling['fields'])}:{ruling['decision']}" or "", conflict)

    def test_unions(self):
        cases = [
            ("[1]", "[2]", "merge", {"1", "2"}),
            ("[1, 2]", "[2]", "source", "[1, 2]"),
            ("[]", "[2]", "target", "[2]"),
            ("[1, 2]", "[2, 1]", "merge", {"1", "2"}),
            ("[1]", None, "open", None),
            ("[1]", '{"a": 1}', "open", None),
        ]
        for ours, theirs, winner, value in cases:
            self.assertEqual(expected.union(ours, theirs), (winner, value))

    def test_expressions(self):
        by_quantity, both = expected.EXPRESSIONS
        cases = [
            (by_quantity, ("9", "10"), "update/update:qty:target"),
            (by_quantity, ("10", "9"), "update/update:qty:source"),
            (by_quantity, ("10", None), "update/update:qty:open"),
            (both, ("9", "10"), "update/update:qty:merge"),
            (both, (None, "10"), "update/update:qty:open"),
        ]
        for policy, (ours, theirs), wanted in cases:
            found, ruling = expected.reconcile({"qty": "1"}, {"qty": ours}, {"qty": theirs}, rules_of(policy, "qty"))
            self.assertEqual(f"{ruling['kind']}:{','.join(ruling['fields'])}:{ruling['decision']}", wanted)
            if "merge" in wanted:
                self.assertEqual(found, {"qty": "9 / 10"})

    def test_rules_are_found(self):
        said = {
            "default": "manual",
            "collections": {"a": "max"},
            "fields": {"a.n": "source", "ab.m": "target"},
            "on_delete": {"": "wins", "a": "keep"},
            "stamp": {},
        }
        rules = expected.Rules("a", {}, said)
        self.assertEqual((rules.default, rules.single, rules.deletes_win), ("max", {"n": "source"}, False))
        rules = expected.Rules("b", {}, said)
        self.assertEqual((rules.default, rules.single, rules.deletes_win), ("manual", {}, True))


def mirrored(case):
    """The same case with the sides exchanged must end the same."""
    policy, base, source, target, record, conflict = case
    other = {"source": "target", "target": "source"}
    kind, _, rest = conflict.rpartition(":")
    conflict = f"{kind}:{other.get(rest, rest)}" if conflict else ""
    name, _, wins = policy.partition(" ")
    return f"{other.get(name, name)} {wins}", base, target, source, record, conflict


def rules_of(policy, of=None):
    name, _, wins = policy.partition(" ") if of is None else (policy, "", "")
    said = {"default": name, "collections": {}, "fields": {}, "on_delete": {"": wins or "keep"}, "stamp": {"c": "m"}}
    return expected.Rules("c", {"n": "number", "m": "moment"}, said)


def record_of(said):
    if said in ("-", "?", "open"):
        return {"-": None, "?": expected.UNKNOWN, "open": "open"}[said]
    number, moment = said.split(" ")
    return {"n": None if number == "None" else number, "m": None if moment == "None" else moment}


class Values(unittest.TestCase):
    def test_spellings(self):
        cases = [
            ("number", "1.10", 1.1, True),
            ("number", 100, "1e2", True),
            ("number", "1.10", "1.01", False),
            ("text", "a ", "a", False),
            ("moment", "2024-03-01T10:00:00+00:00", "2024-03-01 10:00:00", True),
            ("moment", "2024-03-01T12:00:00+02:00", "2024-03-01T10:00:00Z", True),
            ("moment", "2024-03-01 10:00:00.5", "2024-03-01 10:00:00.500000", True),
            ("bool", 1, True, True),
            ("bool", 0, True, False),
            ("json", '{"a": 1, "b": [2]}', {"b": [2], "a": 1}, True),
            ("json", "[1, 2]", [2, 1], False),
            ("float", 0.1, "0.1", True),
        ]
        for kind, one, other, same in cases:
            with self.subTest(kind=kind, one=one, other=other):
                self.assertEqual(places.NORMAL[kind](one) == places.NORMAL[kind](other), same)

    def test_a_set_has_no_order(self):
        wanted = {"j": expected.Set({"1", '"a"'})}
        self.assertTrue(expected.fits(wanted, {"j": '["a", 1]'}))
        for wrong in ('["a"]', '["a", 1, 2]', '["a", 1, 1]', None):
            self.assertFalse(expected.fits(wanted, {"j": wrong}))


class Lineage(unittest.TestCase):
    """Writes as "before after", both as values of the field; - is no record."""

    CASES = [
        # writes, source, target, conflicts as kind:source:target:decision, findings
        (["- 1"], "1", "1", [], []),
        (["- 1"], "-", "-", [], ["lost"]),
        (["- 1"], "1", "-", [], ["differ"]),
        (["- 1", "1 2"], "2", "2", [], []),
        (["- 1", "1 2", "1 3"], "3", "3", [], ["lost"]),
        (["- 1", "1 2", "1 3"], "3", "3", ["update/update:2:3:target"], []),
        (["- 1", "1 2", "1 3"], "2", "3", ["update/update:2:3:open"], []),
        (["- 1", "1 2", "1 3"], "2", "3", ["update/update:2:3:source"], ["differ"]),
        (["- 1", "1 2", "2 3"], "3", "3", ["update/update:2:3:target"], ["false"]),
        (["- 1", "1 2", "2 3", "3 4"], "4", "4", ["update/update:4:2:source"], ["false"]),
        (["- 1", "1 -"], "-", "-", [], []),
        (["- 1", "1 -"], "1", "1", [], ["back"]),
        (["- 1", "1 -", "- 2"], "2", "1", ["update/update:2:1:open"], []),
        (["- 1", "1 -", "- 2"], "1", "1", ["update/update:2:1:target"], []),
        (["- 1", "1 -", "1 2"], "2", "2", ["delete/update:-:2:target"], []),
        (["- 1", "1 -", "1 2"], "-", "-", [], ["lost"]),
        (["- 1", "1 -", "- 2"], "2", "2", [], []),
    ]

    def test_cases(self):
        for case in self.CASES:
            with self.subTest(case=case):
                self.check(*case)

    def check(self, writes, source, target, conflicts, words):
        at = ("c", "[1]")
        sides = (("sqlite", source), ("postgres", target))
        held = {side: {} if value == "-" else {at: {"n": value}} for side, value in sides}
        writes = [(at, *map(self.record, write.split(" ")), "sqlite") for write in writes]
        listed = []
        for one in conflicts:
            kind, ours, theirs, decision = one.split(":")
            sides = {"source": self.record(ours), "target": self.record(theirs)}
            listed.append(dict(sides, at=at, kind=kind, fields=["n"], decision=decision))
        findings = lineage.judge(held, writes, listed, ["n"])
        self.assertEqual(len(findings), len(words), findings)
        for finding, word in zip(findings, words):
            self.assertIn(word, finding)
        elsewhere = lineage.judge(held, writes, listed, ["n"], "postgres")
        self.assertEqual([finding for finding in elsewhere if "differ" not in finding], [])

    @staticmethod
    def record(value):
        return None if value == "-" else {"n": value}


if __name__ == "__main__":
    unittest.main()
