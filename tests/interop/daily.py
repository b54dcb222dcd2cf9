"""What an administrator does every day, in one command each: several addresses, waiting, forgetting, applying, looking."""
import json
import os
import re
import resource
import subprocess
import threading

import field
import proc
import tap
from fieldtgt import DROP, FieldTarget, Later
from fieldunit import READS, Unit, check
from initiator import have_loop

NAME = "iqn.2001-04.com.example:daily"
MIB = 1 << 20
OTHERS = ["192.0.2.%d" % n for n in (1, 2, 3)]


def many(addresses):
    return [word for a in addresses for word in ("-I", a)]


def addresses(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)

    def known():
        return [a["address"] for a in made.request("discovery.list")["targets"]]
    with t.case("several discovery addresses are added by one command, and each is named"):
        out = util("-a", *many(OTHERS))
        assert known()[-3:] == OTHERS and all("%s:3260,1 is a discovery target address" % a in out.err for a in OTHERS), out
        assert util("-a", "-I", "192.0.2.9").err == ""
    with t.case("one that is there already keeps no other back, and the status says that part of it is done"):
        out = util("-a", *many(["192.0.2.1", "192.0.2.8"]), ok=(4,))
        assert "192.0.2.1:3260,1 is a discovery target address already" in out.err and known()[-1] == "192.0.2.8", out
        assert util("-a", *many(["192.0.2.1", "192.0.2.8"]), ok=None).code == 7
        util("-a", *many(["192.0.2.1", "192.0.2.8"]), "--if-absent")
    with t.case("JSON names each, in the shape that one address has, too"):
        shown = json.loads(util("-d", *many(["192.0.2.8", "192.0.2.9"]), "--json").out)
        assert shown == {"addresses": [{"address": a, "port": 3260, "tpgt": 1, "addresses_kept": 0} for a in ("192.0.2.8", "192.0.2.9")]}, shown
        shown = json.loads(util("-d", "-I", "192.0.2.3", "--json").out)
        assert shown == {"addresses": [{"address": "192.0.2.3", "port": 3260, "tpgt": 1, "addresses_kept": 0}]}, shown
        out = util("-d", *many(["192.0.2.8", "192.0.2.2"]), "--json", ok=(4,))
        assert [a["address"] for a in json.loads(out.out)["addresses"]] == ["192.0.2.2"], out
        assert json.loads(out.err)["error"]["code"] == "NOTFOUND", out
    with t.case("so are addresses of an operational target, with a port that counts for all"):
        util("-a", "-T", NAME, *many(OTHERS), "-P", 5001)
        there = made.request("target.list", name=NAME)["targets"][0]["addresses"]
        assert [(a["address"], a["port"]) for a in there if a["port"] == 5001] == [(a, 5001) for a in OTHERS], there
        out = util("-d", "-T", NAME, *many(OTHERS[:2]), "-P", 5001)
        assert all("%s at %s:5001,1 is deleted" % (NAME, a) in out.err for a in OTHERS[:2]), out
        out = util("-d", "-T", NAME, *many(OTHERS), "-P", 5001, ok=(4,))
        assert out.err.count("has no address") == 2, out
    with t.case("an option that takes one value takes no second one"):
        out = util("-t", "NOPTimeout", 5, *many(OTHERS), ok=(2,))
        assert "-I is given twice" in out.err, out
    with t.case("sessions of several addresses are logged out"):
        util("-d", "-S", "-T", NAME, *many([target.host, "192.0.2.1"]))
        assert field.state(made, "daily") == "offline"
        made.command("ioscan", "--target", NAME)
    util("-d", *many(OTHERS[:1]))


def begin(made, *words):
    return subprocess.Popen([made.program(words[0]), *map(str, words[1:])], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=made.env)


def end(p, code=0):
    out, err = p.communicate(timeout=50)
    assert p.returncode == code, (p.returncode, out, err)
    return out, err


def waiting(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    made.command("insf", "-H", "255")
    with t.case("what is there is not waited for: by name, device file, hardware path and target"):
        for word in ("c0t0d0", "/dev/dsk/c0t0d0", made.disk("daily", 1)["rdsk"], "255/0/0.0.0.1", "255/0/0", "255", NAME.upper()):
            out = util("--wait", word)
            assert (out.out, out.err) == ("", ""), (word, out)
        shown = json.loads(util("--wait", NAME, "--json").out)
        assert dict(shown, waited_ms=0) == {"what": NAME, "is_there": True, "units": 2, "waited_ms": 0, "why": None}, shown
    with t.case("what does not come in time has a status of its own, and is told with the reason"):
        for word, why in (("c9t9d9", "no device has this name"), ("255/0/9.0.0.1", "nothing is at this hardware path"),
                          (NAME + ".not", "it has no session: ioscan opens them")):
            out = util("--wait", word, "--limit", 0, ok=(11,))
            assert "%s is not there after 0 s: %s. Next: " % (word, why) in out.err, out
        error = json.loads(util("--wait", "c9t9d9", "--limit", 1, "--json", ok=(11,)).err)["error"]
        assert error["code"] == "TIMEOUT" and error["what"] == "c9t9d9" and error["waited_ms"] >= 1000, error
        script = "iscsiutil --wait c0t0d0; echo there; iscsiutil --wait c9t9d9 --limit 0; echo not"
        out = proc.run("sh", "-ec", script, env=made.env, ok=(11,))
        assert out.out == "there\n", out
        made.command("rmsf", "c0t0d1")
        assert "insf makes them" in util("--wait", "c0t0d1", "--limit", 0, ok=(11,)).err
    with t.case("a device that is not installed yet is there when its files are"):
        p = begin(made, "iscsiutil", "--wait", "c0t0d1")
        made.command("insf", "-H", "255")
        end(p)
        assert os.path.exists(made.path("dev/rdsk/c0t0d1"))
    with t.case("a disk that is claimed, and whose session logs in again, takes no I/O now"):
        trying, go = threading.Event(), threading.Event()

        def slow(_):
            trying.set()
            return Later(go)
        target.on_login = slow
        target.hang_up()
        assert trying.wait(20)
        proc.wait_for("the loss", lambda: field.state(made, "daily") == "transient")
        assert made.disk("daily", 0)["sw_state"] == "CLAIMED"
        for word in ("c0t0d0", "255/0/0", NAME):
            out = util("--wait", word, "--limit", 0, ok=(11,))
            assert "session 0 is transient" in out.err, out
        p = begin(made, "iscsiutil", "--wait", "c0t0d0")
        target.on_login = lambda _: None
        go.set()
        end(p)
    with t.case("a disk whose target is away is there again as soon as it takes I/O"):
        util("-t", "ReplacementTimeout", 1)
        util("--relogin")
        target.stop()
        proc.wait_for("its loss", lambda: made.disk("daily", 0)["sw_state"] == "NO_HW")
        late = util("--wait", "/dev/rdsk/c0t0d0", "--limit", 0, ok=(11,))
        assert "c0t0d0 is not there after 0 s: session 0 is " in late.err, late
        heard = []
        waiter = threading.Thread(target=lambda: heard.append(made.request("device.wait", 60, name="c0t0d0", seconds=50)), daemon=True)
        p = begin(made, "iscsiutil", "--wait", "255/0/0.0.0.0", "--limit", 50)
        told = threading.Event()
        other = threading.Thread(target=lambda: made.request("device.wait", 60, lambda p: told.set(), target=NAME, seconds=50), daemon=True)
        for thread in (waiter, other):
            thread.start()
        assert told.wait(20), "nothing was told while it is waited for"
        assert not heard and p.poll() is None
        target.again()
        end(p)
        for thread in (waiter, other):
            thread.join(20)
        assert heard and heard[0]["is_there"] and heard[0]["units"] == 1, heard
        field.read(made.disk("daily", 0)["rdsk"]).good(10)
        util("-t", "ReplacementTimeout", "default")
        util("--relogin")
    with t.case("insf waits until the unit that it is to make files for is there"):
        p = begin(made, "insf", "-H", "255/0/0.0.0.2", "--wait", 50)
        target.units.append(Unit(2, "C"))
        made.command("ioscan", "--target", NAME)
        out, _ = end(p)
        assert "insf: Installing special files for sdisk instance 2 address 255/0/0.0.0.2" in out, out
        out = made.command("insf", "-H", "255/0/0.0.0.3", "--wait", 0, ok=(11,))
        assert "255/0/0.0.0.3 is not there" in out.err, out
        assert made.command("ioscan", "-k", "-H", "255/0/0.0.0.2", "--wait").code == 0
        assert made.command("ioscan", "-k", "-H", "255/0/0.0.0.3", "--wait", 0, ok=None).code == 11
        assert "needs" in made.command("ioscan", "--wait", ok=(2,)).err


def forgetting(t, made, target):
    def rmsf(*words, **how):
        return made.command("rmsf", *words, **how)

    def units():
        return {n["lun"]: n["sw_state"] for n in made.tree("disk")}
    there = made.disk("daily", 2)
    with t.case("a unit that is there is not forgotten, nor one that is gone and in use"):
        assert "is there: only what is gone can be forgotten" in rmsf("-x", "c0t0d2", ok=(8,)).err
        fd = os.open(there["rdsk"], os.O_RDONLY)
        gone = target.units.pop()
        made.request("scan", 60)
        assert units() == {0: "CLAIMED", 1: "CLAIMED", 2: "NO_HW"}, units()
        out = rmsf("-x", "c0t0d2", ok=(8,))
        assert "1 disk is in use" in out.err and "c0t0d2" in out.err, out
        assert made.disk("daily", 2)["rdsk"] == there["rdsk"] and os.path.lexists(there["rdsk"])
        os.close(fd)
    with t.case("rows that name no whole unit are refused, and what is not known is told"):
        for words in (("-x",), ("-x", "-a"), ("-x", "--force", "c0t0d2"), ("-x", "-H", "255/0/0"), ("-x", "-H", "what"),
                      ("-x", "/etc/passwd")):
            assert rmsf(*words, ok=None).code == 2, words
        for words in (("-x", "c9t9d9"), ("-x", "-H", "255/0/0.0.0.7")):
            assert "is not known" in rmsf(*words, ok=(6,)).err, words
    with t.case("a unit that is gone is forgotten by itself, and it is said what is lost"):
        out = rmsf("-x", "-H", there["hw_path"])
        assert out.out == "rmsf: Forgetting c0t0d2 address 255/0/0.0.0.2: its special files, disk instance 2, and that it was " \
            "%s of %.1f MiB\n" % (there["designator"], there["size_bytes"] / MIB), out
        assert units() == {0: "CLAIMED", 1: "CLAIMED"}, units()
        for path in (there["rdsk"], there["dsk"], there["file"]):
            assert not os.path.lexists(path), path
        assert rmsf("-x", "c0t0d2", ok=None).code == 6
        told = [json.loads(line) for line in made.command("iscsiutil", "--events", "--json").out.splitlines()]
        assert "device.forget hw_path=255/0/0.0.0.2" in told[-1]["text"], told[-1]
    with t.case("it stays forgotten over a restart, and another unit in its place is a new one"):
        made.driver.kill()
        made.restart_driver()
        made.request("scan", 60)
        assert units() == {0: "CLAIMED", 1: "CLAIMED"}, units()
        target.units.append(Unit(2, "another"))
        made.command("ioscan", "--target", NAME)
        assert "c0t0d2" not in made.command("ioscan", "--target", NAME).err
        made.command("insf", "-H", "255/0/0.0.0.2")
        new = made.disk("daily", 2)
        assert new["designator"] != there["designator"] and new["instance"] == 2, new
        field.read(new["rdsk"]).good(10)
    with t.case("JSON says what is lost; of a unit that has no device files, too"):
        made.command("rmsf", "c0t0d2")
        target.units.pop()
        made.request("scan", 60)
        lost = json.loads(rmsf("-x", "-H", "255/0/0.0.0.2", "--json").out)
        assert lost == {"forgotten": [{"name": "c0t0d2", "hw_path": "255/0/0.0.0.2", "class": "disk", "instance": 2,
                                       "unit": new["designator"], "size_bytes": new["size_bytes"], "was_installed": False}]}, lost
    target.units.append(gone)
    made.request("scan", 60)
    made.command("insf", "-H", "255")


def row(shown, unit):
    """The cells of a unit's line, and the lines that stand below it."""
    lines = shown.splitlines()
    at = next(k for k, line in enumerate(lines) if line.startswith(unit + " "))
    below = []
    for line in lines[at + 1:]:
        if not line.startswith("     "):
            break
        below.append(line.strip())
    return re.split(r" {2,}", lines[at]), below


def mounted(made, disk):
    """Where a file system of this disk is mounted, if that can be here."""
    if not have_loop():
        return None
    point = os.path.join(made.dir, "mnt")
    os.makedirs(point)
    proc.run("mkfs.ext4", "-q", disk["dsk"])
    proc.run("mount", disk["dsk"], point)
    # Displays take what was found within the last second.
    proc.wait_for("the mount to be seen", lambda: made.disk("daily", 0)["in_use"])
    return point


def overview(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    disk = made.disk("daily", 0)
    for part in ("read", "read", "write"):
        field.Io(disk["rdsk"], part, data=field.block("x") if part == "write" else b"").good(10)
    target.on_command = lambda c: check(0x3, 0x11, 0x00) if c.opcode in READS and c.lun[1] == 1 else None
    field.read(made.disk("daily", 1)["rdsk"]).bad(10)
    target.on_command = lambda _: None
    point = mounted(made, disk)
    with t.case("the overview has I/O, its time, who uses a disk, and its last trouble, in 80 columns"):
        shown = field.terminal(made, 80, "iscsiutil", "-o")
        assert all(len(line) < 80 for line in shown.splitlines()), shown
        assert "H/W Path       Device   S/W State      Size    I/O     Mean  Used By" in shown, shown
        cells, below = row(shown, "255/0/0.0.0.0")
        assert int(cells[4]) >= 3 and re.fullmatch(r"[\d.]+ [um]s", cells[5]), cells
        assert point is None or point.endswith(cells[6].lstrip(".")) and cells[6], (point, cells)
        cells, below = row(shown, "255/0/0.0.0.1")
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d: .*READ", below[0]), below
        assert "unrecovered read error" in " ".join(below), below
    with t.case("with 120 columns it has all of it, and on a narrower terminal where that is asked for"):
        wide = field.terminal(made, 120, "iscsiutil", "-o")
        assert all(len(line) < 120 for line in wide.splitlines()), wide
        cells, _ = row(wide, "255/0/0.0.0.1")
        assert cells[8] == "1" or cells[9] == "1", cells
        for shown in (wide, field.terminal(made, 80, "iscsiutil", "-o", "--wide"), util("-o").out):
            assert re.search(r"Size +Block +I/O +Bytes +Mean +Worst +Errors +Used By", shown), shown
        assert NAME in field.terminal(made, 30, "iscsiutil", "-o", "--wide")
    with t.case("JSON has all that is known of each unit, and the statistics' own numbers"):
        all_of = json.loads(util("-o", "--json").out)
        units = {u["hw_path"]: u for u in all_of["units"]}
        assert [u["hw_path"] for u in all_of["units"]] == [n["hw_path"] for n in all_of["nodes"] if "lun" in n], all_of
        luns = {lun["lun"]: lun for s in made.request("stats.get", sessions=True)["sessions"] for lun in s.get("luns", [])}
        assert units["255/0/0.0.0.1"]["io"] == luns[1] and luns[1]["errors"] == 1, units
        assert units["255/0/0.0.0.1"]["last_trouble"]["id"] == "OPENISW_LOG_IO_FAILED", units
        assert units["255/0/0.0.0.0"]["used_by"] == ([] if point is None else ["mounted at " + point]), units
    with t.case("who may not read events sees all but the trouble"):
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        out = proc.run(made.program("iscsiutil"), "-o", env=made.env, user="nobody")
        assert row(out.out, "255/0/0.0.0.1")[1] == [] and out.err == "", out
    with t.case("--watch has what came meanwhile, a second, and the mean of that time"):
        p = begin(made, "iscsiutil", "-o", "--watch", 1)
        stop = threading.Event()

        def load():
            while not stop.is_set():
                field.read(disk["rdsk"]).good(10)
        loading = threading.Thread(target=load)
        loading.start()
        try:
            lines = []
            while sum("I/O/s" in line for line in lines) < 2:
                lines.append(p.stdout.readline())
                assert lines[-1], lines
        finally:
            stop.set()
            loading.join()
            p.kill()
            p.communicate()
        first, again = "".join(lines).split("I/O/s")[:2]
        assert " I/O " in first and "Bytes/s" in again, lines
        cells, _ = row(again, "255/0/0.0.0.0")
        assert any(c not in ("0", "0.0", "-") for c in cells[4:7]), cells
    if point:
        proc.run("umount", point)


def counts_now(t):
    """Two targets, so two sessions; what is configured counts at once."""
    other = NAME + ".b"
    with FieldTarget([Unit(0)], name=NAME) as target:
        target.targets[other] = [Unit(0, "b")]
        with field.world(t, target) as made:
            def util(*words, **how):
                return made.command("iscsiutil", *words, **how)

            def states():
                return [s["state"] for s in made.request("session.list")["sessions"]]
            made.command("insf", "-H", "255")
            with t.case("--now: one session after the other logs in with it, and held I/O goes on"):
                answered, came = threading.Event(), threading.Event()

                def hold(command):
                    if command.opcode not in READS:
                        return None
                    came.set()
                    return Later(answered)
                target.on_command = hold
                reading = field.read(made.disk("daily", 0)["rdsk"])
                assert came.wait(20)
                target.on_command = lambda _: None
                logins, trying, go = target.logins, threading.Event(), threading.Event()

                def slow(_):
                    trying.set()
                    return Later(go)
                target.on_login = slow
                p = begin(made, "iscsiutil", "-t", "NOPInterval", 7, "--now")
                assert trying.wait(20)
                assert sorted(states()) == ["online", "transient"], states()
                target.on_login = lambda _: None
                go.set()
                _, err = end(p)
                assert [re.sub(r"\D", "", line) for line in err.splitlines()] == ["0", "1"] and "next login" not in err, err
                assert target.logins == logins + 2 and states() == ["online"] * 2, states()
                answered.set()
                reading.good(10)
            with t.case("--now again does nothing; it reaches what an earlier change has not reached, and its own scope alone"):
                logins = target.logins
                out = util("-t", "NOPInterval", 7, "--now")
                assert "every session that this concerns is logged in with it" in out.err and target.logins == logins, out
                assert "next login" in util("-t", "NOPInterval", 8).err
                assert "session 1 is logged in" in util("-t", "NOPInterval", 8, "-T", other, "--now").err
                assert target.logins == logins + 1
                out = util("-t", "NOPInterval", 8, "--now")
                assert "session 0 is logged in" in out.err and "session 1" not in out.err and target.logins == logins + 2, out
                at = ["-T", other, "-I", target.host, "-P", target.port]
                shown = json.loads(util("-u", "-N", "me", *at, "--now", "--json").out)
                assert shown["sessions"] == [{"instance": 1, "target_name": other, "error": None, "next": None}], shown
                assert json.loads(util("-u", "-N", "me", *at, "--now", "--json").out)["sessions"] == []
                assert "every session" in util("-t", "NOPInterval", 9, "-I", target.host, "-P", target.port, "--now").err
                assert target.logins == logins + 3
            with t.case("--now: where a session does not come back the others are left as they are"):
                logins = target.logins
                target.on_login = lambda _: DROP
                name = made.request("initiator.get")["name"]
                out = util("-i", "-N", name + ".new", "--now", ok=(4,))
                assert "session 0: " in out.err and "session 1: it is left as it is, because session 0" in out.err, out
                assert states()[1] == "online" and target.logins == logins, states()
                target.on_login = lambda _: None
                field.wait_online(made, "daily")
                out = util("-i", "-N", name + ".new", "--now")
                assert "session 1 is logged in" in out.err and "session 0" not in out.err, out
                names = {s["initiator_name"] for s in made.request("session.list")["sessions"]}
                assert names == {name + ".new"}, names
                assert util("-i", "-N", name, "--now").code == 0


def lines(n):
    """A configuration of so many discovery addresses."""
    return "".join('{"op":"discovery.add","args":{"address":"10.0.%d.%d","port":3260,"tpgt":1}}\n' % (k // 250, k % 250 + 1)
                   for k in range(n))


def seconds_of(made, text):
    """The processor's time for seeing that all of this is so already."""
    def children():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = children()
    assert made.command("iscsiutil", "--apply", "-", "--dry-run", stdin=text).out == ""
    return children() - before


def much(t):
    """More than a line of the control protocol holds, and more than can be compared with each other."""
    few, many = 650, 2600
    with field.initiator(t) as made:
        with t.case("a configuration of %d addresses is applied, and held against what is there, at a cost that grows with it" % many,
                    limit=120):
            made.command("iscsiutil", "--apply", "-", stdin=lines(few), limit=100)
            short = seconds_of(made, lines(few))
            before = made.request("driver.status")["registry"]["writes"]
            made.command("iscsiutil", "--apply", "-", stdin=lines(many), limit=100)
            writes = made.request("driver.status")["registry"]["writes"] - before
            # A wait for the disk is for many lines, not for each.
            assert 0 < writes < (many - few) / 4, writes
            took = seconds_of(made, lines(many))
            # Four times as much; sixteen times where each line is held against each.
            assert took < 9 * max(short, 0.02), (short, took)
        with t.case("a list that is longer than a line of the protocol comes in parts, and is shown whole", limit=120):
            shown = json.loads(made.command("iscsiutil", "-p", "-D", "--json", limit=100).out)["targets"]
            assert len({a["address"] for a in shown}) == many and len(json.dumps(shown, separators=(",", ":"))) > 4 << 20, len(shown)


def in_part(t):
    """Lines that the driver refuses stand between those that it does."""
    with field.initiator(t) as made, t.case("of a file whose lines are not all good each other line is done, in its order, and the bad ones are named"):
        text = lines(40).splitlines(keepends=True)
        bad = {7: "nonsense", 23: '{"op":"keys.set","args":{"key":"nokey","values":"1"}}', 38: '{"op":"log.level","args":{"level":99}}'}
        for at, line in bad.items():
            text[at - 1] = line + "\n"
        # What the last of them says counts.
        text += ['{"op":"keys.set","args":{"key":"NOPTimeout","values":"%d"}}\n' % k for k in range(4, 24)]
        out = made.command("iscsiutil", "--apply", "-", stdin="".join(text), ok=(4,))
        assert "line 7 cannot be read" in out.err, out
        assert [int(n) for n in re.findall(r"that was line (\d+)", out.err)] == [23, 38], out
        assert len(made.request("discovery.list")["targets"]) == 40 - len(bad)
        assert made.request("initiator.get")["timers"]["NOPTimeout"] == {"seconds": 23, "from": "global"}, made.request("initiator.get")["timers"]


def newcomer(t, target):
    """A target that is down when it is scanned for the first time."""
    with field.initiator(t) as made:
        made.command("iscsiutil", "-a", "-T", NAME, "-I", target.host, "-P", target.port)
        refusing = threading.Event()

        def refuse(_):
            refusing.set()
            return DROP
        with t.case("a scan that waits has a target that was never reached tried until it is there"):
            target.on_login = refuse
            out = made.command("ioscan", "--target", NAME, "--wait", 1, ok=(11,))
            assert "session 0 is " in out.err and made.tree("disk") == [], out
            refusing.clear()
            p = begin(made, "ioscan", "--target", NAME, "--wait", 50)
            assert refusing.wait(20)
            target.on_login = lambda _: None
            out, _ = end(p)
            assert "255/0/0.0.0.1    disk" in out, out


def main():
    with tap.script() as t:
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.world(t, target) as made:
            for part in (addresses, waiting, forgetting, overview):
                part(t, made, target)
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target:
            newcomer(t, target)
        counts_now(t)
        much(t)
        in_part(t)


main()
