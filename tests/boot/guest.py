"""A Debian under QEMU (without KVM: any machine will do), with the package installed: it boots, it is asked through a serial line,
it goes down, while the target is on the machine's side of a network of their own."""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import box
import proc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "package"))
from built import Built  # noqa: E402,F401 (found by the line above; for who imports this)
from place import Place  # noqa: E402

HOST, GUEST = "10.77.0.1", "10.77.0.2"
PACKAGES = ("systemd-sysv", "udev", "dbus", "kmod", "iproute2", "ifupdown", "e2fsprogs", "lvm2", "mdadm", "procps", "initramfs-tools",
            "linux-image-cloud-amd64")
MADE = ("vmlinuz", "initrd.img", "disk.img")
FILES = {
    "etc/hostname": "guest\n",
    "etc/hosts": "127.0.0.1 localhost guest\n%s storage.test\n" % HOST,
    "etc/fstab": "/dev/vda / ext4 errors=remount-ro 0 1\n",
    "etc/network/interfaces": "auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n\taddress %s/24\n" % GUEST,
    "etc/systemd/journald.conf.d/test.conf": "[Journal]\nStorage=persistent\n",
    # A shell that is there from before file systems are mounted until the very end.
    "etc/systemd/system/test-shell.service": """[Unit]
DefaultDependencies=no
IgnoreOnIsolate=yes
After=systemd-tmpfiles-setup-dev.service
[Service]
ExecStart=/bin/bash --norc --noprofile
StandardInput=tty-force
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS1
TTYReset=yes
Restart=always
RestartSec=0.2
KillMode=process
SendSIGHUP=yes
Environment=PS1= TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin
""",
}


class Network:
    """A network namespace with the guest's cable in it; it ends with the process that holds it."""

    def __init__(self):
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=box.die_with_parent)
        own = os.readlink("/proc/self/ns/net")
        proc.wait_for("a network of its own", lambda: os.readlink("/proc/%d/ns/net" % self.holder.pid) != own)
        for words in ("link set lo up", "tuntap add tap0 mode tap", "addr add %s/24 dev tap0" % HOST, "link set tap0 up"):
            proc.run(*self.inside("ip", *words.split()))

    def inside(self, *argv):
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holder.pid, *argv]

    def stop(self):
        self.holder.kill()
        self.holder.wait()


class Guest:
    more = ()  # packages that are there beside PACKAGES

    def __init__(self, network):
        self.network, self.dir, self.qemu = network, os.path.join(box.directory(), "guest"), None
        os.makedirs(self.dir, exist_ok=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def make(self, deb):
        """OPENISW_GUEST in the environment: where one is kept that was made before."""
        kept = os.environ.get("OPENISW_GUEST")
        if kept and os.path.exists(os.path.join(kept, "disk.img")):
            proc.run("cp", "--sparse=always", *(os.path.join(kept, name) for name in MADE), self.dir, limit=300)
            return
        self.install(deb)
        if kept:
            os.makedirs(kept, exist_ok=True)
            proc.run("cp", "--sparse=always", *(self.path(name) for name in MADE), kept, limit=300)

    def install(self, deb):
        place = Place()
        depends = proc.run("dpkg-deb", "-f", deb, "Depends").out.strip()
        place.make(depends, *PACKAGES, *self.more)
        for name, text in FILES.items():
            place.write(name, text)
        wants = place.path("etc/systemd/system/sysinit.target.wants")
        os.makedirs(wants, exist_ok=True)
        os.symlink("../test-shell.service", os.path.join(wants, "test-shell.service"))
        os.makedirs(place.path("var/log/journal"), exist_ok=True)
        self.put(place, deb)
        for pattern, name in (("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd.img")):
            found = [f for f in os.listdir(place.path("boot")) if f.startswith(pattern)]
            shutil.copy(place.path("boot", found[0]), self.path(name))
        with open(self.path("disk.img"), "wb") as f:
            f.truncate(3 << 30)
        proc.run("mke2fs", "-q", "-t", "ext4", "-d", place.dir, self.path("disk.img"), limit=300)
        shutil.rmtree(place.dir, ignore_errors=True)

    def put(self, place, deb):
        """Into the system, before a disk is made of it."""
        shutil.copy(deb, place.path("openisw.deb"))
        place.run("dpkg", "-i", "/openisw.deb", limit=300)

    def start(self, limit=600):
        """Returns when its shell answers; the boot goes on meanwhile."""
        for name in ("shell.sock",):
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))
        argv = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35", "-cpu", "max", "-m", "768", "-smp", "2",
                "-display", "none", "-nodefaults", "-no-reboot", "-serial", "file:" + self.path("console.log"),
                "-chardev", "socket,id=shell,path=%s,server=on,wait=off" % self.path("shell.sock"), "-serial", "chardev:shell",
                "-kernel", self.path("vmlinuz"), "-initrd", self.path("initrd.img"),
                "-append", "root=/dev/vda rw console=ttyS0 mitigations=off no_timer_check net.ifnames=0 systemd.show_status=1",
                "-drive", "file=%s,if=virtio,format=raw,cache=unsafe" % self.path("disk.img"),
                "-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=net"]
        self.began = time.monotonic()
        self.qemu = subprocess.Popen(self.network.inside(*argv), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                     preexec_fn=box.die_with_parent)
        proc.wait_for("the guest's shell", self.answers, limit, every=1)

    def answers(self):
        if self.qemu.poll() is not None:
            raise proc.Failed("the guest has ended: %s" % "\n".join(self.tail()))
        try:
            return self.sh("true", 5, ok=None)[1] == 0
        except OSError:
            return False

    def sh(self, script, limit=120, ok=(0,)):
        """Runs it in the guest's shell; (output, exit status)."""
        tag, got, end = "T%d" % time.monotonic_ns(), "", time.monotonic() + limit
        # The tag is put together there, so that an echo of the line is not taken for it.
        line = "\nstty -echo 2>/dev/null; echo B''EG%s; { %s\n} 2>&1; echo E''ND%s $?\n" % (tag, script, tag)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(self.path("shell.sock"))
            s.settimeout(1)
            s.sendall(line.encode())
            found = None
            while not found and time.monotonic() < end:
                try:
                    data = s.recv(65536)
                except socket.timeout:
                    continue
                if not data:
                    break
                got += data.decode(errors="replace")
                found = re.search("BEG%s\r?\n(.*?)END%s (\\d+)" % (tag, tag), got, re.S)
        if not found:
            if ok is None:
                return got, None
            raise proc.Failed("no answer within %d s to: %s\n%s" % (limit, script, got))
        out, code = found.group(1).replace("\r", ""), int(found.group(2))
        if ok is not None and code not in ok:
            raise proc.Failed("%s: exit status %d: %s" % (script, code, out))
        return out, code

    def booted(self, limit=600):
        """Waits for the end of the boot; the seconds since it was switched on."""
        proc.wait_for("the boot to end", lambda: re.search("running|degraded", self.sh("systemctl is-system-running", ok=None)[0]), limit, every=1)
        return time.monotonic() - self.began

    def power_off(self, limit=600, verb="poweroff"):
        """The seconds that it took.  reboot: the machine stays off then."""
        begin = time.monotonic()
        self.sh("systemctl --no-block " + verb, ok=None)
        try:
            self.qemu.wait(limit)
        except subprocess.TimeoutExpired:
            raise proc.Failed("it was not off after %d s: %s" % (limit, "\n".join(self.tail())))
        return time.monotonic() - begin

    def kill(self):
        if self.qemu and self.qemu.poll() is None:
            self.qemu.send_signal(signal.SIGKILL)
            self.qemu.wait()

    def tail(self, lines=60):
        try:
            with open(self.path("console.log"), errors="replace") as f:
                return f.read().splitlines()[-lines:]
        except OSError:
            return []
