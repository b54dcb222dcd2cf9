"""What survives: the registry and the instances after kill -9, a restart, a target that went and came back."""
import os
import threading

import pattern
import tap
from initiator import Initiator
from tgt import Tgt

NAME = "iqn.2026-11.org.example:persistent"


def identity(initiator):
    """Everything about the tree that must not move."""
    return sorted((n["hw_path"], n["class"], n["instance"], n.get("designator"), n.get("target_name"))
                  for n in initiator.tree())


def settings(initiator):
    own = initiator.request("initiator.get")
    return own["name"], own["alias"], sorted((d["address"], d["port"], d["tpgt"])
                                             for d in initiator.request("discovery.list")["targets"])


def killed(t, initiator, tgt):
    with t.case("kill -9 of the driver, a new one: same settings, same hardware paths and instances, same data"):
        before, tree = settings(initiator), identity(initiator)
        disk = initiator.disk("one", 1)
        block = os.urandom(4096)
        pattern.write_at(disk["file"], 8192, block)
        initiator.driver.kill()
        initiator.restart_driver()
        assert settings(initiator) == before, (settings(initiator), before)
        initiator.request("scan")
        assert identity(initiator) == tree, (identity(initiator), tree)
        assert pattern.read_at(initiator.disk("one", 1)["file"], 8192, 4096) == block


def killed_while_writing(t, initiator):
    with t.case("kill -9 in the middle of changes, ten times: the registry is never half-written", 120):
        for round_number in range(10):
            added = []

            def add(first=20000 + 100 * round_number):
                for port in range(first, first + 100):
                    try:
                        initiator.request("discovery.add", address="192.0.2.1", port=port)
                    except (OSError, AssertionError, ValueError):
                        return
                    added.append(port)
            thread = threading.Thread(target=add)
            thread.start()
            while thread.is_alive() and len(added) < 3 + 2 * round_number:
                thread.join(0.001)
            initiator.driver.kill()
            thread.join()
            initiator.restart_driver()
            stored = {d["port"] for d in initiator.request("discovery.list")["targets"] if d["address"] == "192.0.2.1"}
            assert set(added) <= stored, "acknowledged and lost: %s" % sorted(set(added) - stored)
            for port in stored:
                initiator.request("discovery.remove", address="192.0.2.1", port=port)


def gone_and_back(t, initiator, tgt):
    with t.case("a LUN that is gone is shown as NO_HW and keeps its place for when it returns", 120):
        before = identity(initiator)
        node = initiator.disk("one", 2)
        initiator.request("session.logout", instance=node["session_instance"])
        tgt.adm("logicalunit", "delete", tid=1, lun=2)
        initiator.request("scan", limit=90)
        state = {n["hw_path"]: n["sw_state"] for n in initiator.tree()}
        assert state[node["hw_path"]] == "NO_HW", state
        out = initiator.command("ioscan", "-k", "-f", "-H", node["hw_path"]).out
        assert "NO_HW" in out, out
        tgt.adm("logicalunit", "new", tid=1, lun=2, backing_store=os.path.join(tgt.dir, "t1-l2"))
        tgt.adm("logicalunit", "update", tid=1, lun=2, params="scsi_sn=SN00010002")
        initiator.request("session.logout", instance=initiator.disk("one", 1)["session_instance"])
        initiator.request("scan", limit=90)
        state = {n["hw_path"]: n["sw_state"] for n in initiator.tree()}
        assert state[node["hw_path"]] == "CLAIMED", state
        assert identity(initiator) == before, (identity(initiator), before)


def main():
    with tap.script() as t, Tgt() as tgt:
        tid = tgt.target("one")
        for lun in (1, 2, 9):
            tgt.lun(tid, lun)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            with t.case("an initiator name that was made stays the same; one that is set replaces it"):
                made = settings(initiator)[0]
                assert made.startswith("iqn."), made
                initiator.command("iscsiutil", "-i", "-N", NAME, "-A", "the alias")
                assert settings(initiator)[:2] == (NAME, "the alias")
            initiator.discover(tgt)
            with t.case("the target sees the configured name"):
                assert tgt.sessions(1) == [NAME], tgt.sessions(1)
            killed(t, initiator, tgt)
            killed_while_writing(t, initiator)
            initiator.request("scan")
            gone_and_back(t, initiator, tgt)
        with t.case("a gentle stop and a new start: the same, too"):
            with Initiator() as again:
                assert settings(again)[:2] == (NAME, "the alias"), settings(again)


main()
