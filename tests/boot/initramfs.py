"""A small guest: an initramfs with busybox, the programs of this build, tgtd and what they need; QEMU boots it without KVM.

Kernels come from Debian's own packages, of other suites than this machine's by lists of their own, so nothing that is installed here is
touched.  OPENISW_KERNELS: a directory in which they are kept for the next time.  OPENISW_CYCLES: for its script."""
import glob
import lzma
import os
import re
import shutil
import subprocess

import box
import proc

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ["OPENISW_BUILD"]
PROGRAMS = ("iscsi_driverd", "iscsi_holderd", "iswd", "iscsiutil", "ioscan", "insf", "rmsf")
TOOLS = ("tgtd", "tgtadm", "mkfs.ext4", "e2fsck", "blkdiscard", "fio", "nbd-client")
MODULES = ("tls", "ublk_drv", "nbd", "failover", "net_failover", "virtio_net", "crc32c_generic", "libcrc32c", "crc16", "mbcache", "jbd2", "ext4")
INIT = """#!/bin/sh
export LD_LIBRARY_PATH=/lib/x PATH=/usr/sbin:/usr/bin:/sbin:/bin CYCLES=%s
mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev; mkdir -p /dev/shm
for at in /dev/shm /tmp /run; do mount -t tmpfs t $at; done
ifconfig lo 127.0.0.1 up
sh /opt/%s 2>&1 </dev/null
echo ENDED; echo o >/proc/sysrq-trigger; sleep 5 # no-sleep-ok: it goes down
"""


class Suite:
    """The packages of another suite of this machine's own mirror."""

    def __init__(self, name, directory):
        self.name, self.dir = name, directory
        os.makedirs(os.path.join(directory, "lists", "partial"), exist_ok=True)
        uri = [u for u in proc.run("apt-get", "indextargets", "--format", "$(REPO_URI)").out.split() if "security" not in u][0]
        with open(os.path.join(directory, "suite.list"), "w", encoding="utf-8") as f:
            f.write("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n" % (uri, name))

    def apt(self, *words, limit=300):
        settings = {"Dir::Etc::sourcelist": "suite.list", "Dir::State::lists": "lists", "Dir::Cache::pkgcache": "p.bin",
                    "Dir::Cache::srcpkgcache": "s.bin"}
        options = [word for key, value in settings.items() for word in ("-o", "%s=%s" % (key, os.path.join(self.dir, value)))]
        return proc.run(words[0], *options, "-o", "Dir::Etc::sourceparts=-", "-o", "APT::Sandbox::User=root", *words[1:], cwd=self.dir, limit=limit)

    def kernel(self):
        """(vmlinuz, directory of its modules)."""
        self.apt("apt-get", "update")
        names, todo = [], ["linux-image-cloud-amd64"]
        while todo:
            name = todo.pop()
            names.append(name)
            depends = re.findall(r"Depends: (linux-(?:image|binary|modules)-\S+)", self.apt("apt-cache", "depends", name).out)
            todo += [d for d in depends if d not in names + todo]
        self.apt("apt-get", "download", *[n for n in names if re.search(r"\d", n.replace("amd64", ""))], limit=900)
        for deb in glob.glob(os.path.join(self.dir, "*.deb")):
            proc.run("dpkg", "-x", deb, os.path.join(self.dir, "root"), limit=300)
        return self.found()

    def found(self):
        kernel = glob.glob(os.path.join(self.dir, "root", "**", "vmlinuz*"), recursive=True)
        module = glob.glob(os.path.join(self.dir, "root", "**", "ublk_drv.ko*"), recursive=True)
        return (kernel[0], module[0].split("/kernel/")[0]) if kernel and module else None


class Guest:
    def __init__(self, name):
        self.root = os.path.join(box.directory(), "guest-" + name)
        self.image, self.console = self.root + ".img", self.root + ".log"
        for d in ("bin", "sbin", "dev", "proc", "sys", "tmp", "run", "opt", "mnt", "mod", "etc", "var/lib", "var/log", "usr/bin", "usr/sbin", "lib64", "lib/x"):
            os.makedirs(os.path.join(self.root, d))

    def put(self, path, to):
        """A program with its libraries."""
        shutil.copy(path, os.path.join(self.root, to))
        for library in re.findall(r"(/\S+)", proc.run("ldd", path, ok=None).out):
            at = os.path.join(self.root, "lib64" if "ld-linux" in library else "lib/x", os.path.basename(library))
            if not os.path.exists(at) and os.path.exists(library):
                shutil.copy(library, at)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.root, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, mode)

    def make(self, modules, script, more=()):
        """script: what it runs, beside guest.sh; more: files that are put beside it."""
        shutil.copy(shutil.which("busybox"), os.path.join(self.root, "bin"))
        for program in PROGRAMS:
            found = glob.glob(os.path.join(BUILD, "src", "**", program), recursive=True)
            self.put([f for f in found if os.path.isfile(f) and os.access(f, os.X_OK)][0], "usr/sbin")
        for tool in TOOLS:
            if shutil.which(tool):
                self.put(shutil.which(tool), "usr/bin" if tool == "fio" else "usr/sbin")
        for applet in proc.run("busybox", "--list").out.split():
            at = os.path.join(self.root, "bin", applet)
            if applet != "busybox" and not os.path.exists(os.path.join(self.root, "usr/sbin", applet)):
                os.symlink("busybox", at)
        self.put(os.path.join(BUILD, "tests", "boot", "verify"), "opt")
        for path in (script, os.path.join(HERE, "guest.sh"), os.path.join(HERE, "..", "..", "dist", "udev", "openisw-disk")):
            shutil.copy(path, os.path.join(self.root, "opt"))
        for path in more:
            self.put(path, "opt")
        for name in MODULES:
            for path in glob.glob(os.path.join(modules, "**", name + ".ko*"), recursive=True)[:1]:
                opened = lzma.open(path) if path.endswith(".xz") else open(path, "rb")
                with opened as f, open(os.path.join(self.root, "mod", name + ".ko"), "wb") as to:
                    shutil.copyfileobj(f, to)
        users = ["root:x:0:0::/:/bin/sh"] + ["openisw-%s:x:%d:%d::/:/bin/sh" % (u, n, n) for n, u in enumerate(("iswd", "resolvd"), 901)]
        self.write("etc/passwd", "\n".join(users) + "\n")
        self.write("etc/group", "".join("%s:x:%s:\n" % (u.split(":")[0], u.split(":")[3]) for u in users))
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("init", INIT % (os.environ.get("OPENISW_CYCLES", "1000"), os.path.basename(script)), 0o755)
        proc.run("sh", "-c", "cd %s && find . | cpio -o -H newc --quiet | gzip -1 >%s" % (self.root, self.image), limit=300)
        shutil.rmtree(self.root)

    def run(self, kernel, limit, port):
        """port: of a target of this machine's, which is at 10.0.2.2 there."""
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-m", "2048", "-smp", "2", "-display", "none",
                "-nodefaults", "-no-reboot", "-serial", "file:" + self.console, "-kernel", kernel, "-initrd", self.image,
                "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
                "-append", "console=ttyS0 panic=-1 quiet mitigations=off no_timer_check target=%d" % port]
        try:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=limit, check=False, preexec_fn=box.die_with_parent)
        except subprocess.TimeoutExpired:
            pass
        with open(self.console, encoding="utf-8", errors="replace") as f:
            return f.read().replace("\r", "")


def kernel_of(suite):
    directory = os.path.join(os.environ.get("OPENISW_KERNELS") or box.directory(), suite)
    os.makedirs(directory, exist_ok=True)
    s = Suite(suite, directory)
    return s.found() or s.kernel()
