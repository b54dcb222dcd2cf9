"""A LUN must be the same LUN after each login: one that changed its identity gets no I/O; one that grew is grown."""
import errno
import json
import os
import signal
import threading

import pattern
import proc
import tap
import writers
from initiator import Initiator, have_fuse
from tgt import Tgt

SMALL, LARGE = 32 << 20, 48 << 20


def again(tgt, initiator, size=SMALL, **params):
    """The target comes back after a crash, with one LUN that may be another."""
    tgt.daemon.kill(signal.SIGKILL)
    tgt.start()
    tgt.names = []
    path = tgt.lun(tgt.target("same"), 1, size=size, **params)
    return path


class OneWrite(threading.Thread):
    """A write that is under way while things change."""

    def __init__(self, path, data):
        super().__init__(daemon=True)
        self.path, self.data, self.error = path, data, None

    def run(self):
        try:
            pattern.write_at(self.path, 1 << 20, self.data)
        except OSError as e:
            self.error = e


def events(initiator):
    out = initiator.command("iscsiutil", "--events", "--json").out
    return [e["id"] for e in json.loads(out)["events"]] if out.lstrip().startswith("{\n") else \
        [json.loads(line)["id"] for line in out.splitlines()]


def online(initiator):
    return initiator.request("session.list")["sessions"][0]["state"] == "online"


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        t.show_on_failure(initiator)
        backing = tgt.lun(tgt.target("same"), 1, size=SMALL, scsi_sn="FIRST", scsi_id="IET-FIRST")
        initiator.discover(tgt)
        disk = initiator.disk("same", 1)
        path, old = disk["file"], os.urandom(1 << 16)
        pattern.write_at(path, 0, old)
        with t.case("another LUN in the same place gets no I/O, and the administrator is told"):
            again(tgt, initiator, scsi_sn="OTHER", scsi_id="IET-OTHER")
            write = OneWrite(path, os.urandom(1 << 16))
            write.start()
            proc.wait_for("the session to be back", lambda: online(initiator), limit=60)
            write.join(60)
            assert not write.is_alive(), "the write hangs"
            assert write.error and write.error.errno in (errno.EIO, errno.ENXIO), write.error
            assert pattern.read_at(backing, 1 << 20, 1 << 16) == bytes(1 << 16), "a write went to another LUN"
            proc.wait_for("the log to say so", lambda: any("is not the unit that it was" in line for line in initiator.tail()), limit=5)
        with t.case("when the LUN is itself again, so is the disk"):
            again(tgt, initiator, scsi_sn="FIRST", scsi_id="IET-FIRST")
            proc.wait_for("the session to be back", lambda: online(initiator), limit=60)
            # Nobody scans: the unit says so itself.
            proc.wait_for("the disk to be claimed", lambda: initiator.disk("same", 1)["sw_state"] == "CLAIMED", limit=30)
            assert pattern.read_at(path, 0, len(old)) == old
            said = events(initiator)
            assert "OPENISW_LOG_UNIT_OTHER" in said and "OPENISW_LOG_UNIT_BACK" in said, said
        with t.case("a LUN that is gone is waited for, and there again without a scan"):
            tgt.daemon.kill(signal.SIGKILL)
            tgt.start()
            tgt.names = []
            tid = tgt.target("same")
            proc.wait_for("the disk to be missed", lambda: "OPENISW_LOG_UNIT_ABSENT" in events(initiator), limit=60)
            read = threading.Thread(target=pattern.read_at, args=(path, 0, 4096), daemon=True)
            read.start()
            tgt.lun(tid, 1, size=SMALL, scsi_sn="FIRST", scsi_id="IET-FIRST")
            proc.wait_for("the disk to be claimed", lambda: initiator.disk("same", 1)["sw_state"] == "CLAIMED", limit=60)
            read.join(30)
            assert not read.is_alive(), "the read hangs"
        with t.case("a LUN that grew is larger after the next login"):
            again(tgt, initiator, size=LARGE, scsi_sn="FIRST", scsi_id="IET-FIRST")
            proc.wait_for("the disk to be larger", lambda: initiator.disk("same", 1)["size_bytes"] == LARGE, limit=60)
            end = os.urandom(writers.BLOCK)
            pattern.write_at(path, LARGE - len(end), end)
            assert pattern.read_at(backing, LARGE - len(end), len(end)) == end
            assert os.path.getsize(path) == LARGE


main()
