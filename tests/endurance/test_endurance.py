"""The endurance run itself: that it can fail, and that a minute of it holds.

test_endurance.py judge|short|sabotage
"""
import json
import os
import signal
import subprocess
import sys
import threading
import xml.etree.ElementTree

import box
import plot
import samples
import tap
from initiator import have_fuse

HERE = os.path.dirname(os.path.abspath(__file__))
CANNOT, INTERRUPTED = 77, 130
HOUR, MIB = 3600, 1 << 20
USERS = {"reads": 1, "writes": 1, "flushes": 1, "slowest_s": 0.5}


def history(seconds, resident=lambda t: 50 * MIB, descriptors=lambda t: 100, registry=lambda t: 65536, wal=lambda t: 0, logs=lambda t: 0,
            pid=lambda t: 7, name="iscsi_driverd", threads=lambda t: 9):
    """A sample every six seconds, every tenth at rest."""
    return [{"at_s": t, "rest": t % 60 == 0, "registry": registry(t), "wal": wal(t), "logs": logs(t), "users": USERS,
             "programs": {name: {"pid": pid(t), "resident": int(resident(t)), "descriptors": descriptors(t), "threads": threads(t)}}}
            for t in range(0, seconds, 6)]


def held(past, what):
    found = [v for v in samples.judge(past) if what in v["what"]]
    assert found, (what, samples.judge(past))
    return all(v["held"] for v in found)


def judge(t):
    with t.case("what stays as it is, is flat; so is what warms up, jitters or drops"):
        assert all(v["held"] for v in samples.judge(history(2 * HOUR)))
        assert held(history(2 * HOUR, resident=lambda s: 50 * MIB + min(s, 900) * 20000), "memory")
        assert held(history(2 * HOUR, resident=lambda s: 50 * MIB + s * 7919 % 2000000), "memory")
        assert held(history(2 * HOUR, resident=lambda s: 50 * MIB - s * 1000), "memory")
    with t.case("a leak of a KiB a second is found within two hours, in half an hour of a small program"):
        assert not held(history(2 * HOUR, resident=lambda s: 50 * MIB + s * 1024), "memory")
        assert not held(history(HOUR // 2, resident=lambda s: 5 * MIB + s * 1024), "memory")
    with t.case("a leak is found in any life, and a new life may begin higher"):
        def lives(s):
            return 1 + s // 1800
        assert held(history(2 * HOUR, resident=lambda s: 50 * MIB + lives(s) * MIB * 9, pid=lives), "memory")
        assert not held(history(2 * HOUR, resident=lambda s: 50 * MIB + (s % 1800) * 9000 * (lives(s) == 2), pid=lives), "memory")
    with t.case("one descriptor more at rest is found, also from life to life; more while it works are none"):
        assert not held(history(600, descriptors=lambda s: 100 + (s > 400)), "descriptors")
        assert not held(history(600, descriptors=lambda s: 100 + s // 300, pid=lambda s: s // 300), "descriptors")
        assert held(history(600, descriptors=lambda s: 100 + (s % 60 != 0) * s), "descriptors")
    with t.case("a thread that comes and goes is none; one more in the end is found"):
        assert held(history(HOUR, name="iscsi_resolvd", threads=lambda s: 1 + s // 60 % 3 // 2), "threads")
        assert not held(history(HOUR, name="iscsi_resolvd", threads=lambda s: 1 + (s > 3000)), "threads")
        assert not held(history(HOUR, threads=lambda s: 9 + s // 60 % 3 // 2), "threads")
    with t.case("a registry that grows, its WAL and logs beyond their limits, are found"):
        assert not held(history(600, wal=lambda s: s * 20000), "WAL")
        assert not held(history(HOUR, registry=lambda s: 65536 + s * 400), "registry")
        assert not held(history(600, logs=lambda s: s * 40000), "logs")
    with t.case("the plot is one small XML document, whatever the length of the run"):
        faults = [{"kind": kind, "at_s": at} for at in range(0, 2 * HOUR, 20) for kind in ("target_killed", "driver_killed", "scanned")]
        for past in (history(2 * HOUR), history(60), []):
            text = plot.draw("2 < 3 & more", past, faults if past else [])
            assert xml.etree.ElementTree.fromstring(text).tag.endswith("svg")
            assert len(text) < 400000, len(text)


def run(name, *words, interrupt_s=None):
    """Its exit status, its report, what it said."""
    out = os.path.join(box.directory(), name)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENISW_BOX")}
    process = subprocess.Popen([sys.executable, os.path.join(HERE, "run"), "--sessions", "4", "--rate", "600", "--out", out] + list(words),
                               env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=box.die_with_parent)
    said = ""
    for line in process.stdout:
        said += line
        if interrupt_s and "sessions are online" in line:
            threading.Timer(interrupt_s, process.send_signal, [signal.SIGINT]).start()
    process.wait()
    if process.returncode == CANNOT:
        raise tap.Skip(said.strip())
    with open(os.path.join(out, "report.json")) as f:
        report = json.load(f)
    assert xml.etree.ElementTree.parse(os.path.join(out, "plot.svg"))
    return process.returncode, report, said


def short(t):
    with t.case("a minute of faults with 4 sessions holds", 280):
        code, report, said = run("short", "--minutes", "0.5", "--faults", "7")
        t.comment(said)
        assert code == 0 and report["held"], said
        kinds = {row["kind"] for row in report["faults"]}
        assert "driver_killed" in kinds and len(kinds) >= 5, kinds
        assert report["users"]["writes"] > 100, report["users"]


def sabotage(t):
    for what, verdict in (("byte", "every block of every disk"), ("descriptor", "descriptors of stand-in at rest")):
        with t.case("it fails where there is a wrong %s" % what, 200):
            code, report, said = run(what, "--minutes", "0.15", "--sabotage", what)
            missed = [v["what"] for v in report["verdicts"] if not v["held"]]
            assert code == 1 and any(verdict in m for m in missed), (missed, said)
            assert what == "byte" or len(missed) == 1, (missed, said)
    with t.case("interrupted, it ends in order, with its report", 200):
        code, report, said = run("interrupted", "--minutes", "10", interrupt_s=6)
        assert code == INTERRUPTED and report["interrupted"] and report["held"], said
        assert any("every block" in v["what"] for v in report["verdicts"]), said


def main():
    with tap.script() as t:
        if sys.argv[1] == "judge":
            judge(t)
            return
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        {"short": short, "sabotage": sabotage}[sys.argv[1]](t)


main()
