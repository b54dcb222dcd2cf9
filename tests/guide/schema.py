"""doc/schema.json is what the commands' JSON is: each answer, in several states, is valid, and has no member that it does not tell.

The validator knows what the schema uses of JSON Schema: type, enum, properties, required, additionalProperties, items, $ref.
"""
import json
import os

import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "schema.json")
NAME = "iqn.2001-04.com.example:schema"
KNOWN = {"$ref", "type", "enum", "properties", "required", "additionalProperties", "items", "description"}
TYPES = {"string": str, "boolean": bool, "object": dict, "array": list, "null": type(None)}


def is_of(value, kind):
    if kind in ("integer", "number"):
        return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


class Validator:
    def __init__(self, schema):
        self.definitions = schema["definitions"]

    def check(self, value, schema, where):
        assert set(schema) <= KNOWN, set(schema) - KNOWN
        if "$ref" in schema:
            schema = self.definitions[schema["$ref"].split("/")[-1]]
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        assert any(is_of(value, k) for k in kinds), "%s: %r is no %s" % (where, value, " or ".join(kinds))
        assert "enum" not in schema or value in schema["enum"], "%s: %r is none of %s" % (where, value, schema["enum"])
        if isinstance(value, dict):
            self.members(value, schema, where)
        for number, item in enumerate(value if isinstance(value, list) else ()):
            self.check(item, schema["items"], "%s[%d]" % (where, number))

    def members(self, value, schema, where):
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", False)
        missing = set(schema.get("required", ())) - set(value)
        assert not missing, "%s has no %s" % (where, ", ".join(sorted(missing)))
        for name, member in value.items():
            known = properties.get(name, more)
            assert known is not False, "%s has a member %s that the schema does not tell" % (where, name)
            self.check(member, known, "%s.%s" % (where, name))


def displays(made):
    """(definition, value) of each display as a program reads it."""
    def printed(*words):
        return json.loads(made.command(*words, "--json", ok=None).out)
    for name, *words in (("initiator", "iscsiutil", "-l"), ("driver", "iscsiutil", "/dev/iscsi"), ("discovery", "iscsiutil", "-pD"),
                         ("targets", "iscsiutil", "-pO"), ("sessions", "iscsiutil", "-pS"), ("overview", "iscsiutil", "-o"),
                         ("statistics", "iscsiutil", "-s"), ("tree", "ioscan", "-k"), ("scan", "ioscan"),
                         ("explanations", "iscsiutil", "--explain", "all")):
        yield name, printed(*words)
    yield "all", printed("iscsiutil", "-p")
    for line in made.command("iscsiutil", "--events", "--json").out.splitlines():
        yield "event", json.loads(line)
    for line in made.command("iscsiutil", "--export", "--secrets").out.splitlines():
        yield "operation", json.loads(line)


def changes(made):
    for name, *words in (("installed", "insf", "-H", "255"), ("removed", "rmsf", "-a"), ("renewed", "iscsiutil", "--relogin"),
                         ("round_trip", "iscsiutil", "-n", "-S", 0), ("set", "iscsiutil", "-t", "NOPTimeout", 6)):
        yield name, json.loads(made.command(*words, "--json").out)
    for words in (("iscsiutil", "-p", "-S", 99), ("iscsiutil", "-t", "nothing", 1), ("rmsf", "c9t9d9"), ("iscsiutil", "--nope")):
        for line in made.command(*words, "--json", ok=None).err.splitlines():
            yield "problem", json.loads(line)


def states(made, target):
    """What is done between two looks."""
    yield "with nothing configured"
    made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
    yield "with an address that was never asked"
    made.command("ioscan", "-H", "255")
    made.command("insf", "-H", "255")
    made.command("iscsiutil", "-u", "-H", "CHAP_BI", "-N", "me", "-W", "a-secret-of-ours", "-T", NAME)
    made.command("iscsiutil", "-t", "MaxRecvDataSegmentLength", 65536, "-T", NAME, "-I", target.host, "-P", target.port)
    yield "with a session online and disks"
    target.targets[NAME].pop()
    made.command("ioscan", "-H", "255", ok=None)
    yield "with a LUN that is gone"
    target.stop()
    proc.wait_for("the loss", lambda: field.state(made, "schema") != "online")
    yield "without the target"
    target.again()
    field.wait_online(made, "schema")


def looks(t):
    """(state, definition, value) of all there is."""
    with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.initiator(t) as made:
        for state in states(made, target):
            for name, value in displays(made):
                yield state, name, value
        for name, value in changes(made):
            yield "at the end", name, value


def main():
    with tap.script() as t:
        with open(SCHEMA, encoding="utf-8") as f:
            validator = Validator(json.load(f))
        seen, wrong = set(), []
        with t.case("what the commands print as JSON is as the schema tells", limit=200):
            for state, name, value in looks(t):
                seen.add(name)
                try:
                    validator.check(value, validator.definitions[name], name)
                except AssertionError as why:
                    wrong.append("%s: %s" % (state, why))
            assert not wrong, "\n".join(sorted(set(wrong)))
        with t.case("each display that the schema tells was looked at, and one fact has one shape"):
            used = set()

            def walk(schema):
                for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
                    if key == "$ref":
                        used.add(value.split("/")[-1])
                    elif isinstance(value, (dict, list)):
                        walk(value)
            walk(validator.definitions)
            assert set(validator.definitions) == seen | used, set(validator.definitions) ^ (seen | used)


main()
