"""An initiator in a network namespace, as "ip netns exec" starts it: its disks are there for everybody."""
import os

import box
import proc
import tap
from initiator import BUILD, Initiator, have_loop
from tgt import Tgt

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


class Inside(Tgt):
    """A target that only the namespace reaches."""

    def start(self):
        argv = ["nsenter", "--net=/run/netns/far", *self.daemon.argv]
        self.daemon = proc.Daemon(*argv, log=self.log, env=self.env, ignores_term=True)
        self.daemon.start()
        proc.wait_for("tgtd to answer", lambda: proc.run(
            "tgtadm", "-C", self.control, "--mode", "sys", "--op", "show", env=self.env, ok=None).code == 0)
        return self


def main():
    with tap.script() as t:
        if not box.isolated() or not have_loop():
            raise tap.Skip("root, namespaces and loop devices are needed")
        # Names of network namespaces are files there: the test's own.
        proc.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        proc.run("ip", "netns", "add", "far")
        proc.run("ip", "-n", "far", "link", "set", "lo", "up")
        initiator = Initiator()
        env = dict(initiator.env, OPENISW_BIN=os.path.join(BUILD, "tree", "bin"))
        iscsi = os.path.join(TOP, "dist", "iscsi")
        far = ("ip", "netns", "exec", "far")
        with Inside() as tgt:
            file = tgt.lun(tgt.target("far"), 1)
            with t.case("ip netns exec NS iscsi start: the disks are read and written from inside and outside of it"):
                done = proc.run(*far, iscsi, "start", env=env, limit=100)
                proc.run(*far, initiator.program("iscsiutil"), "-a", "-I", "127.0.0.1", "-P", tgt.port, env=env)
                proc.run(*far, initiator.program("ioscan"), "-H", "255", env=env, limit=60)
                proc.run(*far, initiator.program("insf"), "-H", "255", env=env)
                for kind in ("dsk", "rdsk"):
                    disk = initiator.path("dev", kind, "c0t0d1")
                    for where in ((), far):
                        text = "%s%d" % (kind, len(where))
                        proc.run(*where, "dd", "of=" + disk, "bs=512", "conv=sync,notrunc,fsync", stdin=text)
                        with open(file, "rb") as f:
                            assert f.read(len(text)) == text.encode(), (text, done)
            with t.case("and it is stopped from there"):
                done = proc.run(*far, iscsi, "stop", env=env, limit=100)
                assert not os.listdir(initiator.path("dev", "dsk")), done
            with t.case("the same under iscsi supervise"):
                log = os.path.join(box.directory(), "supervise.log")
                supervisor = proc.Daemon(*far, iscsi, "supervise", log=log, env=env).start()
                proc.wait_for("the disk's file", lambda: os.path.exists(initiator.path("dev", "rdsk", "c0t0d1")), 60)
                supervisor.stop()
                assert supervisor.process.returncode == 0, supervisor.tail()


main()
