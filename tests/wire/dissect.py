"""A whole session on the wire, read by somebody else: tshark finds no malformed PDU, and every kind of PDU we expect."""
import os
import re
import shutil
import signal
import socket

import box
import pattern
import proc
import tap
from initiator import Initiator
from tgt import Tgt

# Opcodes of RFC 7143, section 11.2.1.2, that such a session must have.
EXPECTED = {
    0x00: "NOP-Out", 0x01: "SCSI Command", 0x03: "Login Request", 0x04: "Text Request", 0x05: "SCSI Data-Out",
    0x06: "Logout Request", 0x20: "NOP-In", 0x21: "SCSI Response", 0x23: "Login Response", 0x24: "Text Response",
    0x25: "SCSI Data-In", 0x26: "Logout Response", 0x31: "R2T",
}
# SCSI commands: INQUIRY, READ CAPACITY or SERVICE ACTION IN, REPORT LUNS, and any READ and WRITE.
COMMANDS = [{0x12}, {0x25, 0x9e}, {0xa0}, {0x28, 0x88}, {0x2a, 0x8a}]
DIGESTS = ["None", "CRC32C"]


class Capture:
    """dumpcap on the loopback interface, from the moment it really captures."""

    def __init__(self, port):
        self.file = os.path.join(box.directory(), "session.pcap")
        self.port = port
        self.daemon = proc.Daemon("dumpcap", "-q", "-i", "lo", "-s", "0", "-B", "64", "-f", "port %d" % port,
                                  "-w", self.file, log=os.path.join(box.directory(), "dumpcap.log"))

    def __enter__(self):
        self.daemon.start()

        def captures():
            return not self.daemon.alive() or any(line.startswith("File:") for line in self.daemon.tail())
        proc.wait_for("dumpcap to begin", captures)
        if not self.daemon.alive():
            raise tap.Skip("capturing is not permitted here: " + " ".join(self.daemon.tail())[:200])
        return self

    def marked(self, marker):
        """Sends a datagram to the port; whether one was written to the file, and so everything before it."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(marker, ("127.0.0.1", self.port))
        with open(self.file, "rb") as f:
            return marker in f.read()

    def __exit__(self, *_):
        marker = os.urandom(16)
        proc.wait_for("dumpcap to write what it saw", lambda: self.marked(marker), every=0.1)
        self.daemon.kill(signal.SIGINT)

    def rows(self, display, *fields):
        """One list of strings a packet that matches."""
        argv = ["tshark", "-n", "-r", self.file, "-d", "tcp.port==%d,iscsi" % self.port, "-Y", display, "-T", "fields"]
        for field in fields:
            argv += ["-e", field]
        return [line.split("\t") for line in proc.run(*argv, limit=100).out.splitlines()]

    def numbers(self, display, field):
        found = set()
        for row in self.rows(display, field):
            found |= {int(word, 0) for word in row[0].split(",") if word}
        return found


def session(initiator, tgt):
    """Discovery, probing, reads, writes of all lengths, a ping, logout; for each digest combination."""
    initiator.discover(tgt)
    for suffix in ("none", "header", "data", "both"):
        node = initiator.disk(suffix, 1)
        for length in (512, 4096, 65536, 1 << 20):
            data = os.urandom(length)
            pattern.write_at(node["file"], 0, data)
            assert pattern.read_at(node["file"], 0, length) == data
        initiator.command("iscsiutil", "-n", "-S", node["session_instance"], "-L", 1000)
        initiator.command("iscsiutil", "-n", "-S", node["session_instance"], "-L", 0)
    for node in initiator.tree("disk"):
        initiator.request("session.logout", instance=node["session_instance"])


def main():
    with tap.script() as t, Tgt() as tgt:
        for program in ("dumpcap", "tshark"):
            if not shutil.which(program):
                raise tap.Skip(program + " is not installed")
        for suffix, header, data in (("none", 0, 0), ("header", 1, 0), ("data", 0, 1), ("both", 1, 1)):
            tid = tgt.target(suffix, HeaderDigest=DIGESTS[header], DataDigest=DIGESTS[data], FirstBurstLength=8192,
                             MaxBurstLength=65536, MaxRecvDataSegmentLength=8192, InitialR2T="Yes" if header else "No")
            tgt.lun(tid, 1)
        with Capture(tgt.port) as capture:
            with Initiator() as initiator:
                t.show_on_failure(initiator)
                with t.case("a session of every kind of PDU"):
                    session(initiator, tgt)
        with t.case("tshark sees every opcode that the session had"):
            seen = capture.numbers("iscsi", "iscsi.opcode")
            missing = [name for code, name in EXPECTED.items() if code not in seen]
            assert not missing, "missing: %s; seen: %s" % (missing, sorted(map(hex, seen)))
        with t.case("no packet is malformed"):
            bad = capture.rows("_ws.malformed || iscsi && _ws.expert.severity == error", "frame.number", "_ws.col.Info")
            assert not bad, bad[:20]
        with t.case("every SCSI command that the guide's scan needs is there"):
            seen = capture.numbers("iscsi.opcode == 0x01", "scsi_sbc.opcode") | \
                capture.numbers("iscsi.opcode == 0x01", "scsi.spc.opcode")
            for codes in COMMANDS:
                assert seen & codes, "none of %s in %s" % (sorted(map(hex, codes)), sorted(map(hex, seen)))
        with t.case("the target rejected nothing"):
            assert not capture.rows("iscsi.opcode == 0x3f", "frame.number")
        with t.case("all digests are right"):
            text = proc.run("tshark", "-n", "-r", capture.file, "-d", "tcp.port==%d,iscsi" % capture.port, "-O", "iscsi",
                            limit=100).out
            good = len(re.findall(r"Digest: 0x[0-9a-f]+ \(Good", text))
            wrong = re.findall(r".*Digest: 0x[0-9a-f]+ \(Bad.*", text)
            assert good > 20 and not wrong, "%d good, bad: %s" % (good, wrong[:5])


main()
