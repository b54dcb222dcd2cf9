"""The last of what an administrator stumbled over: what is said after a deletion, errors of units, outputs that cannot be mixed."""
import json
import os
import re

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import READS, Answer, Unit, check

NAME = "iqn.2001-04.com.example:finish"
BUSY = 0x08


def counted(made):
    """(text of a unit's row, its counts in JSON, its samples)"""
    line = next(line for line in made.command("iscsiutil", "-s", "-S", 0).out.split("Flushes")[1].splitlines() if "c0t0d1" in line)
    told = json.loads(made.command("iscsiutil", "-s", "-S", 0, "--json").out)["sessions"][0]["luns"]
    unit = next(lun for lun in told if lun["name"] == "c0t0d1")
    text = made.command("iscsiutil", "-s", "--metrics").out
    samples = dict(re.findall(r'^openisw_lun_(\w+)_total\{[^}]*lun="c0t0d1"\} (\d+)$', text, re.MULTILINE))
    return line.split()[1:], unit, {k: int(v) for k, v in samples.items()}


def errors(t, made, target):
    with t.case("section 2: what units failed, and sent again, is in the text, in JSON and in the metrics, and is the same"):
        answers = [Answer(BUSY), check(0x3, 0x11)]
        target.on_command = lambda c: answers.pop(0) if c.opcode in READS and c.lun[1] == 1 and answers else None
        made.command("insf", "-H", "255")
        field.read(made.disk("finish", 1)["rdsk"]).bad(20)
        target.on_command = lambda _: None
        row, unit, samples = counted(made)
        assert (unit["errors"], unit["retries"]) == (1, 1), unit
        for k, name in enumerate(("flushes", "discards", "errors", "retries")):
            assert int(row[k]) == unit[name] == samples[name], (name, row, unit, samples)
    with t.case("section 2: what each of these counts is told on request; a unit without any is left out with -z"):
        text = made.command("iscsiutil", "-s", "-S", 0, "-V").out
        assert "    Number of requests that failed, D/C/T: Requests of any kind" in text, text
        made.command("iscsiutil", "-c", "-S", 0)
        assert "Flushes" not in made.command("iscsiutil", "-s", "-S", 0, "-z").out
        target.on_command = lambda c: check(0x3, 0x11) if c.opcode in READS else None
        field.read(made.disk("finish", 1)["rdsk"]).bad(20)
        target.on_command = lambda _: None
        text = made.command("iscsiutil", "-s", "-S", 0, "-z").out.split("Flushes")[1]
        assert "c0t0d1" in text and "c0t0d0" not in text, text


def formats(t, made):
    with t.case("section 0, F6: an answer is JSON or OpenMetrics, never both"):
        for words in ((), ("-G",), ("-S",), ("-S", 0, "-C"), ("--http",), ("--output", os.path.join(box.directory(), "none"))):
            out = made.command("iscsiutil", "-s", "--metrics", *words, "--json", ok=(2,))
            assert out.out == "" and "exclude each other" in json.loads(out.err)["error"]["message"], out
        assert not os.path.exists(os.path.join(box.directory(), "none"))
        text = made.command("iscsiutil", "-s", "--metrics").out
        assert text.startswith("# TYPE openisw_") and text.endswith("# EOF\n") and "{\n" not in text


def deleted(t, made, target):
    at = ("-I", target.host, "-P", target.port)
    with t.case("section 2: after an address is deleted it is said that what was found through it stays, and it can be taken away so"):
        out = made.command("iscsiutil", "-d", *at)
        assert "1 operational target address that only %s,1 has named stays, with sessions and disks" % target.portal() in out.err, out
        assert "iscsiutil -d -T <target-name>" in out.err and out.out == "", out
        assert field.state(made, "finish") == "online"
        made.command("iscsiutil", "-d", "-T", NAME)
        assert made.request("target.list")["targets"] == []
        made.command("iscsiutil", "-a", *at)
        assert made.command("iscsiutil", "-d", *at).err == "", "nothing was found through it"


def gathered(made):
    """What iscsidiag puts into its file: {heading: its data}."""
    with open(json.loads(made.command("iscsidiag", "--json").out)["file"], encoding="utf-8") as f:
        return {s["title"]: s["data"] for s in json.load(f)["sections"]}


def diagnosis(t, made):
    with t.case("section 2: iscsidiag has what iradd has counted, and says where it does not run"):
        title = "RADIUS: what iradd has counted"
        assert gathered(made)[title] == {"running": False, "counters": None}
        made.start_daemon("iradd")
        told = gathered(made)[title]
        assert told["running"] and told["counters"]["asked"] == 0 and len(told["counters"]) > 6, told
        assert all(isinstance(v, int) for v in told["counters"].values()), told
    with t.case("section 2: iscsidiag has the initiator's lines of the system's log, and nobody else's"):
        if not box.isolated():
            raise tap.Skip("a log directory of its own needs a mount namespace of its own")
        logs = os.path.join(box.directory(), "logs")
        os.mkdir(logs)
        ours = ["Nov 29 00:00:01 host iscsi_driverd[7]: session 0: lost", "Nov 29 00:00:03 host iswd: is gone"]
        with open(os.path.join(logs, "syslog"), "w", encoding="utf-8") as f:
            f.write("\n".join([ours[0], "Nov 29 00:00:02 host cron[8]: not of iswd", ours[1], "Nov 29 00:00:04 host myiswd: x"]) + "\n")
        proc.run("mount", "--bind", logs, "/var/log")
        try:
            told = gathered(made)["The system's log, the end of what the initiator wrote"]
        finally:
            proc.run("umount", "/var/log")
        assert told["/var/log/syslog"] == ours, told


def nothing(t):
    """Scans in which nothing fails and nothing is found."""
    with FieldTarget([], name=NAME) as target, field.initiator(t) as made:
        def said():
            out = made.command("ioscan", "-H", "255")
            empty = json.loads(made.command("ioscan", "-H", "255", "--json").out)["scan"]["empty"]
            assert out.err == "".join("ioscan: %(what)s: %(why)s. Next: %(next)s.\n" % e for e in empty), (out, empty)
            return out.err
        with t.case("daemons, F12: a scan that asked nobody says so"):
            assert "no discovery target address is configured, and no target is known" in said()
        with t.case("daemons, F12: a scan says of which target it got no LUN, and of which portal no target"):
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            assert "%s at %s,1: the target has no LUN for this initiator" % (NAME, target.portal()) in said()
            target.targets[NAME].append(Unit(0))
            assert said() == ""
            target.targets.clear()
            made.command("iscsiutil", "-d", "-T", NAME)
            assert "%s,1: the portal offers this initiator no target" % target.portal() in said()


def main():
    with tap.script() as t:
        nothing(t)
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.world(t, target) as made:
            errors(t, made, target)
            formats(t, made)
            diagnosis(t, made)
            deleted(t, made, target)


main()
