"""Lives that differ from the plain one (life.py): whose disks outlive their driver, and whose disks are sockets."""
import os
import signal
import threading

import field
import nbdclient
import proc
from life import IO_LIMIT, Life, Violated


class Write(threading.Thread):
    """On a descriptor that has been open since before the driver was killed.  .error is None or a sentence."""

    def __init__(self, fd, data):
        super().__init__(daemon=True)
        self.fd, self.data, self.error = fd, data, None
        self.start()

    def run(self):
        try:
            if os.pwrite(self.fd, self.data, 8192) != len(self.data):
                self.error = "a short write"
        except OSError as e:
            self.error = str(e)


class Held(Life):
    """The driver is killed under a file that is open, and another one goes on with it."""

    IS_HELD = True

    def outlive(self):
        fd = self.attempt("an open", lambda: os.open(self.file("an open"), os.O_RDWR))
        data = field.block("%s outlives." % self.name, 8192)
        if self.made.driver.alive():  # else it ends by itself, which is looked at first
            self.made.driver.kill(signal.SIGKILL)
            self.made.driver.start()
        write = Write(fd, data)
        self.wait("the next driver", lambda: self.made.request("driver.version", limit=10))
        write.join(IO_LIMIT)
        if write.is_alive():
            raise Violated("a write on a descriptor that was open hangs for %d s" % IO_LIMIT)
        if write.error:
            self.allowed("a write on a descriptor that was open: %s" % write.error)
        else:
            self.expected[8192:16384] = data
            if self.target.unit(0).disk.read(8192, 8192) != data:
                raise Violated("a write that outlived a driver is not on the target")
        os.close(fd)
        if write.error:
            self.attempt("the scan", self.scan)
            self.io("write", 1)  # what it left is one or the other


class Sockets(Life):
    """Disks are sockets that speak NBD."""

    COMMANDS = {"read": nbdclient.READ, "write": nbdclient.WRITE, "flush": nbdclient.FLUSH}

    def configure(self):
        done = self.made.command("iscsiutil", "-t", "Exporter", "nbd", ok=None, limit=40)
        if done.code != 0:
            raise proc.Failed(str(done))

    def transfer(self, what, offset, data):
        path = self.file(what)
        length = 0 if what == "flush" else 8192
        try:
            with nbdclient.Client(path, nbdclient.connect(path, IO_LIMIT)) as c:
                error, got = c.answer(c.send(self.COMMANDS[what], offset if length else 0, length, 0, data),
                                      length if what == "read" else 0)
        except TimeoutError as e:
            raise Violated("a %s hangs for %d s" % (what, IO_LIMIT)) from e
        except nbdclient.Ended as e:
            raise proc.Failed("a %s: the connection ended" % what) from e
        if error:
            raise proc.Failed("a %s: error %d" % (what, error))
        return got
