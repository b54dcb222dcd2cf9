"""The driver's end of a daemon's socket (ARCHITECTURE.md, daemon protocol), for a daemon in a root of its own."""
import json
import os
import socket

import box
import proc

BUILD = os.environ["OPENISW_BUILD"]


class HelperLink:
    count = 0

    def __init__(self, name, *options, config=None):
        """config: the text of its configuration file."""
        HelperLink.count += 1
        self.name = name
        self.root = os.path.join(box.directory(), "root%d" % HelperLink.count)
        run = os.path.join(self.root, "run", "openisw", name)
        os.makedirs(run)
        if config is not None:
            os.makedirs(os.path.join(self.root, "etc", "openisw"))
            with open(os.path.join(self.root, "etc", "openisw", name + ".conf"), "w") as f:
                f.write(config)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.path.join(run, "sock")
        self.listener.bind(path)
        os.chmod(path, 0o666)   # the daemon has become another user
        self.listener.listen(1)
        self.log = os.path.join(self.root, "log")
        self.daemon = proc.Daemon(os.path.join(BUILD, "src", name, name), "--root", self.root, "--foreground", "--strict", "-d",
                                  "debug", *options, log=self.log)
        self.link, self.id = None, 0

    def tail(self):
        return self.daemon.tail()

    def accept(self):
        self.listener.settimeout(20)
        self.link, _ = self.listener.accept()
        self.link.settimeout(60)
        hello = self.receive()
        assert hello["daemon"] == self.name and hello["pid"] == self.daemon.pid, hello

    def __enter__(self):
        self.daemon.start()
        self.accept()
        return self

    def __exit__(self, *_):
        self.link.close()
        self.listener.close()
        assert self.daemon.alive(), "%s died:\n%s" % (self.name, "\n".join(self.tail()))
        self.daemon.stop()
        assert self.daemon.process.returncode == 0, "%s ended with %s" % (self.name, self.daemon.process.returncode)

    def receive(self):
        return json.loads(self.link.recv(1 << 18))

    def send(self, op, **args):
        self.id += 1
        self.link.send(json.dumps({"id": self.id, "op": op, "args": args}).encode())
        return self.id

    def request(self, op, **args):
        """The whole answer."""
        number = self.send(op, **args)
        answer = self.receive()
        assert answer["id"] == number, answer
        return answer
