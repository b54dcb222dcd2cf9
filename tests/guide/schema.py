"""doc/schema.json is what the commands' JSON is: each answer, in several states, is valid, and has no member that it does not tell.

The validator knows what the schema uses of JSON Schema: type, enum, properties, required, additionalProperties, items, $ref.
"""
import json
import os
import re

import field
import proc
import tap
from capfile import Capture
from fieldtgt import FieldTarget
from fieldunit import Unit

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCHEMA = os.path.join(TOP, "doc", "schema.json")
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
    running = Capture(made, "schema.pcapng")
    made.command("iscsiutil", "--relogin")
    yield "captured", {"capture": running.end()}
    yield "replayed", printed("iscsi-replay", running.path)
    for line in made.command("iscsiutil", "--events", "--json").out.splitlines():
        yield "event", json.loads(line)
    for line in made.command("iscsiutil", "--export", "--secrets").out.splitlines():
        yield "operation", json.loads(line)


def ways(made, target):
    """(tool, form, definition, words) of each way to write a command, in an order in which all of them work."""
    at = ("-I", target.host, "-P", target.port)
    by_hand, address = ("-T", NAME + ".by.hand"), ("-I", "192.0.2.1")
    unit = "255/0/0.0.0.0"
    gone = "255/0/0.0.0.1"
    yield from ((tool, form, name, words) for tool, form, name, *words in (
        ("iscsiutil", "driver", "driver", "/dev/isw"),
        ("iscsiutil", "initiator", "initiator", "-l", "-V"),
        ("iscsiutil", "add", "addresses", "-a", *address, "-I", "192.0.2.2"),
        ("iscsiutil", "add_addr", "addresses", "-a", *by_hand, *address, "-I", "192.0.2.2"),
        ("iscsiutil", "del", "addresses", "-d", *address),
        ("iscsiutil", "del_found", "addresses", "-d", "-I", "192.0.2.2", "--targets"),
        ("iscsiutil", "del_addr", "targets_removed", "-d", *by_hand, *address),
        ("iscsiutil", "del_name", "targets_removed", "-d", *by_hand),
        ("iscsiutil", "show", "targets", "-p", "-T", NAME),
        ("iscsiutil", "overview", "overview", "-o"),
        ("iscsiutil", "sessions", "sessions", "-p", "-S", 0, "-V"),
        ("iscsiutil", "conns", "sessions", "-p", "-S", 0, "-C"),
        ("iscsiutil", "nop", "round_trip", "-n", "-S", 0),
        ("iscsiutil", "scsi", "scsi", "--scsi", "inquiry", "--unit", unit),
        ("iscsiutil", "scsi_lun", "scsi", "--scsi", "pr-keys", "-S", 0, "--lun", 0),
        ("iscsiutil", "keys", "set", "-t", "bothdigest", "None", "CRC32C", "-T", NAME, "--now"),
        ("iscsiutil", "keys", "set", "-t", "NOPTimeout", 6),
        ("iscsiutil", "keys_unit", "set", "-t", "Failback", "immediate", "--unit", "c0t0d0"),
        ("iscsiutil", "keys", "set", "-t", "Filters", "stats", "delay=read:1ms", "-T", NAME),
        ("iscsiutil", "keys", "set", "-t", "bothdigest", "default", "-T", NAME),
        ("iscsiutil", "auth", "authentication_set", "-u", "--algorithms", "SHA-256,MD5", "-T", NAME, *at),
        ("iscsiutil", "auth", "authentication_set", "-u", "-N", "me", "-W", "short", "--now"),
        ("iscsiutil", "name", "initiator_set", "-i", "-N", "iqn.2001-04.com.example:me", "--now"),
        ("iscsiutil", "name", "initiator_set", "-i", "-N", "iqn.2001-04.com.example:me", "-A", "alias"),
        ("iscsiutil", "radius", "radius_set", "-u", "-R", "nas", "short", "radius.example.com"),
        ("iscsiutil", "slp", "slp_set", "-g", "-F", "a,b"),
        ("iscsiutil", "isns_add", "isns_changed", "-a", "--isns", *address, "-I", "2001:db8::7"),
        ("iscsiutil", "isns", "isns", "--isns"),
        ("iscsiutil", "isns_del", "isns_changed", "-d", "--isns", *address),
        ("iscsiutil", "isns_del", "isns_changed", "-d", "--isns", "-I", "2001:db8::7", "--targets"),
        ("iscsiutil", "level", "level_set", "-b", "err"),
        ("iscsiutil", "relogin", "renewed", "--relogin"),
        ("iscsiutil", "paths", "paths", "-m"),
        ("iscsiutil", "path_set", "path_set", "-m", "-S", 0, "restore"),
        ("iscsiutil", "stats", "statistics", "-s"),
        ("iscsiutil", "stats", "statistics", "/dev/isw", "-s", "-G"),
        ("iscsiutil", "stats_ssn", "statistics", "-s", "-S", 0),
        ("iscsiutil", "stats_con", "statistics", "-s", "-S", 0, "-C"),
        ("iscsiutil", "keys", "set", "-t", "Filters", "default", "-T", NAME),
        ("iscsiutil", "clear_ssn", "nothing", "-c", "-S", 0),
        ("iscsiutil", "clear", "nothing", "-c"),
        ("iscsiutil", "explain", "explanations", "--explain", "C12"),
        ("insf", "install", "installed", "-H", "255"),
        ("insf", "instance", "installed", "-C", "disk", "-I", 0),
        ("insf", "wait", "installed", "-H", unit, "--wait"),
        ("iscsiutil", "wait", "waited", "--wait", "c0t0d0"),
        ("ioscan", "scan", "scan", "-f", "--progress"),
        ("ioscan", "wait_path", "scan", "-H", unit, "--wait"),
        ("ioscan", "wait_target", "scan", "--target", NAME, "--wait"),
        ("ioscan", "wait_target", "tree", "-k", "--target", NAME, "--wait"),
        ("rmsf", "files", "removed", "c0t0d0"),
        ("rmsf", "path", "removed", "-H", gone),
        ("insf", "install", "installed", "-H", unit),
        ("rmsf", "all", "removed", "-a"),
        ("rmsf", "forget_path", "forgotten", "-x", "-H", gone),
        ("rmsf", "forget", "problem", "-x", "c0t0d0"),
        ("iscsiutil", "logout", "logged_out", "-d", "-S", 0),
        ("iscsiutil", "logout_name", "logged_out", "-d", "-S", "-T", NAME),
        ("iscsiutil", "logout_all", "logged_out", "-d", "-S", "--all"),
        ("iscsiutil", "clear_redirect", "problem", "-d", "-T", NAME, *at, "--redirect"),
    ))


# What prints lines of JSON, with --json or without, another format, or none.
LINES = {"iscsiutil": {"events", "export", "apply", "usage", "metrics_file", "metrics_http", "notify", "capture", "pr_helper"}}


def forms(tool):
    with open(os.path.join(TOP, "src", "tools", tool, "forms.def"), encoding="utf-8") as f:
        return set(re.findall(r"^FORM\((\w+),", f.read(), re.MULTILINE))


def changes(made, target, tried):
    """Each way to write a command, as it works; and then as it fails, where no driver is."""
    nowhere = os.path.join(made.dir, "nowhere")
    target.units.append(Unit(1, "B"))
    made.command("ioscan", "-H", "255")
    made.command("insf", "-H", "255")
    target.units.pop()
    made.command("ioscan", "-H", "255", ok=None)
    for tool, form, name, words in ways(made, target):
        tried.setdefault(tool, set()).add(form)
        out = made.command(tool, *words, "--json", ok=None)
        assert (out.out == "") == (name == "problem"), (tool, words, out)
        if out.out:
            yield name, json.loads(out.out)
        for line in out.err.splitlines():
            yield "problem", json.loads(line)
        for line in made.command(tool, *words, "--json", "--root", nowhere, ok=(3,)).err.splitlines():
            yield "problem", json.loads(line)
    wrong = (("iscsiutil", "-p", "-S", 99), ("iscsiutil", "-t", "nothing", 1), ("rmsf", "c9t9d9"), ("iscsiutil", "--nope"),
             ("iscsiutil", "--wait", "c9t9d9", "--limit", 0), ("iscsiutil", "--apply", "/nowhere"), ("ioscan", "-H", "x"))
    for words in wrong:
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


def programs(made):
    """(state, definition, value) of what runs: all of it, a part, nothing, and where nobody may look."""
    def status(code, name, command=("iscsi",), env=None):
        out = proc.run(*command, "status", "--json", env=env or made.env, ok=(code,)).out
        shown = json.loads(out)
        assert shown["status"] == name, (name, shown)
        return "with programs: " + name, "status", shown
    iscsi = made.program("iscsi")
    made.start_daemon("iscsi_resolvd")
    yield status(0, "running", (iscsi,))
    made.command("islpd", "-a")
    yield status(1, "part", (iscsi,))
    made.command("islpd", "-r")
    yield status(3, "stopped", (iscsi,), dict(made.env, OPENISW_ROOT=os.path.join(made.dir, "nowhere")))
    if os.geteuid() == 0:
        yield status(5, "unknown", ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", iscsi))


def sockets(made, target):
    """(state, definition, value) where disks are sockets that speak NBD."""
    made.command("iscsiutil", "-t", "Exporter", "nbd", "-T", NAME)
    made.command("ioscan", "-H", "255")
    out = json.loads(made.command("insf", "-H", "255", "--json").out)
    assert {d["exporter"] for d in out["devices"]} == {"nbd"} and all("nbd" in d for d in out["devices"]), out
    yield "with sockets", "installed", out
    for name, value in displays(made):
        yield "with sockets", name, value
    places = [node["nbd"] for node in made.tree("disk") if node.get("nbd")]
    assert len(places) == len(out["devices"]) and all(os.path.exists(p) for p in places), places
    made.command("iscsiutil", "-t", "Exporter", "default", "-T", NAME)
    yield "with sockets", "removed", json.loads(made.command("rmsf", "-a", "--json").out)


def looks(t, tried):
    """(state, definition, value) of all there is."""
    with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.initiator(t, held=True) as made:
        yield from programs(made)
        yield "with programs", "diagnosis", json.loads(made.command("iscsidiag", "--json").out)
        for state in states(made, target):
            for name, value in displays(made):
                yield state, name, value
        for name, value in changes(made, target, tried):
            yield "at the end", name, value
        yield from sockets(made, target)


def main():
    with tap.script() as t:
        with open(SCHEMA, encoding="utf-8") as f:
            validator = Validator(json.load(f))
        seen, tried, wrong = set(), {}, []
        with t.case("what the commands print as JSON is as the schema tells", limit=200):
            for state, name, value in looks(t, tried):
                seen.add(name)
                try:
                    validator.check(value, validator.definitions[name], name)
                except AssertionError as why:
                    wrong.append("%s: %s" % (state, why))
            assert not wrong, "\n".join(sorted(set(wrong)))
        with t.case("each way to write a command was tried, as it works and as it fails"):
            for tool in ("iscsiutil", "ioscan", "insf", "rmsf"):
                assert tried[tool] | LINES.get(tool, set()) == forms(tool), (tool, tried[tool] ^ forms(tool))
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
