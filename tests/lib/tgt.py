"""tgt: a tgtd of our own, with its own control socket, portal and files."""
import os

import box
import net
import proc

MIB = 1 << 20


class Tgt:
    """A running tgtd.

    tgtd ignores SIGTERM once it has a target, so it is ended with SIGKILL.
    """

    def __init__(self, name="tgt", portals=("127.0.0.1",)):
        self.dir = os.path.join(box.directory(), name)
        os.makedirs(self.dir, exist_ok=True)
        self.portals = [(host, net.free_port(host)) for host in portals]
        self.control = 1  # only a suffix of the socket's own path
        self.env = dict(os.environ, TGT_IPC_SOCKET=os.path.join(self.dir, "control"))
        self.daemon = proc.Daemon("tgtd", "-f", "-C", self.control, "--iscsi", "portal=" + self.portal(0),
                                  log=os.path.join(self.dir, "tgtd.log"), env=self.env, ignores_term=True)
        self.names = []

    @property
    def log(self):
        return self.daemon.log

    @property
    def host(self):
        return self.portals[0][0]

    @property
    def port(self):
        return self.portals[0][1]

    def portal(self, i):
        host, port = self.portals[i]
        return "[%s]:%d" % (host, port) if ":" in host else "%s:%d" % (host, port)

    def tail(self):
        return self.daemon.tail()

    def adm(self, mode, op, *words, **options):
        argv = ["tgtadm", "-C", self.control, "--lld", "iscsi", "--mode", mode, "--op", op]
        for key, value in options.items():
            argv += ["--" + key.replace("_", "-"), value]
        return proc.run(*argv, *words, env=self.env)

    def start(self):
        self.daemon.start()

        def answers():
            if not self.daemon.alive():
                raise proc.Failed("tgtd ended at once: %s" % "\n".join(self.tail()))
            return proc.run("tgtadm", "-C", self.control, "--mode", "sys", "--op", "show", env=self.env, ok=None).code == 0
        proc.wait_for("tgtd to answer", answers)
        for i in range(1, len(self.portals)):
            self.adm("portal", "new", param="portal=" + self.portal(i))
        for host, port in self.portals:
            proc.wait_for("tgtd to listen at %s port %d" % (host, port), lambda: net.listening(port))
        return self

    def restart(self, targets=()):
        """After stop(): the same ports, no targets."""
        self.names = []
        return self.start()

    def target(self, suffix, allow="ALL", **keys):
        """Makes a target; keys are iSCSI keys as tgtadm spells them; allow: who may log in, None: nobody yet.  Returns its tid."""
        tid = len(self.names) + 1
        name = "iqn.2026-11.org.example:" + suffix
        self.adm("target", "new", tid=tid, targetname=name)
        for key, value in keys.items():
            self.adm("target", "update", tid=tid, name=key, value=value)
        if allow:
            self.allow(tid, allow)
        self.names.append(name)
        return tid

    def allow(self, tid, address="ALL"):
        self.adm("target", "bind", tid=tid, initiator_address=address)

    def lun(self, tid, lun, size=32 * MIB, blocksize=512, **params):
        """Makes a LUN on a sparse file, which keeps what an earlier life of tgtd wrote.  Returns the file."""
        path = os.path.join(self.dir, "t%d-l%d" % (tid, lun))
        with open(path, "ab") as f:
            f.truncate(size)
        self.adm("logicalunit", "new", tid=tid, lun=lun, backing_store=path, blocksize=blocksize)
        params.setdefault("scsi_sn", "SN%04d%04d" % (tid, lun))
        self.adm("logicalunit", "update", tid=tid, lun=lun, params=",".join("%s=%s" % p for p in params.items()))
        return path

    def sessions(self, tid):
        """Initiator names of the sessions the target has now."""
        out = self.adm("target", "show").out
        part = out.split("Target %d: " % tid, 1)[1].split("\nTarget ", 1)[0]
        return [line.split()[1] for line in part.splitlines() if line.strip().startswith("Initiator: ")]

    def stop(self):
        self.daemon.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
