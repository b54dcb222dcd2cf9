"""libnbd's own tests against our server: its programs and scripts as Debian's source package has them, with a program called nbdkit that
leads to disks of ours (tests/lib/nbdkit.py).  What they ask of another server (oldstyle, TLS, metadata contexts, plugins of theirs) is
left out and named below.  ./check --long; OPENISW_LIBNBD: a directory in which the sources are kept for the next time."""
import glob
import json
import os
import shutil
import sys

import box
import proc
import tap
from initiator import Initiator
from tgt import Tgt

box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]
MIB = 1 << 20
PROGRAMS = """
    errors-enum errors-bitmask errors-not-connected errors-name-too-long errors-poll-no-fd errors-connect-null errors-connect-twice
    errors-not-negotiating errors-notify-not-blocked errors-bad-cookie errors-pread-structured errors-server-invalid-offset
    errors-client-oversize errors-client-unadvertised-cmd errors-server-unadvertised-cmd
    errors-client-unknown-flags errors-server-unknown-flags errors-client-zerosize errors-server-zerosize
    server-death shutdown-flags get-size read-only-flag read-write-flag opt-abort connect-systemd-socket-activation connect-unix
    connect-tcp connect-tcp6 aio-connect closure-lifetimes pread-initialize aio-parallel aio-parallel-load synch-parallel""".split()
# eflags.c, compiled once for each: what is asked of the disk, and what it answers
FLAGS = (("can_flush", "true"), ("can_fua", "native"), ("can_fua", "none"), ("is_rotational", "false"), ("can_trim", "true"), ("can_trim", "false"),
         ("can_zero", "true"), ("can_zero", "false"), ("can_fast_zero", "false"), ("can_df", "true"), ("can_df", "false"),
         ("can_multi_conn", "true"), ("can_cache", "none"))
SCRIPTS = ["tests/" + name for name in ("aio-parallel.sh", "aio-parallel-load.sh", "synch-parallel.sh")] + \
    ["copy/" + name for name in ("copy-nbd-to-nbd.sh", "copy-nbd-to-null.sh", "copy-nbd-to-small-nbd-error.sh", "copy-nbd-to-stdout.sh",
                                 "copy-stdin-to-nbd.sh", "copy-zero-to-nbd.sh", "test-verbose.sh")] + \
    ["info/" + name for name in ("info-can-connect.sh", "info-can-read.sh", "info-cmd-json.sh", "info-cmd-size.sh",
                                 "info-is-read-only.sh", "info-size.sh")] + \
    ["fuse/" + name for name in ("test-nbdkit.sh", "test-nbdkit-command.sh", "test-parallel.sh", "test-unix.sh")]
PYTHON = ("200-connect-command", "210-opt-abort", "300-get-size", "400-pread", "405-pread-structured", "500-aio-pread", "505-aio-pread-callback",
          "600-debug-callback")
# disks: what nbdkit.py asks for -> how tgt makes them
DISKS = {"null %d" % n: {} for n in (MIB, 512, 123456512)}
DISKS.update({"memory %d" % n: {} for n in (MIB, 2 * MIB, 5 * MIB, 10 * MIB, 64 * MIB, 65 * MIB, 512 * MIB)})
DISKS.update({"pattern %d" % n: {} for n in (512, 1024, 5 * MIB, 8 * MIB, 10 * MIB, 64 * MIB)})
DISKS.update({"eval 512": {}, "slow %d" % MIB: {"thin_provisioning": 1}, "slow 512": {}, "thin %d" % MIB: {"thin_provisioning": 1}, "locked %d" % MIB: {"readonly": 1}})
DELAY = "5s"
# A disk has whole blocks: get-size's odd number is the last one that does.
EDITS = (("tests/get-size.c", "123456789", "123456512"),)
# Not asked: oldstyle (there is none), newstyle-limited, opt-list, opt-info, opt-list-meta, errors-multiple-disconnects, 220, 230, 240 (exports
# and answers of plugins of theirs; nbd_libnbd.py asks it of a disk), meta-base-allocation, 460, info-map-* (no metadata contexts),
# errors-*-unaligned (of a server that refuses what ours does), connect-tls, *-tls, copy-tls (Unix sockets need none), connect-uri,
# can-not-flush, can-not-multi-conn, is-rotational, can-fast-zero, can-cache (flags that no disk of ours has, or none lacks), 410, 510, 590
# (a file behind their server), copy-sparse*, copy-nbd-error and what else wants its data, size or errors of a plugin.


class Source:
    """libnbd as Debian's source package has it."""

    def __init__(self):
        self.dir = os.environ.get("OPENISW_LIBNBD") or os.path.join(box.directory(), "libnbd")
        os.makedirs(os.path.join(self.dir, "lists", "partial"), exist_ok=True)
        found = self.found() or self.fetch()
        self.top = os.path.join(box.directory(), "work")
        shutil.copytree(found, self.top)

    def found(self):
        return next(iter(glob.glob(os.path.join(self.dir, "libnbd-*", ""))), None)

    def fetch(self):
        archives = proc.run("apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)").out.splitlines()
        archives = [a for a in archives if "-" not in a.rsplit(None, 1)[-1]]  # not of updates, or of security alone
        if not archives:
            raise tap.Skip("libnbd's source is not to be had: apt knows no archive")
        with open(os.path.join(self.dir, "source.list"), "w", encoding="utf-8") as f:
            f.write("deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s main\n" % archives[0])
        settings = {"Dir::Etc::sourcelist": "source.list", "Dir::State::lists": "lists", "Dir::Cache::pkgcache": "p.bin",
                    "Dir::Cache::srcpkgcache": "s.bin"}
        options = [word for key, value in settings.items() for word in ("-o", "%s=%s" % (key, os.path.join(self.dir, value)))]
        options += ["-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root"]
        for words in (("update",), ("source", "libnbd")):
            got = proc.run("apt-get", *options, *words, cwd=self.dir, limit=300, ok=None)
        if got.code or not self.found():
            raise tap.Skip("libnbd's source is not to be had: %s" % got.err.strip()[-200:])
        return self.found()

    def path(self, *names):
        return os.path.join(self.top, *names)

    def prepare(self):
        """What its configure would have made, and EDITS."""
        with open(self.path("config.h"), "w", encoding="ascii") as f:
            f.write("#define PACKAGE_VERSION \"1.14\"\n#define HAVE_BYTESWAP_H 1\n#define HAVE_ENDIAN_H 1\n#define HAVE_STDATOMIC_H 1\n")
        self.edit("tests/functions.sh.in", "@abs_top_srcdir@", self.top, "tests/functions.sh")
        for name, old, new in EDITS:
            self.edit(name, old, new)

    def edit(self, name, old, new, to=None):
        with open(self.path(name), encoding="utf-8") as f:
            text = f.read()
        assert old in text, "%s has no %s" % (name, old)
        with open(self.path(to or name), "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))

    def compile(self, name, source, *defines):
        more = [self.path("tests", f) for f in ("requires.c", "pick-a-port.c")]
        proc.run("gcc", "-w", "-D_GNU_SOURCE", "-I" + self.top, "-I" + self.path("tests"), "-I" + self.path("common", "include"), *defines,
                 "-o", self.path("tests", name), self.path("tests", source), *more, "-lnbd", "-lpthread", limit=100)


class Ours:
    """The disks, and the environment in which nbdkit is a way to them."""

    def __init__(self, tgt, made):
        tid = tgt.target("libnbd")
        for lun, (name, params) in enumerate(DISKS.items(), 1):
            tgt.lun(tid, lun, size=int(name.split()[1]), **params)
        made.command("iscsiutil", "-t", "Exporter", "nbd")
        for lun, name in enumerate(DISKS, 1):
            if name.startswith("slow"):
                made.command("iscsiutil", "-t", "Filters", "lun=%d" % lun, "delay=%s" % DELAY)
        made.discover(tgt)
        made.command("insf", "-H", "255")
        sockets = {name: proc.wait_for("the socket of " + name, lambda: made.disk("libnbd", lun).get("nbd"), limit=10)
                   for lun, name in enumerate(DISKS, 1)}
        programs = os.path.join(box.directory(), "programs")
        os.mkdir(programs)
        with open(os.path.join(programs, "nbdkit"), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\nexec '%s' '%s' \"$@\"\n" % (sys.executable, shutil.which("nbdkit.py", mode=os.F_OK, path=os.environ["PYTHONPATH"])))
        os.chmod(f.name, 0o755)
        self.env = dict(os.environ, PATH=programs + ":" + os.environ["PATH"], OPENISW_NBDKIT=json.dumps(sockets), VG="", srcdir=".",
                        PYTHONPATH=os.environ["PYTHONPATH"] + ":/usr/lib/python3/dist-packages")

    def run(self, source, folder, *argv):
        ran = proc.run(*argv, env=self.env, cwd=source.path(folder), limit=100, ok=None)
        if ran.code == 77:
            raise tap.Skip((ran.out + ran.err).strip().splitlines()[-1])
        assert ran.code == 0, ran


def main():
    with tap.script() as t:
        missing = [p for p in ("gcc", "apt-get", "dpkg-source", "tgtd") if not shutil.which(p)]
        if missing or not os.path.exists("/usr/include/libnbd.h"):
            raise tap.Skip("%s are needed" % ", ".join(missing or ["libnbd's headers"]))
        source = Source()
        source.prepare()
        if box.isolated():
            box.own_network()
        with Tgt() as tgt, Initiator("libnbd") as made:
            t.show_on_failure(made)
            ours = Ours(tgt, made)
            for name in PROGRAMS:
                with t.case("tests/" + name, limit=200):
                    source.compile(name, name + ".c")
                    if not name.endswith(("-parallel", "-load")):  # which their scripts run
                        ours.run(source, "tests", "./" + name)
            for flag, value in FLAGS:
                with t.case("tests/eflags: %s is %s" % (flag, value), limit=200):
                    more = ("-Dno_sr",) if (flag, value) == ("can_df", "false") else ()
                    source.compile("eflags", "eflags.c", "-Dflag=" + flag, "-Dvalue=" + value, *more)
                    ours.run(source, "tests", "./eflags")
            for name in SCRIPTS:
                with t.case(name, limit=200):
                    ours.run(source, os.path.dirname(name), "bash", "./" + os.path.basename(name))
            for name in PYTHON:
                with t.case("python/t/" + name, limit=200):
                    ours.run(source, "python/t", sys.executable, "./%s.py" % name)


main()
