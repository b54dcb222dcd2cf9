"""iscsiutil --capture beside a test, and what tshark and iscsi-replay make of its file."""
import collections
import json
import os
import shutil
import signal
import subprocess

import box
import proc
import tap

# Opcodes of RFC 7143, section 11.2.1.2, as tshark prints them.
REQUESTS, ANSWERS = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06), (0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f)


class Capture:
    """One that runs.  words: more of iscsiutil's options."""

    def __init__(self, made, name, *words):
        self.path = os.path.join(box.directory(), name)
        self.err = self.path + ".err"
        self.words = words
        with open(self.err, "wb") as err:
            self.process = subprocess.Popen([made.program("iscsiutil"), "--capture", self.path, "--json", *[str(w) for w in words]], env=made.env,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err, preexec_fn=box.die_with_parent)
        # The file's head is written when the driver listens.
        proc.wait_for("the capture to begin", lambda: self.process.poll() is not None or (os.path.exists(self.path) and os.path.getsize(self.path)))

    def end(self, number=signal.SIGINT, limit=20):
        """What it counted."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        out, _ = self.process.communicate(timeout=limit)
        if self.process.returncode != 0:
            with open(self.err, encoding="utf-8", errors="replace") as f:
                raise proc.Failed("the capture ended with %d: %s" % (self.process.returncode, f.read()))
        return json.loads(out)["capture"]


def need_tshark():
    if not shutil.which("tshark"):
        raise tap.Skip("tshark is needed")


def tshark(path, ports, *words):
    # Said of the port itself, or a protocol that is known for the initiator's port, where that is the lower one, would come first.
    decode = [word for p in ports for word in ("-d", "tcp.port==%d,iscsi" % p)]
    return proc.run("tshark", "-r", path, "-o", "iscsi.target_ports:%s" % ",".join(str(p) for p in ports), *decode, *words, limit=60).out


def opcodes(path, ports):
    """How many PDUs of each opcode tshark finds; none of them is malformed."""
    bad = tshark(path, ports, "-Y", "_ws.malformed")
    assert bad == "", bad
    found = collections.Counter()
    for line in tshark(path, ports, "-T", "fields", "-e", "iscsi.opcode").splitlines():
        found.update(int(word, 0) for word in line.split(",") if word)
    return found


def counted(pdus):
    """The same of iscsi-replay's conversation."""
    return collections.Counter(p["opcode"] for p in pdus)


def replay(made, path, ok=(0,), *words):
    return json.loads(made.command("iscsi-replay", path, "--json", *words, ok=ok, limit=60).out)["connections"]


def must_be_equal(connections):
    """Those that were captured from their login on, of which there is one; returns them."""
    begun = [c for c in connections if c["conversation"] and c["conversation"][0]["opcode"] == 0x03]
    assert begun
    for c in begun:
        assert c["result"] == "equal" and c["replayed"] == c["pdus"], {k: v for k, v in c.items() if k != "conversation"}
    assert all(c["result"] == "not replayed" for c in connections if c not in begun)
    return begun
