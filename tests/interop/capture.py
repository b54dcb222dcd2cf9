"""iscsiutil --capture: each kind of login and an outage, opened by tshark without a malformed PDU, and replayed; no secret
is in the file, a reader that stalls stops nobody, files are whole however it ends."""
import glob
import hashlib
import os
import resource
import signal
import struct
import subprocess

import box
import capfile
import field
import pattern
import proc
import tap
from capfile import Capture
from fieldtgt import FieldTarget, moved_to
from fieldunit import Unit
from initiator import Initiator
from istgt import Istgt
from tgt import Tgt

OURS, THEIRS = "initiator-secret-1", "target-secret-no2"
PREFIX = "iqn.2026-11.org.example:"


def blocks(path):
    """Types of a pcapng file's blocks: it is whole."""
    with open(path, "rb") as f:
        data = f.read()
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert struct.unpack_from("<I", data, at + length - 4)[0] == length, (path, at)
        found.append(kind)
        at += length
    return found


def commands_counted(made):
    found = made.request("stats.get", sessions=True, connections=True)["sessions"]
    return sum(c["values"]["ios"] for s in found for c in s["connections"])


def account(tgt, tid, name, password, outgoing=False):
    tgt.adm("account", "new", user=name, password=password)
    tgt.adm("account", "bind", *(["--outgoing"] if outgoing else []), tid=tid, user=name)


def look(made, path, ports, pdus):
    """Opened by tshark, and replayed; both find as many PDUs as the capture has counted."""
    found = capfile.opcodes(path, ports)
    assert sum(found.values()) == pdus, (found, pdus)
    connections = capfile.replay(made, path, (0, 4))
    capfile.must_be_equal(connections)
    assert sum((capfile.counted(c["conversation"]) for c in connections), start=found.__class__()) == found
    return found, connections


def secrets_of(path, ports):
    """Everything that a login says in secret, as bytes that a file must not have."""
    values = capfile.tshark(path, ports, "-T", "fields", "-e", "iscsi.keyvalue").replace(",", "\n").splitlines()
    return [v.split("=", 1)[1] for v in values if v.startswith(("CHAP_R=", "CHAP_C="))]


def instance_of(made, suffix):
    return next(s["instance"] for s in made.request("session.list")["sessions"] if s["target_name"].endswith(":" + suffix))


def use(made, suffix, lun):
    path = made.disk(suffix, lun)["file"]
    pattern.write_at(path, 0, os.urandom(1 << 20))
    pattern.read_at(path, 0, 1 << 20)


def logins(t, made, tgt, istgt):
    ports = (tgt.port, istgt.port)
    with t.case("logins without authentication and discovery: a PDU each that the sessions have counted", 120):
        running = Capture(made, "plain.pcapng")
        made.discover(tgt, istgt)
        use(made, "plain", 1)
        commands = commands_counted(made)
        result = running.end()
        assert result["dropped"] == 0 and result["connections"] >= 4, result
        found, connections = look(made, running.path, ports, result["pdus"])
        assert found[0x04] == found[0x24] == 2 and found[0x01] > 20 and found[0x05] > 0 and found[0x31] > 0, found
        assert found[0x01] == commands, (found, commands)
        assert len(connections) == result["connections"], (connections, result)
    with t.case("digests of headers and data are in it, and right"):
        istgt_name, = [n["name"] for n in made.request("target.list")["targets"] if n["name"].endswith(":digests")]
        made.command("iscsiutil", "-t", "BothDigest", "CRC32C", "-T", istgt_name)
        running = Capture(made, "digests.pcapng", "--snap", 1 << 20)
        made.command("iscsiutil", "--relogin")
        use(made, "digests", 0)
        result = running.end()
        look(made, running.path, ports, result["pdus"])
        sums = capfile.tshark(running.path, ports, "-Y", "iscsi.headerdigest32", "-T", "fields", "-e", "iscsi.headerdigest32")
        assert len(sums.splitlines()) > 10, sums
        made.command("iscsiutil", "-t", "BothDigest", "default", "-T", istgt_name)
    with t.case("CHAP, one way and both: replayed, and no challenge and no response is in the file", 120):
        made.command("iscsiutil", "-u", "-N", "alice", "-W", "-", stdin=OURS + "\n")
        made.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
        made.command("iscsiutil", "-u", "-H", "CHAP_BI", "--target-secret", "-", "-T", PREFIX + "mutual", stdin=THEIRS + "\n")
        running, open_one = Capture(made, "chap.pcapng"), Capture(made, "secret.pcapng", "--secrets")
        made.request("scan", limit=100)
        assert field.state(made, "uni") == field.state(made, "mutual") == "online", made.request("session.list")
        result, other = running.end(), open_one.end()
        assert result["pdus"] == other["pdus"] > 20, (result, other)
        look(made, running.path, ports, result["pdus"])
        look(made, open_one.path, ports, other["pdus"])
        values = secrets_of(open_one.path, ports)
        assert len(values) >= 6, values
        with open(running.path, "rb") as f:
            data = f.read()
        for value in values:
            assert value.startswith("0x") and value.encode() not in data and bytes.fromhex(value[2:]) not in data, value
        assert OURS.encode() not in data and THEIRS.encode() not in data
        assert data.count(b"CHAP_R=0x" + b"0" * 32) >= 3 and b"CHAP_N=alice" in data
        # What is not masked is so on purpose: it is in the other one.
        with open(open_one.path, "rb") as f:
            data = f.read()
        assert all(value.encode() in data for value in values) and OURS.encode() not in data
    with t.case("of one session only, and of two captures at once each has its own"):
        one, everything = Capture(made, "one.pcapng", "-S", instance_of(made, "plain")), Capture(made, "all.pcapng")
        sessions = made.request("session.list")["sessions"]
        for session in sessions:
            made.command("iscsiutil", "-n", "-S", session["instance"])
        # Where the machine is slow, a session pings by itself as well.
        for running, connections in ((one, 1), (everything, len(sessions))):
            result, found = running.end(), capfile.opcodes(running.path, ports)
            assert result["connections"] == connections and sum(found.values()) == result["pdus"], (result, found)
            assert set(found) == {0x00, 0x20} and found[0x00] == found[0x20] >= connections, (result, found)
        connections = capfile.replay(made, one.path, (4,))
        assert connections[0]["result"] == "not replayed" and "--relogin" in connections[0]["why"], connections


def ipv6(t):
    with Tgt("tgt6", portals=("::1",)) as tgt, Initiator("root6") as made:
        t.show_on_failure(made)
        tgt.lun(tgt.target("six"), 1)
        with t.case("IPv6: addresses and ports are the connection's"):
            running = Capture(made, "six.pcapng")
            made.discover(tgt)
            use(made, "six", 1)
            result = running.end()
            look(made, running.path, (tgt.port,), result["pdus"])
            hosts = capfile.tshark(running.path, (tgt.port,), "-T", "fields", "-e", "ipv6.src", "-e", "tcp.port").splitlines()
            assert all(line.startswith("::1\t") and str(tgt.port) in line for line in hosts), hosts[:5]


def outage(t):
    with FieldTarget([Unit(0)], ports=2) as target, field.initiator(t) as made:
        target.portals = [target.portal() + ",1"]
        made.discover(target)
        with t.case("a redirection and an outage under I/O: each connection ends as it did, all are replayed", 120):
            target.on_login = lambda c: moved_to(target.portal(1)) if c.portal == target.port else None
            running = Capture(made, "outage.pcapng")
            made.command("iscsiutil", "--relogin")
            field.wait_online(made)
            field.write(field.path(made), 0, field.block("before")).good(20)
            target.hang_up(is_reset=True)
            target.on_login = lambda c: None
            field.write(field.path(made), 4096, field.block("after")).good(40)
            result = running.end()
            found = capfile.opcodes(running.path, target.ports)
            assert sum(found.values()) == result["pdus"], (found, result, capfile.tshark(running.path, target.ports))
            connections = capfile.replay(made, running.path, (0, 4))
            assert [c["end"] for c in connections].count("was lost") >= 1, connections
            begun = capfile.must_be_equal(connections)
            assert len(begun) >= 3 and any("0101" in (c["why"] or "") for c in begun), [(c["result"], c["why"]) for c in begun]
            resets = capfile.tshark(running.path, target.ports, "-Y", "tcp.flags.reset==1")
            assert len(resets.splitlines()) >= 1, resets
        with t.case("what the target does wrong is found again, with its section"):
            running = Capture(made, "wrong.pcapng")
            made.command("iscsiutil", "--relogin")
            field.wait_online(made)
            session, = made.request("session.list")["sessions"]
            connection = target.connections[-1]
            connection.stat_sn += 5
            made.command("iscsiutil", "-n", "-S", session["instance"], ok=None)
            field.wait_online(made)
            running.end()
            connections = capfile.replay(made, running.path, (1,))
            bad = [c for c in connections if c["result"] == "violation"]
            assert len(bad) == 1 and "RFC 7143, section 4.2.2.2" in bad[0]["why"], [(c["result"], c["why"]) for c in connections]


def planted(t, made, path):
    """Changes of a capture, each of which the replay finds where it is."""
    with open(path, "rb") as f:
        data = bytearray(f.read())
    packets, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6 and struct.unpack_from("<I", data, at + 20)[0] >= 88:
            packets.append(at + 28 + 40)
        at += length
    command = next(p for p in packets if data[p] & 0x3f == 0x01 and data[p + 32] == 0x12)
    answer = next(p for p in packets if data[p] == 0x25)
    login = next(p for p in packets if data[p] & 0x3f == 0x03)
    changes = {
        "the attribute of a command": (command + 1, 0x07, "equal"),  # likewise
        "its CDB": (command + 36, 0xff, "equal"),  # what is asked for is asked of the core, too
        "its CmdSN": (command + 27, 0x40, "different"),
        "its ExpStatSN": (command + 31, 0x01, "different"),
        "the length of a login's text": (login + 7, 0x04, None),
        "StatSN of an answer": (answer + 27, 0x10, "violation"),
        "its tag": (answer + 16, 0x40, "violation"),
    }
    with t.case("each planted difference is found, and none where there is none", 60):
        usual = [c["result"] for c in capfile.replay(made, path)]
        for what, (where, bits, result) in changes.items():
            other = bytearray(data)
            other[where] ^= bits
            copy = path + ".planted"
            with open(copy, "wb") as f:
                f.write(other)
            results = [c["result"] for c in capfile.replay(made, copy, (0, 1, 4))]
            if result == "equal":
                assert results == usual, (what, results)
            else:
                assert results != usual and (result is None or result in results), (what, result, results)
    # Each byte of a small one is the unit test's.
    with t.case("a capture that is cut off anywhere neither ends nor hangs the replay", 100):
        program = made.program("iscsi-replay")
        for n in range(0, min(len(data), 6000), 29):
            with open(path + ".cut", "wb") as f:
                f.write(data[:n])
            done = subprocess.run([program, "-q", path + ".cut"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=10, env=made.env, check=False)
            assert done.returncode in (0, 1, 4), (n, done.returncode)


def limits(t, made, tgt):
    path = made.disk("plain", 1)["file"]
    with t.case("a ring of files: each whole, none larger than it may be, the newest without a number", 120):
        running = Capture(made, "ring.pcapng", "--files", 3, "--size", 1, "--snap", 1 << 20)
        for i in range(6):
            pattern.write_at(path, i << 20, os.urandom(1 << 20))
        result = running.end()
        files = sorted(glob.glob(running.path) + glob.glob(running.path + ".[0-9]*"))
        assert [f[len(running.path):] for f in files] == ["", ".1", ".2"] and result["files"] > 3, (files, result)
        for f in files:
            kinds = blocks(f)
            assert kinds[:2] == [0x0a0d0d0a, 1] and kinds[-1] == 5 and os.path.getsize(f) <= 3 << 20, (f, kinds[:3], os.path.getsize(f))
            assert os.stat(f).st_mode & 0o777 == 0o600
            capfile.opcodes(f, (tgt.port,))
    with t.case("one file that is full ends the capture, which says so"):
        running = Capture(made, "full.pcapng", "--size", 1, "--snap", 1 << 20)
        pattern.write_at(path, 0, os.urandom(4 << 20))
        proc.wait_for("the capture to end by itself", lambda: running.process.poll() is not None)
        assert running.end()["files"] == 1
        assert blocks(running.path)[-1] == 5
    with t.case("a disk that is full: the file is whole as far as it goes, and the capture fails with the reason"):
        def little():
            box.die_with_parent()
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100001, 100001))
        where = os.path.join(box.directory(), "little.pcapng")
        running = subprocess.Popen([made.program("iscsiutil"), "--capture", where, "--snap", "1048576"], env=made.env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, preexec_fn=little)
        proc.wait_for("it to begin", lambda: os.path.exists(where) and os.path.getsize(where))
        pattern.write_at(path, 0, os.urandom(1 << 20))
        err = running.communicate(timeout=20)[1]
        assert running.returncode == 1 and "File too large" in err and "whole" in err, err
        assert 6 in blocks(where)
    with t.case("the standard output, for tshark; who reads no more has enough"):
        running = subprocess.Popen([made.program("iscsiutil"), "--capture", "-"], env=made.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, preexec_fn=box.die_with_parent)
        assert running.stdout.read(4) == b"\n\r\r\n"
        running.stdout.close()
        use(made, "plain", 1)
        running.stderr.read()
        assert running.wait(20) == 0
    with t.case("what makes no sense is refused, and who may not is told so"):
        for words, word in ((("-", "--files", 2), "ring"), (("-", "--json"), "--json"), (("x", "-S", 4000), "no session 4000"),
                            (("/no/such/directory/x",), "directory")):
            done = made.command("iscsiutil", "--capture", *words, ok=None, limit=10)
            assert done.code != 0 and word in done.err, done
        nobodys = "/tmp/nobodys.%d.pcapng" % os.getpid()
        done = proc.run(made.program("iscsiutil"), "--capture", nobodys, env=made.env, user="nobody", ok=None)
        assert done.code == 5 and not os.path.exists(nobodys), done
    with t.case("no more than four at once, and what they had is given back when they die", 60):
        many = [Capture(made, "many%d.pcapng" % i) for i in range(4)]
        done = made.command("iscsiutil", "--capture", os.path.join(box.directory(), "fifth"), ok=None, limit=10)
        assert done.code == 8, done
        for one in many:
            one.process.kill()
            one.process.wait()

        def again():
            try:
                Capture(made, "again.pcapng").end()
            except proc.Failed:
                return False
            return True
        proc.wait_for("a capture to be allowed again", again)


def stalled(t, made):
    path = made.disk("plain", 1)["file"]
    with t.case("a capture that stalls stops nobody: what does not fit is dropped, and counted", 120):
        running = Capture(made, "stalled.pcapng", "--snap", 1 << 20)
        running.process.send_signal(signal.SIGSTOP)
        for i in range(24):  # more than the ring and the socket take
            pattern.write_at(path, (i % 8) << 20, hashlib.sha256(bytes([i])).digest() * (1 << 15))
        assert hashlib.sha256(pattern.read_at(path, 0, 1 << 20)).digest() == hashlib.sha256(hashlib.sha256(bytes([16])).digest() * (1 << 15)).digest()
        running.process.send_signal(signal.SIGCONT)
        proc.wait_for("it to write what was kept", lambda: os.path.getsize(running.path) > 1 << 20)
        made.command("iscsiutil", "-n", "-S", instance_of(made, "plain"))
        result = running.end()
        assert result["dropped"] > 0, result
        assert 5 in blocks(running.path)
        lost = capfile.tshark(running.path, (1,), "-Y", "tcp.analysis.lost_segment")
        assert lost, "tshark sees no gap"
    with t.case("the driver goes on, and ends with a capture under way"):
        running = Capture(made, "last.pcapng")
        use(made, "plain", 1)
        made.driver.kill(signal.SIGTERM, limit=60)
        assert running.end()["pdus"] > 0
        assert blocks(running.path)[-1] == 5


def main():
    with tap.script() as t:
        capfile.need_tshark()
        istgt = Istgt()
        istgt.target("digests")
        with Tgt() as tgt:
            tgt.lun(tgt.target("plain"), 1)
            for suffix in ("uni", "mutual"):
                tid = tgt.target(suffix)
                tgt.lun(tid, 1)
                if suffix == "uni":
                    account(tgt, tid, "alice", OURS)
                else:
                    tgt.adm("account", "bind", tid=tid, user="alice")
                    account(tgt, tid, "tgt", THEIRS, outgoing=True)
            with istgt, Initiator() as made:
                t.show_on_failure(made)
                logins(t, made, tgt, istgt)
                planted(t, made, os.path.join(box.directory(), "plain.pcapng"))
                limits(t, made, tgt)
                stalled(t, made)
        ipv6(t)
        outage(t)


main()
