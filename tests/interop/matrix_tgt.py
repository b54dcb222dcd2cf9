"""Every combination of digests, burst sizes, ImmediateData and InitialR2T against tgt: one target each, all in one initiator.

tgt announces what a target of it is told; the initiator offers its defaults, so the target's side decides.
"""
import itertools
import os

import box
import pattern
import tap
from initiator import Initiator
from tgt import Tgt

DIGESTS = [("None", "None"), ("CRC32C", "None"), ("None", "CRC32C"), ("CRC32C", "CRC32C")]
BURSTS = {
    "small": {"MaxRecvDataSegmentLength": 1024, "FirstBurstLength": 2048, "MaxBurstLength": 4096, "MaxOutstandingR2T": 1},
    "large": {"MaxRecvDataSegmentLength": 262144, "FirstBurstLength": 262144, "MaxBurstLength": 1048576,
              "MaxOutstandingR2T": 4},
}
NO_YES = ("No", "Yes")


def combinations():
    """Their keys, in words and as the target is told them."""
    for (header, data), burst, immediate, initial in itertools.product(DIGESTS, BURSTS, NO_YES, NO_YES):
        words = "HeaderDigest=%s DataDigest=%s, %s bursts, ImmediateData=%s InitialR2T=%s" % (
            header, data, burst, immediate, initial)
        yield words, dict(BURSTS[burst], HeaderDigest=header, DataDigest=data, ImmediateData=immediate, InitialR2T=initial)


def negotiated(initiator, name):
    sessions = [s for s in initiator.request("session.list")["sessions"] if s["target_name"] == name]
    assert len(sessions) == 1, "%d sessions with %s" % (len(sessions), name)
    return sessions[0]["connections"][0]["negotiated"]


def expect_keys(got, told):
    for key, value in told.items():
        if key == "MaxRecvDataSegmentLength":
            continue  # each side declares its own
        if key.startswith("Max") or key.startswith("First"):
            assert int(got[key]) <= value, "%s=%s, the target allows %s" % (key, got[key], value)
        else:
            assert got[key] == value, "%s=%s, the target says %s" % (key, got[key], value)


def main():
    with tap.script() as t, Tgt() as tgt:
        t.show_on_failure(tgt)
        told = []
        for words, keys in combinations():
            tid = tgt.target("m%d" % (len(told) + 1), **keys)
            told.append((words, keys, tgt.names[-1], tgt.lun(tid, 1, size=16 << 20)))
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt)
            for number, (words, keys, name, backing) in enumerate(told, 1):
                with t.case(words):
                    expect_keys(negotiated(initiator, name), keys)
                    node = initiator.disk("m%d" % number, 1)
                    shadow = os.path.join(box.directory(), "shadow%d" % number)
                    disk = pattern.Disk(node["file"], backing, shadow, seed=number)
                    disk.write_patterns(8, 1024)
                    disk.check()


main()
