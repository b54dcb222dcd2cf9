"""Before the network: known disks wait in silence; afterwards they come by themselves (the guide, chapter 7)."""
import box
import pattern
import proc
import tap
from initiator import Initiator, have_fuse
from tgt import Tgt

ADDRESS = "192.0.2.1"


def network(up):
    proc.run("ip", "address", "replace" if up else "delete", ADDRESS + "/24", "dev", "wire")
    proc.run("ip", "link", "set", "wire", "up" if up else "down")


def told(initiator, since):
    """What was said at level warn or above since a line of the log."""
    with open(initiator.log, errors="replace") as f:
        return [line for line in f.read().splitlines()[since:] if " warn: " in line or " err: " in line]


def main():
    with tap.script() as t:
        if not box.isolated() or not have_fuse():
            raise tap.Skip("a network to switch off needs a namespace of our own, and /dev/fuse")
        proc.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "end")
        proc.run("ip", "link", "set", "end", "up")
        network(True)
        with Tgt(portals=(ADDRESS,)) as tgt, Initiator() as initiator:
            t.show_on_failure(initiator)
            tgt.lun(tgt.target("far"), 1)
            initiator.discover(tgt)
            initiator.command("insf", "-H", "255")
            initiator.driver.kill()
            network(False)
            proc.run("ip", "link", "set", "end", "down")
            with open(initiator.log, errors="replace") as f:
                since = len(f.read().splitlines())
            with t.case("without a network the driver starts, and has nothing to complain of"):
                initiator.restart_driver()
                result = initiator.request("scan", 60)
                assert result["sessions"]["online"] == 0 and not result["failures"], result
                said = [line for line in told(initiator, since) if "iscsi_driverd" in line and "connect" in line]
                assert not said, said
            with t.case("ioscan says once that there is none, with what to look at, and that is no failure"):
                shown = initiator.command("ioscan")
                assert shown.err.startswith("ioscan: network: there is none yet, only the loopback: ") and shown.err.count("\n") == 1, shown
                assert "2 addresses could not be asked. Next: 'ip link'" in shown.err, shown
                assert ADDRESS not in shown.err, shown
            with t.case("when the network comes, so do the disks"):
                network(True)
                proc.run("ip", "link", "set", "end", "up")
                assert not [e for e in initiator.request("scan", 60)["empty"] if e["what"] == "network"]
                proc.wait_for("the disk", lambda: initiator.disk("far", 1).get("file"), limit=60)
                assert pattern.read_at(initiator.disk("far", 1)["file"], 0, 4096) == bytes(4096)
            with t.case("when it goes again, that is told"):
                network(False)
                proc.wait_for("the loss", lambda: initiator.request("session.list")["sessions"][0]["state"] != "online", limit=30)
                out = initiator.command("ioscan", ok=(1, 4))
                assert "discovery at " + ADDRESS in out.err and "the network is unreachable" in out.err, out


main()
