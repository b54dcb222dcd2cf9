"""A new release goes on with the disks of the old one, file systems mounted and I/O running.

The new one is this tree with one table more in the registry and another number, built here; `iscsi restart` does it, as the
package's script does: by hand, and below `iscsi supervise`.
"""
import os
import re
import shutil
import signal
import sqlite3
import subprocess

import box
import field
import proc
import tap
import writers
from initiator import BUILD, Initiator, have_fuse, have_loop
from tgt import Tgt

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
RELEASE = "99.1.2"
PROGRAMS = {"iscsi_driverd": "src/driver", "iscsi_holderd": "src/iscsi_holderd", "iswd": "src/iswd"}


def edit(path, old, new):
    with open(path, encoding="utf-8") as f:
        text, n = re.subn(old, new, f.read(), count=1, flags=re.M | re.S)
    assert n == 1, path
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def build_new():
    """(directory of the new programs, version of their registry)"""
    tree, build = os.path.join(box.directory(), "new"), os.path.join(box.directory(), "new-build")
    shown = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], check=True, capture_output=True, text=True).stdout
    for name in filter(None, shown.split("\0")):
        os.makedirs(os.path.dirname(os.path.join(tree, name)), exist_ok=True)
        if os.path.exists(os.path.join(TOP, name)):
            shutil.copy2(os.path.join(TOP, name), os.path.join(tree, name))
    schema = os.path.join(tree, "src", "registry", "schema.def")
    with open(schema, encoding="utf-8") as f:
        version = max(int(v) for v in re.findall(r"^STEP\((\d+)", f.read(), re.M)) + 1
    edit(schema, r"^/\* clang-format on \*/", 'STEP(%d, "CREATE TABLE newer (id INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT;")' % version)
    edit(os.path.join(tree, "meson.build"), r"^  version: '[^']+'", "  version: '%s'" % RELEASE)
    proc.run("meson", "setup", build, tree, "--buildtype=debugoptimized", limit=120)
    proc.run("ninja", "-C", build, *["%s/%s" % (folder, name) for name, folder in PROGRAMS.items()], limit=500)
    return build, version


def install(directory, build):
    """As a package manager does: each file is replaced in one step."""
    for name, folder in PROGRAMS.items():
        path = os.path.join(directory, name)
        shutil.copy2(os.path.join(build, folder, name), path + ".new")
        os.rename(path + ".new", path)


def answers(initiator):
    try:
        return initiator.has_daemon("iswd")
    except OSError:
        return False


def release(initiator):
    return initiator.request("driver.status")["version"]


def upgraded(t, name, is_supervised, new, version):
    bin_dir, target = os.path.join(box.directory(), name + "-bin"), Tgt(name + "-tgt")
    os.mkdir(bin_dir)
    install(bin_dir, BUILD)
    initiator = Initiator(name)
    t.show_on_failure(initiator)
    env = dict(initiator.env, OPENISW_BIN=bin_dir)
    script = os.path.join(TOP, "dist", "iscsi")

    def iscsi(*words, limit=120, **how):
        return proc.run(script, *words, "--root", initiator.root, env=env, limit=limit, **how)

    with t.case("%s: writers and ext4 go on while the new release takes over" % name, limit=240), target:
        tid = target.target(name)
        files = {lun: target.lun(tid, lun, size=writers.SIZE) for lun in (1, 2)}
        supervisor = proc.Daemon(script, "supervise", "--root", initiator.root, log=initiator.log, env=env)
        if is_supervised:
            supervisor.start()
            proc.wait_for("the driver and iswd to run", lambda: answers(initiator), limit=60)
        else:
            iscsi("start")
        old = release(initiator)
        initiator.discover(target)
        initiator.command("insf", "-H", "255")
        paths = {lun: initiator.disk(name, lun)["block"] for lun in files}
        point = os.path.join(box.directory(), name + "-mnt")
        os.mkdir(point)
        proc.run("mkfs.ext4", "-q", paths[2], limit=60)
        proc.run("mount", paths[2], point)
        with open(os.path.join(point, "kept"), "w") as f:
            f.write("before")

        def restart():
            install(bin_dir, new)
            said = iscsi("restart")
            assert "iscsi_driverd has left its disks to the next one" in said.out, said
            field.pause(1)

        def kill():
            pid = initiator.request("driver.status")["pid"]
            os.kill(pid, signal.SIGKILL)
            proc.wait_for("the supervisor to start another driver",
                          lambda: answers(initiator) and initiator.request("driver.status")["pid"] != pid)
        turns = iter([restart, kill if is_supervised else restart])
        load = writers.load_while(paths[1], lambda: next(turns)(), times=2, pause=(0.5, 1))
        assert old != RELEASE and release(initiator) == RELEASE
        with sqlite3.connect("file:%s?mode=ro" % initiator.path("var", "lib", "openisw", "registry.db"), uri=True) as db:
            assert db.execute("PRAGMA user_version").fetchone()[0] == version
        with open(os.path.join(point, "kept")) as f:
            assert f.read() == "before"
        proc.run("umount", point, limit=60)
        proc.run("fsck.ext4", "-fn", paths[2], limit=60)
        writers.check_all(load, paths[1])
        writers.check_all(load, files[1])
        assert {lun: initiator.disk(name, lun)["block"] for lun in files} == paths
        iscsi("stop")
        if is_supervised:
            proc.wait_for("the supervisor to end", lambda: not supervisor.alive(), limit=60)
            assert supervisor.process.returncode == 0
        assert iscsi("status", ok=(3,)).code == 3


def main():
    with tap.script() as t:
        if not have_fuse() or not have_loop():
            raise tap.Skip("no /dev/fuse, or no loop devices here")
        with t.case("a release with another registry is built", limit=600):
            new, version = build_new()
        if t.failed:
            return
        upgraded(t, "by-hand", False, new, version)
        upgraded(t, "supervised", True, new, version)


main()
