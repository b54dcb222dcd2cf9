"""What an administrator does every day, in one command each: several addresses, waiting, forgetting, applying, looking."""
import json
import os
import subprocess
import threading

import field
import proc
import tap
from fieldtgt import DROP, FieldTarget
from fieldunit import Unit

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
        assert shown == {"addresses": [{"address": a, "port": 3260, "tpgt": 1} for a in ("192.0.2.8", "192.0.2.9")]}, shown
        shown = json.loads(util("-d", "-I", "192.0.2.3", "--json").out)
        assert shown == {"addresses": [{"address": "192.0.2.3", "port": 3260, "tpgt": 1}]}, shown
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
            for part in (addresses, waiting, forgetting):
                part(t, made, target)
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target:
            newcomer(t, target)


main()
