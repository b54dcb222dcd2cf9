"""Cockpit with our page, without systemd and PAM: its web server with a bridge of root's, or of an ordinary user's."""
import os
import shutil

import box
import net
import proc
import tap

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SERVER, BRIDGE = "/usr/lib/cockpit/cockpit-ws", "/usr/bin/cockpit-bridge"


def missing():
    return [name for name, path in (("cockpit-ws", SERVER), ("cockpit-bridge", BRIDGE)) if not os.path.exists(path)]


def modules():
    """Where npm ci has put what the page is made of; OPENISW_NODE_MODULES in the environment: somewhere else."""
    return os.environ.get("OPENISW_NODE_MODULES") or os.path.join(TOP, "cockpit", "node_modules")


def page():
    """The directory with the page as it is installed: OPENISW_PAGE in the environment, else made of the checkout."""
    made = os.environ.get("OPENISW_PAGE")
    if made:
        return made
    if not shutil.which("node") or not os.path.isdir(modules()):
        raise tap.Skip("the page cannot be built here: run ./check --cockpit, which installs what it needs")
    source, to = os.path.join(box.directory(), "page-source"), os.path.join(box.directory(), "page")
    if not os.path.exists(to):
        shutil.copytree(os.path.join(TOP, "cockpit"), source, ignore=shutil.ignore_patterns("node_modules"))
        os.symlink(os.path.realpath(modules()), os.path.join(source, "node_modules"))
        proc.run("node", os.path.join(source, "build.mjs"), to, limit=120)
    return to


class Cockpit:
    """env: the initiator's, so that the page finds the programs and the root; user: whose bridge it is (None: root's)."""
    number = 0

    def __init__(self, page_dir, env, user=None):
        Cockpit.number += 1
        self.dir, self.user = os.path.join(box.directory(), "cockpit%d" % Cockpit.number), user
        self.log = self.dir + ".log"
        share = os.path.join(self.dir, "share", "cockpit")
        os.makedirs(share)
        os.makedirs(os.path.join(self.dir, "run"))
        os.symlink(page_dir, os.path.join(share, "openisw"))
        if user:
            for path in (self.dir, os.path.join(self.dir, "run")):
                shutil.chown(path, user)
        self.port = net.free_port()
        own = dict(env, HOME=self.dir, XDG_DATA_HOME=os.path.join(self.dir, "share"), XDG_RUNTIME_DIR=os.path.join(self.dir, "run"),
                   XDG_CONFIG_DIRS=self.dir, LC_ALL="C.UTF-8")
        bridge = os.path.join(self.dir, "bridge")
        with open(bridge, "w") as f:
            f.write("#!/bin/sh\nexec %s%s\n" % ("setpriv --reuid %s --regid nogroup --clear-groups " % user if user else "", BRIDGE))
        os.chmod(bridge, 0o755)
        self.server = proc.Daemon(SERVER, "--no-tls", "--port", self.port, "--address", "127.0.0.1", "--local-session=" + bridge, log=self.log, env=own)

    @property
    def url(self):
        return "http://127.0.0.1:%d/cockpit/@localhost/openisw/index.html" % self.port

    def tail(self):
        return self.server.tail()

    def __enter__(self):
        self.server.start()
        proc.wait_for("cockpit-ws to listen", lambda: net.listening(self.port))
        return self

    def __exit__(self, *_):
        self.server.stop()
