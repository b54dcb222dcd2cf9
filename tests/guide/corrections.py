"""Rows of the guide that were not kept once: what an administrator types and reads, each with its row."""
import difflib
import json
import os
import pty
import re
import signal
import subprocess
import threading

import field
import proc
import tap
from fieldtgt import FieldTarget, Later
from fieldunit import READS, Unit, check
from initiator import Initiator, have_loop

NAME = "iqn.2003-11.com.hp.stor:iSCSI"  # the guide's own example, which has capitals


def value(text, label, which=0):
    """The value of a label, where it stands for the which-th time."""
    found = re.findall(r"^%s *: (.*)$" % re.escape(label), text, re.MULTILINE)
    assert len(found) > which, (label, text)
    return found[which]


def configured(t, made, target):
    at = ["-T", NAME, "-I", target.host, "-P", target.port]

    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    with t.case("rows 56, 61, 148: what is configured for an address stands there, and the target's with the target"):
        util("-u", "-H", "CHAP_UNI", *at)
        util("-u", "-H", "CHAP_BI", "-N", "me", "-T", NAME)
        util("-u", "-W", "-", "-T", NAME, stdin="mychapsecret1\n")
        shown = util("-p", "-T", NAME).out
        assert value(shown, "Configured Here", 0) == "chap_method=CHAP_BI initiator_chap_name=me chap_secret=set", shown
        assert value(shown, "Configured Here", 1) == "chap_method=CHAP_UNI", shown
        # What counts there, and from which level it comes.
        assert value(shown, "Configured Above") == "initiator_chap_name=me (target) chap_secret=set (target)", shown
        assert value(util("-pS").out, "Configured Above") == value(shown, "Configured Above")
        util("-t", "headerdigest", "None", "-I", target.host, "-P", target.port)
        util("-t", "NOPTimeout", "6")
        for words in (("-pD",), ("-pS",), ("-pO",)):
            assert value(util(*words).out, "Configured Above").endswith("NOPTimeout=6 (global)"), words
        assert "NOPTimeout" in value(util("-lV").out, "Configured Here") and "Configured Above" not in util("-lV").out
        util("-t", "NOPTimeout", "default")
        util("-t", "headerdigest", "default", "-I", target.host, "-P", target.port)
        # Row 153: in whichever letters the name is typed.
        assert util("-p", "-T", NAME.lower()).out == shown
        assert "mychapsecret1" not in shown + util("-p", "-T", NAME, "--json").out
    with t.case("row 61: time limits, the source address and the interface are displayed where they count"):
        util("-t", "NOPInterval", "6", "-I", target.host, "-P", target.port)
        util("-t", "SourceAddress", "127.0.0.1", "-T", NAME)
        util("-t", "Interface", "lo", "-T", NAME)
        assert value(util("-pD").out, "Configured Here") == "NOPInterval=6"
        shown = util("-pO").out
        assert value(shown, "Configured Here").endswith("SourceAddress=127.0.0.1 Interface=lo"), shown
        assert (value(shown, "Source Address"), value(shown, "Interface")) == ("127.0.0.1", "lo")
    with t.case("row 171: the level of the system's log is displayed"):
        util("-b", "5")
        assert value(util("-lV").out, "Log Level") == "5"
        util("-b", "3")
        assert value(util("-lV").out, "Log Level") == "3" and "Log Level" not in util("-l").out


def taken_away(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    with t.case("row 117: the start-up script starts iradd once CHAP_BI was asked for, but where the target's secret is kept here"):
        made.command("iradd", "--no-boot")
        for words, code in ((("CHAP_UNI",), 3), (("CHAP_BI", "--target-secret", "twelve-letters"), 3), (("chap_bi",), 0)):
            util("-u", "-H", *words)
            assert made.command("iradd", "-g", ok=None).code == code, words
        for option in ("-H", "--target-secret"):
            util("-u", option, "default")
        made.command("iradd", "--no-boot")
    with t.case("rows 63, 65: what was configured is taken away by one word"):
        assert made.command("iradd", "-g", ok=None).code == 3
        util("-u", "-R", "nas.example.com", "a-secret-of-the-nas", "radius.example.com")
        # So it does once RADIUS was configured.
        assert made.command("iradd", "-g", ok=None).code == 0
        assert value(util("-l").out, "Radius Server Hostname") == "radius.example.com"
        util("-u", "-R", "default")
        shown = util("-l").out
        assert [value(shown, label) for label in ("NAS Hostname", "NAS Secret", "Radius Server Hostname")] == [
            "", "not set", ""], shown
        util("-u", "-H", "CHAP_BI", "--target-name", "him", "-W", "twelve-letters", "-N", "me")
        assert value(util("-lV").out, "Target CHAP Name") == "him"
        for option in ("-H", "--target-name", "-W", "-N"):
            util("-u", option, "default")
        shown = util("-lV").out
        assert [value(shown, label) for label in ("CHAP Method", "Target CHAP Name", "CHAP Secret", "Initiator CHAP Name")] == [
            "CHAP_UNI", "", "not set", ""], shown
        assert value(shown, "Configured Here") == "", shown
    with t.case("row 47: an address that is there already is no failure where that was said"):
        at = ["-I", target.host, "-P", target.port]
        assert util("-a", *at, ok=None).code == 7
        assert util("-a", *at, "--if-absent").code == 0
        assert util("-a", "-T", NAME, *at, ok=None).code == 7
        assert util("-a", "-T", NAME, *at, "--if-absent").code == 0
        assert len(made.request("discovery.list")["targets"]) == 1


def not_there(t, made, target):
    with t.case("row 86: what was named and is not there is status 6, whoever is asked; a kind of which there are none is not"):
        rows = (
            (("iscsiutil", "-p", "-S", "99"), 6), (("iscsiutil", "-p", "-T", "iqn.2001-04.com.example:none"), 6),
            (("ioscan", "-k", "-H", "255/0/9"), 6), (("ioscan", "-k", "-C", "disk", "-I", "99"), 6),
            (("insf", "-H", "255/0/9"), 6), (("insf", "-C", "disk", "-I", "99"), 6), (("rmsf", "c9t9d9"), 6),
            (("ioscan", "-k", "-C", "tape"), 0), (("insf", "-C", "tape"), 0), (("rmsf", "-a"), 0), (("rmsf", "-a"), 0))
        for words, code in rows:
            out = made.command(*words, ok=None)
            assert out.code == code and out.err, (words, out)


def in_use(t, made, target):
    with t.case("rows 93, 98: who uses a disk is named: a process, a mount point"):
        made.command("insf", "-H", "255")
        disk = made.disk("iSCSI", 0)
        name = os.path.basename(disk["rdsk"])
        with open(disk["rdsk"], "rb"):
            for words in (("rmsf", name), ("iscsiutil", "-d", "-S", 0), ("iscsi_driverd", "--stop")):
                out = made.command(*words, ok=(8,))
                assert "process %d (python3)" % os.getpid() in out.err, out
            out = made.command("rmsf", name, "--json", ok=(8,))
            error = json.loads(out.err)["error"]
            assert error["code"] == "BUSY" and len(error["in_use"]) == 1, out
            assert error["used_by"][error["in_use"][0]] == ["process %d (python3)" % os.getpid()], out
        if not have_loop():
            raise tap.Skip("no loop devices here")
        proc.run("mkfs.ext4", "-q", disk["dsk"])
        where = made.path("a place")
        os.mkdir(where)
        proc.run("mount", disk["dsk"], where)
        try:
            out = made.command("rmsf", name, ok=(8,))
            assert "in use: %s (%s): mounted at %s" % (name, disk["block"], where.replace(" ", "\\040")) in out.err, out
        finally:
            proc.run("umount", where)
        made.command("rmsf", name)


def events(t, made, target):
    def told(*words):
        return [json.loads(line) for line in made.command("iscsiutil", "--events", "--json", *words).out.splitlines()]
    with t.case("rows 112, 126: events are chosen by time, level, target, session and unit"):
        target.hang_up()
        proc.wait_for("the loss and the return", lambda: len(told("--session", 0)) >= 2)
        unit = target.units.pop()
        made.request("scan", 60)
        lost = proc.wait_for("the unit's absence", lambda: [
            e for e in told("--unit", "c0t0d1", "--level", "warn") if e["id"] == "OPENISW_LOG_UNIT_ABSENT"])
        target.units.append(unit)
        assert {e["unit"] for e in lost} == {"c0t0d1"}, lost
        everything = told()
        assert {e["level"] for e in everything} > {e["level"] for e in told("--level", "err")} == {3}, everything
        # Row 126: the default level of the system's log is err, and what an administrator must know is in it.
        for lost_id in ("SESSION_LOST", "UNIT_ABSENT"):
            assert {e["level"] for e in everything if e["id"] == "OPENISW_LOG_" + lost_id} == {3}, everything
            assert any("OPENISW_LOG_" + lost_id in line for line in made.tail()), (lost_id, made.tail())
        assert told("--target", NAME.lower()) and not told("--target", "iqn.2001-04.com.example:none")
        assert told("--since", "1h") == everything and not told("--since", "2099-01-01")
        assert not told("--session", 7) and told("--session", 0, "--level", "debug", "--since", "1d")
    with t.case("rows 109, 112: events and help fit a terminal, of 80 columns and of 120"):
        for columns in (80, 120):
            for words in (("--events",), ("--help",), ("-u", "--help"), ("--events", "--help")):
                text = field.terminal(made, columns, "iscsiutil", *words)
                assert text and all(len(line) < columns for line in text.splitlines()), (columns, text)


def story(t, made, target):
    """What an administrator finds in the event log the morning after."""
    def ids(**having):
        all_of = [json.loads(line) for line in made.command("iscsiutil", "--events", "--json").out.splitlines()]
        return [e for e in all_of if all(having[k] in str(e.get(k)) for k in having)]

    def new(before, **having):
        return ids(**having)[len(before):]
    with t.case("section 0, F9: a portal that refuses is told once for each reason, and that it is back"):
        target.stop()
        made.command("iscsiutil", "-d", "-S", 0, "--force", ok=None)
        for _ in range(3):
            made.command("ioscan", "-H", "255", ok=None)
        for what in ("DISCOVERY_FAILED", "OPEN_FAILED"):
            texts = [e["text"] for e in ids(id=what) if e["level"] == 3]
            # The first try may still be met by the end of the target.
            assert len(texts) == len(set(texts)) <= 2 and "refused" in texts[-1], texts
        target.again()
        made.command("ioscan", "-H", "255")
        field.wait_online(made, "iSCSI")
        assert len(ids(id="DISCOVERY_BACK")) == 1
    with t.case("section 0, F9: a name that is unknown is told"):
        daemon = made.start_daemon("iscsi_resolvd")
        made.command("iscsiutil", "-a", "-I", "no-such-host.invalid")
        made.command("ioscan", "-H", "255", ok=(4,))
        assert "no-such-host.invalid" in ids(id="DISCOVERY_FAILED")[-1]["text"]
        made.command("iscsiutil", "-d", "-I", "no-such-host.invalid")
    with t.case("section 0, F9: who configured what is told, without secrets; what changes nothing is not"):
        before = ids(id="CONFIGURED")
        made.command("iscsiutil", "-u", "-W", "not-to-be-seen-1", "-T", NAME)
        made.command("iscsiutil", "-t", "NOPTimeout", "7", "-T", NAME)
        one, two = new(before, id="CONFIGURED")
        who = "Configured by user %d (process " % os.getuid()
        assert one["text"].startswith(who) and "auth.set secret=(not told) target=%s." % NAME in one["text"], one
        assert "keys.set key=NOPTimeout values=7 target=%s." % NAME in two["text"], two
        made.command("iscsiutil", "-u", "-W", "default", "-T", NAME)
        made.command("iscsiutil", "-t", "NOPTimeout", "default", "-T", NAME)
        assert "secret=default" in new(before, id="CONFIGURED")[2]["text"]
    with t.case("section 0, F9: device files that are made and removed, and I/O errors in words, are told of the disk"):
        before = ids(id="DEVICE_")
        made.command("insf", "-H", "255")
        made.command("rmsf", "c0t0d1")
        made.command("insf", "-H", "255")
        told = [(e["id"].rsplit("_", 1)[1], e["unit"]) for e in new(before, id="DEVICE_")]
        assert told[-2:] == [("REMOVED", "c0t0d1"), ("MADE", "c0t0d1")], told
        target.on_command = lambda c: check(0x3, 0x11, 0x00) if c.opcode in READS and c.lun[1] == 1 else None
        with open(made.disk("iSCSI", 1)["rdsk"], "rb") as f:
            try:
                f.read(512)
                raise AssertionError("it was read")
            except OSError:
                pass
        target.on_command = lambda _: None
        failed = ids(id="IO_FAILED", unit="c0t0d1")[-1]
        assert "READ" in failed["text"] and "unrecovered read error" in failed["text"], failed
    with t.case("section 0, F9: a daemon that is gone and back is told"):
        daemon.kill(signal.SIGTERM)
        proc.wait_for("the end", lambda: ids(id="DAEMON_GONE"))
        assert ids(id="DAEMON_GONE")[-1]["text"].startswith("iscsi_resolvd is gone"), ids(id="DAEMON_GONE")
        made.start_daemon("iscsi_resolvd")
        proc.wait_for("the return", lambda: ids(id="DAEMON_BACK")[-1]["text"].startswith("iscsi_resolvd"))


def statistics(t, made, target):
    def util(*words):
        return made.command("iscsiutil", *words).out
    with t.case("row 158: statistics that are not zero alone, and what each one counts"):
        everything, some = util("-s").splitlines(), util("-s", "-z").splitlines()
        counts = [line for line in everything if line.startswith("Number of ")]
        assert len(counts) > 30 and any(line.endswith(": 0") for line in counts), everything
        assert [line for line in some if line.startswith("Number of ")] == [
            line for line in counts if not line.endswith(": 0")], some
        lines = util("-s", "-G", "-V").splitlines()
        at = next(k for k, line in enumerate(lines) if line.startswith("Number of Discovery session open failures"))
        assert lines[at + 1] == "    D/C: Discovery sessions that could not be opened: no name, no route, no answer, " \
            "a login refused, or no memory.", lines[at:at + 2]
    with t.case("rows 100, 144: statistics fit a terminal of 80 columns; nothing is lost"):
        text = field.terminal(made, 80, "iscsiutil", "-s", "-S", "-V")
        assert all(len(line) < 80 for line in text.splitlines()), text
        assert "".join(text.split()) == "".join(util("-s", "-S", "-V").split())


def overview(t, made, target):
    with t.case("row 95: the size of a disk is displayed, with its state and device, in a line; an outage with its reason"):
        made.command("insf", "-H", "255")
        size = "%.1f MiB" % (target.units[0].size / 1048576)
        assert made.command("insf", "-v", "-e", "-H", "255").out.count("      size %s\n" % size) == 2
        shown = field.terminal(made, 80, "iscsiutil", "-o")
        assert re.search(r"^ +0  online +%s,1 +%s$" % (re.escape(target.portal()), re.escape(NAME)), shown, re.MULTILINE), shown
        assert re.search(r"^255/0/0\.0\.0\.0 +c0t0d0 +CLAIMED +%s " % size, shown, re.MULTILINE), shown
        def state(word):
            return 'openisw_session_state{session="0",target="%s",state="%s"} 1\n' % (NAME, word)
        assert state("online") in made.command("iscsiutil", "-s", "--metrics").out
        target.stop()
        proc.wait_for("the loss", lambda: field.state(made, "iSCSI") != "online")
        assert state("transient") in made.command("iscsiutil", "-s", "--metrics").out
        proc.wait_for("the reason", lambda: "refused" in made.command("iscsiutil", "-o").out)
        shown = field.terminal(made, 80, "iscsiutil", "-o")
        assert all(len(line) < 80 for line in shown.splitlines()) and "transient" in shown, shown
        target.again()
        field.wait_online(made, "iSCSI")


def read_until(made, words, enough):
    """The lines of a command that goes on, up to one that is enough."""
    with subprocess.Popen([made.program("iscsiutil"), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, env=made.env) as p:
        lines = []
        for line in p.stdout:
            lines.append(line)
            if enough(lines):
                break
        p.kill()
    return lines


def watched(t, made, target):
    with t.case("section 2: the overview is shown again and again"):
        lines = read_until(made, ("-o", "--watch", 1), lambda lines: sum("S/W State" in line for line in lines) == 2)
        assert len(lines) > 6 and "\033" not in "".join(lines), lines
    with t.case("section 2: statistics are shown as rates of what was counted meanwhile, and nothing else"):
        stop = threading.Event()

        def load():
            while not stop.is_set():
                with open(disk, "rb") as f:
                    f.read(512)
        disk = made.disk("iSCSI", 0)["rdsk"]
        loading = threading.Thread(target=load)
        loading.start()
        try:
            lines = read_until(made, ("-s", "-S", 0, "-C", "--watch", 1),
                               lambda lines: lines[-1].endswith(" a second\n"))
        finally:
            stop.set()
            loading.join()
        assert float(lines[-1].split(": ")[1].split()[0]) > 0, lines


def asked(made, typed, *words):
    """The exit status of a command that asks at a terminal, where this is typed."""
    leader, follower = pty.openpty()
    p = subprocess.Popen([made.program(words[0]), *words[1:]], stdin=follower, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         env=made.env)
    os.close(follower)
    assert p.stderr.read(1), "no question"
    os.write(leader, typed)
    p.communicate(timeout=10)
    os.close(leader)
    return p.returncode


def questions(t, made, target):
    with t.case("section 2: a question that is broken off is a failure, no wrong usage, and nothing was changed"):
        assert asked(made, b"\x03\n", "iscsiutil", "-u", "-W", "-") == 1
        assert value(made.command("iscsiutil", "-l").out, "CHAP Secret") == "not set"
        assert made.command("iscsiutil", "-u", "-W", "-", ok=None).code == 1
        assert made.command("iscsiutil", "-u", "-W", "x" * 2000, ok=None).code == 2
        assert asked(made, b"mychapsecret1\nmychapsecret1\n", "iscsiutil", "-u", "-W", "-") == 0
        assert value(made.command("iscsiutil", "-l").out, "CHAP Secret") == "set"
        made.command("iscsiutil", "-u", "-W", "default")


def advice(t, made, target):
    with t.case("section 0, F14: a source address that is not this host's is what the advice speaks of"):
        made.command("iscsiutil", "-t", "SourceAddress", "192.0.2.77", "-T", NAME)
        made.command("iscsiutil", "-d", "-S", 0)
        assert "check SourceAddress" in made.command("ioscan", "-H", "255", ok=(4,)).err
        made.command("iscsiutil", "-t", "SourceAddress", "default", "-T", NAME)
        made.command("ioscan", "-H", "255")
    with t.case("section 0, F14: a digest that the target refuses is what the advice speaks of"):
        target.keys["HeaderDigest"] = "Reject"
        made.command("iscsiutil", "-t", "headerdigest", "CRC32C", "-T", NAME)
        made.command("iscsiutil", "-d", "-S", 0)
        assert "offer None, too: iscsiutil -t headerdigest CRC32C None" in made.command("ioscan", "-H", "255", ok=(4,)).err
    with t.case("row 176: a Reject whose default is offered is no failure, but told"):
        made.command("iscsiutil", "-t", "headerdigest", "CRC32C", "None", "-T", NAME)
        made.command("ioscan", "-H", "255")
        assert "ISCSI_LOG_PROTOCOL_INIT_KEY_REJECTED" in made.command("iscsiutil", "--events", "-T", NAME, "--json").out
        del target.keys["HeaderDigest"]
        made.command("iscsiutil", "-t", "headerdigest", "default", "-T", NAME)


def several(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)

    def states():
        return {s["instance"]: s["state"] for s in made.request("session.list")["sessions"]}
    with t.case("section 2: what is configured counts now where that is said, and I/O waits meanwhile"):
        made.command("insf", "-H", "255")
        answered, came = threading.Event(), threading.Event()

        def hold(command):
            if command.opcode not in READS:
                return None
            came.set()
            return Later(answered)
        target.on_command = hold
        reading = field.read(made.disk("iSCSI", 0)["rdsk"])
        assert came.wait(20), "the read did not come"
        logins = target.logins
        assert "'iscsiutil --relogin' has it count now" in util("-t", "MaxBurstLength", "65536", "-T", NAME).err
        target.on_command = lambda _: None
        target.keys["MaxBurstLength"] = "65536"
        assert "logged in with what is configured now" in util("--relogin", "-T", NAME).err
        assert target.logins == logins + 1 and states() == {0: "online"}, states()
        assert '"MaxBurstLength": "65536"' in json.dumps(made.request("session.list")["sessions"][0]["connections"])
        answered.set()
        reading.good(10)
        util("-t", "MaxBurstLength", "default", "-T", NAME)
        del target.keys["MaxBurstLength"]
        assert util("--relogin", "-S", 99, ok=None).code == 6
        assert util("--relogin").code == 0
    with t.case("section 2: all sessions are logged out, or a target's, and come back by name"):
        with open(made.disk("iSCSI", 0)["rdsk"], "rb"):
            assert "in use" in util("-d", "-S", "-T", NAME, ok=(8,)).err
        assert "session 0 (%s) is logged out" % NAME in util("-d", "-S", "-T", NAME.upper()).err
        assert states() == {0: "offline"}
        assert "no such session is open" in util("-d", "-S", "-T", NAME).err
        made.command("ioscan", "--target", NAME)
        assert states() == {0: "online"}
        assert json.loads(util("-d", "-S", "--all", "--json").out)["logged_out"][0]["instance"] == 0
        assert states() == {0: "offline"}
        assert "is not an operational target" in made.command("ioscan", "--target", "iqn.2001-04.com.example:none", ok=None).err
        made.command("ioscan", "--target", NAME)


def saved(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    at = ["-I", target.host, "-P", target.port]
    with t.case("section 2: the configuration is printed, with secrets only where they are asked for, and applied elsewhere"):
        util("-u", "-W", "a-secret-to-keep", "-N", "a name 'with quotes'", "-T", NAME)
        util("-u", "-W", "another-secret-1", *at)
        util("-u", "-R", "nas.example.com", "the-nas-secret-1", "radius.example.com")
        util("-t", "headerdigest", "None", "CRC32C", "-T", NAME, *at)
        util("-t", "NOPTimeout", "6.5")
        util("-t", "DiscoveryShare", "77", *at)
        util("-b", "warn")
        util("-a", "-T", "iqn.2001-04.com.example:by.hand", "-I", "192.0.2.9")
        plain, whole = util("--export"), util("--export", "--secrets").out
        assert "3 secrets are not in it" in plain.err, plain
        assert not any(w in plain.out for w in ("a-secret-to-keep", "another-secret-1", "the-nas-secret-1")), plain
        assert all(w in whole for w in ("a-secret-to-keep", "another-secret-1", "the-nas-secret-1")), whole
        assert '# {"op":"radius.set"' in plain.out
        with Initiator("other") as other:
            def elsewhere(*words, **how):
                return other.command("iscsiutil", *words, **how)
            todo = elsewhere("--apply", "-", "--dry-run", stdin=whole).out
            assert todo == whole, (todo, whole)
            assert elsewhere("--export", "--secrets").out != whole, "a dry run changed something"
            elsewhere("--apply", "-", stdin=whole)
            there = elsewhere("--export", "--secrets").out
            assert there == whole, "\n".join(difflib.unified_diff(whole.splitlines(), there.splitlines(), lineterm="", n=0))
            assert other.command("iradd", "-g", ok=None).code == 0
            assert "0 of the lines changed" in elsewhere("--apply", "-", stdin=whole).err
            assert elsewhere("--apply", "-", "--dry-run", stdin=plain.out).out == ""
            # One line differs: it alone is done.
            other_level = whole.replace('"level":4', '"level":5')
            assert elsewhere("--apply", "-", "--dry-run", stdin=other_level).out == \
                '{"op":"log.level","args":{"level":5}}\n'
            assert "1 of the lines changed" in elsewhere("--apply", "-", stdin=other_level).err
            out = elsewhere("--apply", "-", stdin='{"op":"driver.stop","args":{}}\n# no\n\n{"op":"log.level","args":{"level":4}}\n',
                            ok=(4,))
            assert "line 1" in out.err and "no operation that configures" in out.err, out
            assert elsewhere("--export", "--secrets").out == whole
            found = '{"op":"target.add","args":{"address":"192.0.2.7","port":3260,"tpgt":1,"name":"iqn.2001-04.com.example:f",' \
                '"found":true}}\n'
            elsewhere("--apply", "-", stdin=found)
            other.command("iscsiutil", "-d", "-T", "iqn.2001-04.com.example:by.hand")
            assert found in elsewhere("--export").out
            for bad in ("{", '{"op":"log.level"}', '{"op":"log.level","args":{"level":"x"}}', "[]"):
                assert "line 1" in elsewhere("--apply", "-", stdin=bad + "\n", ok=(2,)).err, bad
            assert elsewhere("--apply", "/nowhere/at/all", ok=None).code == 1
        for words in (("-T", NAME), at):
            util("-u", "-W", "default", *words)
        util("-u", "-N", "default", "-T", NAME)
        util("-u", "-R", "default")
        util("-t", "headerdigest", "default", "-T", NAME, *at)
        util("-t", "NOPTimeout", "default")
        util("-t", "DiscoveryShare", "default", *at)
        util("-b", "default")
        util("-d", "-T", "iqn.2001-04.com.example:by.hand")


def waiting(t, made, target):
    with t.case("section 2: while a scan waits it says for whom"):
        came, go = threading.Event(), threading.Event()

        def hold(_):
            came.set()
            return Later(go)
        target.on_login = hold
        made.command("iscsiutil", "-d", "-S", 0)
        told = []

        def heard(progress):
            if progress["ok"] is None and progress["what"]:
                told.append(progress)
                go.set()
        made.request("scan", 60, heard)
        target.on_login = lambda _: None
        assert told and told[0]["what"].startswith(NAME + " at ") and told[0]["stage"] == "session", told


def words(t, made, target):
    def util(*words):
        return made.command("iscsiutil", *words)
    with t.case("section 2: sessions are spoken of where something changed for them, and only there"):
        assert "next login" in util("-t", "NOPTimeout", "4", "-T", NAME).err
        assert "next login" not in util("-t", "NOPTimeout", "4", "-T", NAME).err
        assert "next login" in util("-t", "NOPTimeout", "default", "-T", NAME).err
        assert "next login" not in util("-t", "NOPTimeout", "default", "-T", NAME).err
        assert "next login" in util("-u", "-W", "mychapsecret1").err and "next login" not in util("-u", "-W", "mychapsecret1").err
        assert "next login" in util("-u", "-W", "default").err
        name = made.request("initiator.get")["name"]
        assert util("-i", "-N", name).err == ""
    with t.case("row 38: a name that is kept in other letters is told"):
        assert "small letters: iqn.2003-11.com.hp.stor:upper." in util("-i", "-N", "iqn.2003-11.com.hp.stor:UPPER").err
    with t.case("section 2: a display of nothing says so"):
        util("-d", "-I", target.host, "-P", target.port)
        made.command("iscsiutil", "-d", "-T", NAME)
        assert "no target is known" in util("-p").err and "no operational target" in util("-o").err


def numbers(t):
    """Three targets; the one that is first by name answers last, and the portal lists them in this order."""
    names = ["iqn.2001-04.com.example:" + x for x in "cab"]

    def name_disks(order, slow):
        with FieldTarget([Unit(0, "first")], name=order[0]) as target, field.initiator(t) as made:
            target.targets.update({name: [Unit(0, name)] for name in order[1:]})
            others = threading.Event()

            def hold(connection):
                return Later(others) if connection.name == slow else None
            target.on_login = hold
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            scanning = threading.Thread(target=made.command, args=("ioscan", "-H", "255"))
            scanning.start()
            proc.wait_for("the disks of the others", lambda: len(made.tree("disk")) == 2)
            others.set()
            scanning.join()
            sessions = {s["instance"]: s["target_name"] for s in made.request("session.list")["sessions"]}
            made.command("insf", "-H", "255")
            return {os.path.basename(n["dsk"]): sessions[n["session_instance"]] for n in made.tree("disk")}
    with t.case("row 17: names of disks follow from the targets' names, whoever answers first and in whichever order"):
        wanted = {"c%dt0d0" % k: name for k, name in enumerate(sorted(names))}
        for order, slow in ((names, names[1]), (names[::-1], names[2])):
            got = name_disks(order, slow)
            assert got == wanted, got


def portals(t):
    """Two addresses; the first in their order answers last, or not at all."""
    first, second = ("iqn.2001-04.com.example:" + x for x in "za")

    def name_disks(wait_for_it):
        with FieldTarget([Unit(0, "1"), Unit(130, "1b")], name=first, host="127.0.0.2") as one, \
                FieldTarget([Unit(0, "2"), Unit(130, "2b")], name=second, host="127.0.0.3") as two, field.initiator(t) as made:
            answered, there = threading.Event(), threading.Event()
            one.on_accept, one.on_login = lambda _: Later(answered), lambda _: Later(there)
            for target in (two, one):
                made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            scanning = threading.Thread(target=made.command, args=("ioscan", "-H", "255"))
            scanning.start()
            proc.wait_for("the answer of the second", lambda: made.request("target.list")["targets"])
            if wait_for_it:
                answered.set()
                # Its disks come last, and have the first numbers all the same.
                proc.wait_for("the disks of the second", lambda: len(made.tree("disk")) == 2)
            else:
                proc.wait_for("the disks of the second", lambda: len(made.tree("disk")) == 2, limit=8)
                assert {s["target_name"] for s in made.request("session.list")["sessions"]} == {second}
                answered.set()
            there.set()
            scanning.join()
            sessions = {s["instance"]: s["target_name"] for s in made.request("session.list")["sessions"]}
            made.command("insf", "-H", "255")
            return {os.path.basename(n["dsk"]): sessions[n["session_instance"]] for n in made.tree("disk")}
    with t.case("row 17: names of disks follow from the addresses that are asked, and LUNs from 128 on have theirs from the session"):
        got = name_disks(True)
        assert got == {"c0t0d0": first, "c4096t0d2": first, "c1t0d0": second, "c4097t0d2": second}, got
    with t.case("row 17: an address that does not answer keeps what is new waiting for two seconds, not for its own end"):
        got = name_disks(False)
        assert got == {"c0t0d0": second, "c4096t0d2": second, "c1t0d0": first, "c4097t0d2": first}, got


def main():
    with tap.script() as t:
        numbers(t)
        portals(t)
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.world(t, target) as made:
            for part in (configured, taken_away, not_there, in_use, events, story, statistics, overview, watched, questions, advice, several, saved, waiting, words):
                part(t, made, target)


main()
