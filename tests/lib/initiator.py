"""An OpenISW initiator in a root of its own: the driver, its daemons and the commands, from the build tree."""
import json
import os
import shutil
import signal
import socket
import stat
import sys

import box
import proc
import tap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "dist"))
import tree  # noqa: E402 (found by the line above)

BUILD = os.environ.get("OPENISW_BUILD", "")


class Refused(AssertionError):
    """An operation's error answer: .error is the object."""

    def __init__(self, error):
        super().__init__("%(code)s: %(message)s" % error)
        self.error = error


def join(whole, part):
    """A long answer comes in parts: what each has in arrays goes behind what came before."""
    for name, elements in part.items():
        if not isinstance(elements, list):
            continue
        for element in elements:
            if isinstance(element, dict) and element.get("continued"):
                join(whole[name][-1], element)
            else:
                whole.setdefault(name, []).append(element)
        whole.setdefault(name, [])


def have_loop():
    """Whether loop devices work here: root, and a kernel that has them."""
    return os.geteuid() == 0 and shutil.which("losetup") and \
        proc.run("losetup", "-f", ok=None).code == 0


def have_fuse():
    return os.path.exists("/dev/fuse")


def own_fuse():
    """A /dev/fuse that everyone may open, as on most hosts; in the test's own mount namespace only."""
    node = os.path.join(box.directory(), "fuse")
    os.mknod(node, stat.S_IFCHR | 0o666, os.stat("/dev/fuse").st_rdev)
    os.chmod(node, 0o666)
    proc.run("mount", "--bind", node, "/dev/fuse")


class Initiator:
    """user: run the driver, the daemons and the commands as this ordinary user.  held: its disks outlive its driver."""

    def __init__(self, name="root", user=None, held=False):
        tree.make(BUILD)
        self.dir = os.path.join(box.directory(), name)
        self.root = self.dir
        self.user = user
        os.makedirs(self.dir, exist_ok=True)
        if user:
            shutil.chown(self.dir, user)
        path = os.path.join(BUILD, "tree", "bin") + ":" + os.environ["PATH"]
        self.env = dict(os.environ, OPENISW_ROOT=self.root, PATH=path)
        for variable in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
            self.env[variable] = os.environ.get(variable, "") + ":halt_on_error=1"
        log = os.path.join(box.directory(), name + ".log")
        self.driver = self.daemon("iscsi_driverd", log)
        self.iswd = self.daemon("iswd", log)
        self.holder = self.daemon("iscsi_holderd", log) if held else None
        self.helpers = {}  # daemons that were asked for with start_daemon(), by name
        self.log = log

    def program(self, name):
        path = os.path.join(BUILD, "tree", "bin", name)
        if not os.path.exists(path):
            raise tap.Skip("%s is not in the build tree yet" % name)
        return path

    def daemon(self, name, log, *words):
        return proc.Daemon(self.program(name), "--foreground", *words, log=log, env=self.env, user=self.user)

    def path(self, *words):
        return os.path.join(self.root, *words)

    def tail(self):
        return self.driver.tail(60)

    # -- the driver and its daemons --------------------------------------------------------------------------------------

    def start(self):
        if self.holder:
            self.start_holder()
        self.driver.start()
        proc.wait_for("the driver to answer", self.answers)
        self.start_daemon("iswd")
        return self

    def start_holder(self):
        self.holder.start()
        proc.wait_for("iscsi_holderd to be ready", lambda: self.command("iscsi_holderd", "--status", ok=None).code == 0)

    def has_holder(self):
        """Whether the driver has the holder that runs, which has all that is to be held then."""
        return any(d["name"] == "iscsi_holderd" and d["pid"] == self.holder.pid for d in self.request("driver.status")["daemons"])

    def restart_driver(self):
        """After a kill: iswd comes back by itself."""
        self.driver.start()
        proc.wait_for("the driver to answer", self.answers)
        for name in ["iswd"] + list(self.helpers):
            proc.wait_for(name + " to come back", lambda name=name: self.has_daemon(name))

    def answers(self):
        if not self.driver.alive():
            raise proc.Failed("iscsi_driverd ended at once with exit status %s: %s" % (
                self.driver.process.returncode, "\n".join(self.driver.tail())))
        try:
            return self.request("driver.version")
        except OSError:
            return None

    def start_daemon(self, name, *words):
        """iswd, or another daemon with these arguments; again after it was killed, with the same ones."""
        if name != "iswd" and name not in self.helpers:
            self.helpers[name] = self.daemon(name, self.log, *words)
        daemon = self.helpers.get(name, self.iswd)
        daemon.start()
        proc.wait_for(name + " to reach the driver", lambda: self.has_daemon(name))
        return daemon

    def has_daemon(self, name):
        return any(d["name"] == name and d["running"] for d in self.request("driver.status")["daemons"])

    def all(self):
        return [self.driver, self.iswd] + list(self.helpers.values()) + ([self.holder] if self.holder else [])

    def stop(self):
        """Ends everything the gentle way; a program that does not end, or ends badly (a leak, too), fails the test."""
        for daemon in self.all():
            if daemon.alive():
                daemon.kill(signal.SIGTERM, limit=30)
                if daemon.process.returncode != 0:
                    raise proc.Failed("%s ended with exit status %d: %s" % (
                        daemon.argv[0], daemon.process.returncode, "\n".join(daemon.tail())))

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if kind is None:
            self.stop()
            return
        for daemon in self.all():
            daemon.kill()

    # -- asking it -------------------------------------------------------------------------------------------------------

    def request(self, op, limit=60, progress=None, **args):
        """One operation of the control protocol; returns its result, raises Refused.  progress: called with each one."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(limit)
            s.connect(self.path("dev", "iscsi"))
            s.sendall(json.dumps({"id": 1, "op": op, "args": args}).encode() + b"\n")
            whole = {}
            with s.makefile("rb") as lines:
                for line in lines:
                    answer = json.loads(line)
                    if "progress" in answer:
                        if progress:
                            progress(answer["progress"])
                        continue
                    if "part" in answer:
                        join(whole, answer["part"])
                        continue
                    if not answer["ok"]:
                        raise Refused(answer["error"])
                    join(whole, answer["result"])
                    return dict(answer["result"], **whole)
        raise proc.Failed("the driver hung up on " + op)

    def logout(self, instance):
        """Also where the session has just ended by itself, as one does whose login is refused."""
        try:
            self.request("session.logout", instance=instance)
        except Refused as e:
            if e.error["code"] != "NOTFOUND":
                raise

    def command(self, name, *words, **how):
        """Runs iscsiutil, ioscan, insf or rmsf."""
        return proc.run(self.program(name), *words, env=self.env, user=self.user, **how)

    def discover(self, *targets, limit=60):
        """Adds the portals of these targets and scans."""
        for target in targets:
            self.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
        return self.request("scan", limit)

    def tree(self, klass=None):
        return [n for n in self.request("io.tree")["nodes"] if klass in (None, n["class"])]

    def disk(self, suffix, lun):
        """The node of a LUN of the target whose name ends with `suffix`."""
        found = [d for d in self.tree("disk") if d["target_name"].endswith(":" + suffix) and d["lun"] == lun]
        if len(found) != 1:
            raise AssertionError("%d disks are LUN %d of target %s; the tree has %s" % (
                len(found), lun, suffix, [(d["target_name"], d["lun"]) for d in self.tree("disk")]))
        return found[0]
