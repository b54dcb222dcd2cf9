"""Guests in User Mode Linux on this machine's own files, which they only read.  Each is a program that its console drives: it does a
line of shell at a time, and says what came of it.

OPENISW_KERNELS: a directory in which the guests' kernel is kept for the next time."""
import glob
import os
import shutil
import subprocess
import threading

import box
import proc

HERE = os.path.dirname(os.path.abspath(__file__))


def kernel():
    """(linux.uml, a directory with its modules), of Debian's own package."""
    kept = os.path.join(os.environ.get("OPENISW_KERNELS", box.directory()), "uml")
    if not glob.glob(os.path.join(kept, "usr", "bin", "linux.uml")):
        os.makedirs(kept, exist_ok=True)
        proc.run("apt-get", "-o", "APT::Sandbox::User=root", "download", "user-mode-linux", cwd=kept, limit=300)
        proc.run("dpkg", "-x", glob.glob(os.path.join(kept, "*.deb"))[0], kept, limit=100)
    source, = glob.glob(os.path.join(kept, "usr", "lib", "uml", "modules", "*"))
    base = os.path.join(box.directory(), "modules")
    if not os.path.exists(base):
        shutil.copytree(source, os.path.join(base, "lib", "modules", os.path.basename(source)))
        proc.run("depmod", "-b", base, os.path.basename(source))
    return os.path.join(kept, "usr", "bin", "linux.uml"), base


class Uml:
    """init: a script beside this file.  It ends with its console.  host: the address of this machine's side of its cable.
    words: more of the kernel's command line, for the script."""

    def __init__(self, name, init, host, memory="256M", words=()):
        self.cable = name
        linux, modules = kernel()
        for about in (("tuntap", "add", name, "mode", "tap"), ("addr", "add", host, "dev", name), ("link", "set", name, "up")):
            proc.run("ip", *about)
        self.errors = open(os.path.join(box.directory(), name + ".err"), "wb")
        self.process = subprocess.Popen([
            linux, "mem=" + memory, "root=none", "rootfstype=hostfs", "rootflags=/", "ro", "init=" + os.path.join(HERE, init), "con=null",
            "con0=fd:0,fd:1", "quiet", "panic=-1", "umid=" + name, "uml_dir=" + box.directory(),
            "vec0:transport=tap,ifname=%s,depth=128,gro=1" % name, "modules=" + modules, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, preexec_fn=box.die_with_parent)
        self.said, self.lines, self.turn = [], threading.Condition(), threading.Lock()
        threading.Thread(target=self.read, daemon=True).start()
        self.wait("READY", 60)

    def read(self):
        for line in self.process.stdout:
            with self.lines:
                self.said.append(line.decode(errors="replace").strip())
                self.lines.notify_all()

    def wait(self, word, limit):
        with self.lines:
            if not self.lines.wait_for(lambda: any(line.startswith(word) for line in self.said), limit):
                raise proc.Failed("the guest did not say %s: %s" % (word, self.said[-20:]))
            at = next(i for i, line in enumerate(self.said) if line.startswith(word))
            said, self.said = self.said[:at + 1], self.said[at + 1:]
            return said

    def do(self, script, limit=30):
        """The lines that a line of shell prints in the guest."""
        with self.turn:
            self.process.stdin.write(script.encode() + b"\n")
            self.process.stdin.flush()
            said = self.wait("DONE", limit)
        assert said[-1] == "DONE 0", (script, said)
        return [line for line in said[:-1] if script not in line]

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()
        proc.run("ip", "link", "del", self.cable, ok=None)
