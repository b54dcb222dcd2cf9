"""Digests, burst sizes and ImmediateData against istgt, whose InitialR2T can only be Yes ("not supported value No")."""
import contextlib
import itertools
import os

import box
import pattern
import tap
from initiator import Initiator
from istgt import Istgt

# As istgt's configuration spells them, and what must come out of the negotiation.
DIGESTS = {"Auto": ("None", "None"), "Header": ("CRC32C", "None"), "Data": ("None", "CRC32C"),
           "Header Data": ("CRC32C", "CRC32C")}
BURSTS = {
    "small": {"MaxRecvDataSegmentLength": 4096, "FirstBurstLength": 4096, "MaxBurstLength": 8192, "MaxOutstandingR2T": 1},
    "large": {"MaxRecvDataSegmentLength": 262144, "FirstBurstLength": 262144, "MaxBurstLength": 1048576,
              "MaxOutstandingR2T": 8},
}


def main():
    with tap.script() as t, contextlib.ExitStack() as stack:
        # istgt accepts one connection a second, so each kind of digest has an istgt of its own.
        told, targets = [], []
        for digests in DIGESTS:
            targets.append(Istgt("istgt%d" % (len(targets) + 1)))
            for burst, immediate in itertools.product(BURSTS, ("No", "Yes")):
                suffix = "m%d" % (len(told) + 1)
                keys = dict(BURSTS[burst], ImmediateData=immediate)
                backing, = targets[-1].target(suffix, digests=digests, size=16 << 20, **keys)
                words = "UseDigest %s, %s bursts, ImmediateData=%s" % (digests, burst, immediate)
                told.append((words, digests, immediate, suffix, backing))
            t.show_on_failure(targets[-1])
            stack.enter_context(targets[-1])
        initiator = stack.enter_context(Initiator())
        t.show_on_failure(initiator)
        initiator.discover(*targets)
        sessions = {s["target_name"]: s for s in initiator.request("session.list")["sessions"]}
        for number, (words, digests, immediate, suffix, backing) in enumerate(told, 1):
            with t.case(words):
                got = sessions["iqn.2026-11.org.example:" + suffix]["connections"][0]["negotiated"]
                assert (got["HeaderDigest"], got["DataDigest"]) == DIGESTS[digests], got
                assert got["ImmediateData"] == immediate and got["InitialR2T"] == "Yes", got
                node = initiator.disk(suffix, 0)
                shadow = os.path.join(box.directory(), "shadow%d" % number)
                disk = pattern.Disk(node["file"], backing, shadow, seed=100 + number)
                disk.write_patterns(8, 1024)
                disk.check()
        with t.case("InitialR2T=No"):
            raise tap.Skip("istgt refuses a configuration that says so; tgt covers it")


main()
