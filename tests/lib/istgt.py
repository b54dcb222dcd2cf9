"""istgt: a target daemon of our own, from a configuration file that is written here."""
import os

import box
import net
import proc

MIB = 1 << 20

GLOBAL = """
[Global]
  NodeBase "iqn.2026-11.org.example"
  PidFile {dir}/istgt.pid
  AuthFile {dir}/auth.conf
  MediaDirectory {dir}
  LogFacility "local7"
  Timeout 30
  NopInInterval 20
  DiscoveryAuthMethod None
  MaxSessions 64
  MaxConnections 4
  MaxR2T 32
  MaxOutstandingR2T 16
  DefaultTime2Wait 2
  DefaultTime2Retain 60
  FirstBurstLength 262144
  MaxBurstLength 1048576
  MaxRecvDataSegmentLength 262144
  InitialR2T Yes
  ImmediateData Yes
  DataPDUInOrder Yes
  DataSequenceInOrder Yes
  ErrorRecoveryLevel 0

[UnitControl]
  AuthMethod None
  Portal UC1 127.0.0.1:{control}
  Netmask 127.0.0.1

{groups}

[InitiatorGroup1]
  InitiatorName "ALL"
  Netmask 127.0.0.0/8
  Netmask [::1]/128
"""


class Istgt:
    """Targets are declared with target() before it starts: istgt reads its configuration once.  grouped: each portal is a portal group."""

    def __init__(self, name="istgt", portals=("127.0.0.1",), grouped=False):
        self.dir = os.path.join(box.directory(), name)
        os.makedirs(self.dir, exist_ok=True)
        self.portals = [(host, net.free_port(host)) for host in portals]
        self.groups = len(portals) if grouped else 1
        self.control = net.free_port()
        self.config = os.path.join(self.dir, "istgt.conf")
        self.daemon = proc.Daemon("istgt", "-c", self.config, "-p", os.path.join(self.dir, "istgt.pid"), "-D",
                                  log=os.path.join(self.dir, "istgt.log"))
        self.units = []

    @property
    def log(self):
        return self.daemon.log

    @property
    def host(self):
        return self.portals[0][0]

    @property
    def port(self):
        return self.portals[0][1]

    def tail(self):
        return self.daemon.tail()

    def target(self, suffix, luns=(0,), size=32 * MIB, digests="Auto", blocksize=512, **keys):
        """Declares a target; keys are iSCSI keys.  Returns the files of its LUNs, in order."""
        number = len(self.units) + 1
        lines = ["[LogicalUnit%d]" % number, "  TargetName " + suffix, '  TargetAlias "%s"' % suffix,
                 *["  Mapping PortalGroup%d InitiatorGroup1" % (g + 1) for g in range(self.groups)],
                 "  AuthMethod None", "  UseDigest " + digests,
                 "  UnitType Disk", "  QueueDepth 32", "  BlockLength %d" % blocksize,
                 '  UnitInquiry "EXAMPLE" "iSCSI Disk" "0001" "%08d"' % number]
        lines += ["  %s %s" % (k, v) for k, v in keys.items()]
        files = []
        for lun in luns:
            path = os.path.join(self.dir, "u%d-l%d" % (number, lun))
            with open(path, "wb") as f:
                f.truncate(size)
            files.append(path)
            lines.append("  LUN%d Storage %s Auto" % (lun, path))
            lines.append('  LUN%d Option Serial "%04d%04d"' % (lun, number, lun))
        self.units.append("\n".join(lines))
        return files

    def start(self):
        groups = ["[PortalGroup%d]" % (g + 1) for g in range(self.groups)]
        for i, (host, port) in enumerate(self.portals):
            groups[i % self.groups] += "\n  Portal DA%d %s:%d" % (i + 1, "[%s]" % host if ":" in host else host, port)
        with open(self.config, "w") as f:
            f.write(GLOBAL.format(dir=self.dir, control=self.control, groups="\n\n".join(groups)))
            f.write("\n" + "\n\n".join(self.units) + "\n")
        with open(os.path.join(self.dir, "auth.conf"), "w") as f:
            os.fchmod(f.fileno(), 0o600)
        self.daemon.start()

        def listens():
            if not self.daemon.alive():
                raise proc.Failed("istgt ended at once: %s" % "\n".join(self.tail()))
            return all(net.listening(port) for _, port in self.portals)
        proc.wait_for("istgt to listen", listens)
        return self

    def stop(self):
        self.daemon.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
