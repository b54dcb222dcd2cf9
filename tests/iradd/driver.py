"""The driver's side of the daemon protocol, for iradd: listens for it, asks, and gets its answers."""
import json
import os
import socket

import box
import proc
import tap

BUILD = os.environ["OPENISW_BUILD"]
MESSAGE_BYTES = 128 << 10


class Iradd:
    """The program in a root of its own, with a driver that is this test."""

    def __init__(self, *options, name="iradd"):
        self.root = os.path.join(box.directory(), name)
        run = os.path.join(self.root, "run", "openisw", "iradd")
        os.makedirs(run, exist_ok=True)
        self.path = os.path.join(run, "sock")
        self.program = os.path.join(BUILD, "src", "iradd", "iradd")
        if not os.path.exists(self.program):
            raise tap.Skip("iradd is not built")
        self.log = os.path.join(box.directory(), name + ".log")
        self.daemon = proc.Daemon(self.program, "--root", self.root, "--foreground", "-d", "debug", *options, log=self.log)
        self.last_id = 0
        self.answers = {}

    def tail(self):
        return self.daemon.tail(60)

    def listen(self):
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)  # the user that the daemon becomes may connect
        self.listener.listen(8)
        self.listener.settimeout(20)

    def accept(self):
        self.link, _ = self.listener.accept()
        self.link.settimeout(20)
        hello = json.loads(self.link.recv(MESSAGE_BYTES))
        assert hello["daemon"] == "iradd" and hello["pid"] == self.daemon.pid, hello

    def hang_up(self):
        self.link.close()
        self.listener.close()

    def __enter__(self):
        self.listen()
        self.daemon.start()
        self.accept()
        return self

    def __exit__(self, kind, *_):
        if self.daemon.alive():
            self.daemon.stop()
        self.hang_up()
        if kind is None and self.daemon.process.returncode != 0:
            raise proc.Failed("iradd ended with exit status %d: %s" % (
                self.daemon.process.returncode, "\n".join(self.daemon.tail())))

    # -- asking ----------------------------------------------------------------------------------------------------------

    def send(self, op, **args):
        self.last_id += 1
        self.link.send(json.dumps({"id": self.last_id, "op": op, "args": args}).encode())
        return self.last_id

    def wait(self, number):
        """The answer to a request: ok, result or error."""
        while number not in self.answers:
            answer = json.loads(self.link.recv(MESSAGE_BYTES))
            assert answer["id"] not in self.answers, "answered twice: %s" % answer
            self.answers[answer["id"]] = answer
        return self.answers.pop(number)

    def ask(self, op, **args):
        return self.wait(self.send(op, **args))

    def verdict(self, **args):
        answer = self.ask("verify", **args)
        assert answer["ok"], answer
        return answer["result"]

    def failure(self, code, **args):
        """The sentence of a failure, which must have this code."""
        answer = self.ask("verify", **args)
        assert not answer["ok"] and answer["error"]["code"] == code, "%s expected: %s" % (code, answer)
        return answer["error"]["message"]

    def statistics(self):
        return self.ask("statistics")["result"]
