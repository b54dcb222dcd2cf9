"""Two things at the same time: a time limit and a login, a ping and a logout, a scan and a loss."""
import contextlib
import json
import socket
import threading

import field
import proc
import tap
from fieldtgt import NAME, SILENT, FieldTarget, Later
from fieldunit import Unit
from initiator import Refused
from slowdisk import SlowDisk

def ask(made, op, **args):
    """In a thread of its own; .answer is the result or the error."""
    class Asking(threading.Thread):
        answer = None

        def run(self):
            try:
                self.answer = made.request(op, 60, **args)
            except (Refused, OSError, proc.Failed) as e:
                self.answer = e
    asking = Asking(daemon=True)
    asking.start()
    return asking


def given_up_or_online(t):
    """A slow login ends about when the time for it is over: online means that I/O flows."""
    for delay in (1.8, 1.95, 2.0, 2.05, 2.2):
        with t.case("a login ends %.2f s after a loss, the promise is 2 s" % delay):
            with FieldTarget() as target, field.world(t, target, ReplacementTimeout=2) as made:
                path, go_on = field.path(made), threading.Event()
                field.read(path).good(5)
                target.on_login = lambda _: Later(go_on)
                threading.Timer(delay, go_on.set).start()
                target.hang_up()
                field.read(path).wait(10) # served or given up: by then the loss is known everywhere
                field.wait_online(made)
                field.read(path).good(3)
                field.write(path, 0, field.block("x")).good(3)


def slow_commit(t):
    """The registry's disk is slow while a login ends and the time for it is over."""
    with t.case("a commit takes seconds while a session comes back: online means that I/O flows"):
        disk = SlowDisk()
        with FieldTarget() as target, contextlib.ExitStack() as stack:
            with disk.under():
                made = stack.enter_context(field.world(t, target, ReplacementTimeout=4))
            path, go_on = field.path(made), threading.Event()
            target.on_login = lambda _: Later(go_on)
            target.hang_up()
            field.pause(2.2)
            disk.hang()
            commit = ask(made, "keys.set", key="NOPInterval", values="20")
            threading.Timer(1, go_on.set).start()
            threading.Timer(3, disk.go_on).start()
            field.wait_online(made)
            field.read(path).good(3)
            field.write(path, 0, field.block("x")).good(3)
            commit.join(30)
            assert not isinstance(commit.answer, Exception), commit.answer


def made_anew(t):
    """What is answered to a session that is no more is not taken for its successor's."""
    with t.case("a session is made anew while the place of the one before it is being written down"):
        disk = SlowDisk()
        with FieldTarget() as target, contextlib.ExitStack() as stack:
            with disk.under():
                made = stack.enter_context(field.initiator(t))
            made.command("iscsiutil", "-a", "-I", target.host, "-P", target.port)
            disk.hang()
            asked = [ask(made, "scan")]
            first = proc.wait_for("the first login", target.online)[0]
            asked.append(ask(made, "target.remove", name=NAME, force=True))
            asked.append(ask(made, "scan"))
            proc.wait_for("the second login", lambda: [c for c in target.online() if c is not first])
            disk.go_on()
            for a in asked:
                a.join(30)
                assert not a.is_alive(), "it hangs"
            assert made.driver.alive()
            field.wait_online(made)
            field.write(field.path(made), 0, field.block("x")).good(5)


def nop_and_logout(t):
    with t.case("a ping and then a logout of a target that answers neither: both end"):
        with FieldTarget() as target, field.world(t, target, NOPTimeout=60, NOPInterval=0) as made:
            target.answers_pings = False
            target.on_logout = lambda _: SILENT
            instance = made.request("session.list")["sessions"][0]["instance"]
            ping = ask(made, "session.nop", instance=instance)
            field.pause(0.3)
            out = ask(made, "session.logout", instance=instance)
            out.join(20)
            assert not out.is_alive(), "the logout hangs"
            ping.join(5)
            assert not ping.is_alive(), "the ping hangs"


def logout_while(t):
    """A logout in each state a session can be in."""
    states = {
        "a login that is not answered": lambda target: (setattr(target, "on_login", lambda _: SILENT), target.hang_up()),
        "a target that is away": lambda target: target.stop(),
        "a target that says nothing": lambda target: target.freeze(),
        "a session that is online": lambda target: None,
    }
    for what, bring in states.items():
        with t.case("logout beside %s, with I/O under way: it ends, and so does the I/O" % what):
            with FieldTarget() as target, field.world(t, target, ReplacementTimeout=60, NOPInterval=0) as made:
                path = field.path(made)
                instance = made.request("session.list")["sessions"][0]["instance"]
                bring(target)
                ios = [field.read(path, k * field.BLOCK) for k in range(4)]
                field.pause(0.3)
                out = ask(made, "session.logout", instance=instance, force=True)
                out.join(25)
                assert not out.is_alive(), "the logout hangs"
                target.thaw()
                for io in ios:
                    io.wait(15)


def scan_and_loss(t):
    with t.case("scans while connections break: every scan ends, the disk stays", 90):
        with FieldTarget([Unit(0), Unit(1, "B")]) as target, field.world(t, target) as made:
            path = field.path(made)
            for k in range(12):
                scan = ask(made, "scan")
                target.hang_up(is_reset=k % 2 == 0)
                scan.join(40)
                assert not scan.is_alive(), "scan %d hangs" % k
                field.write(path, 0, field.block("s")).good(15)


def removed_under_io(t):
    with t.case("a target is removed by force under I/O: all of it ends, and it can be added again", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            for _ in range(5):
                ios = [field.write(path, k * field.BLOCK, field.block("r")) for k in range(16)]
                made.request("target.remove", name=target.name, force=True)
                for io in ios:
                    io.wait(10)
                made.request("scan", 60)
                path = field.path(made)
                field.write(path, 0, field.block("again")).good(10)


def both(made, *requests):
    """The answers to requests that are sent at once, by id."""
    lines = "".join(json.dumps({"id": k, "op": op, "args": args}) + "\n" for k, (op, args) in enumerate(requests))
    answers = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(30)
        s.connect(made.path("dev", "iscsi"))
        s.sendall(lines.encode())
        with s.makefile("rb") as f:
            while len(answers) < len(requests):
                answer = json.loads(f.readline())
                if "ok" in answer:
                    answers[answer["id"]] = answer
    return [answers[k] for k in range(len(requests))]


def made_while_removed(t):
    """device.install while device.remove looks for users: whoever is told that the files are there has them."""
    with FieldTarget() as target, field.world(t, target) as made:
        unit = {"hw_path": "255/0/0.0.0.0"}
        with t.case("device files that are asked for while they are being removed are not told to be there"):
            for _ in range(10):
                made.command("insf", "-H", "255")
                removed, installed = both(made, ("device.remove", unit), ("device.install", unit))
                is_there = bool(made.disk("field", 0).get("rdsk"))
                assert removed["ok"] and installed["ok"] == is_there, (removed, installed, is_there)
                assert is_there or installed["error"]["code"] == "BUSY", installed
        with t.case("a removal that is refused leaves them, and they can be asked for again"):
            made.command("insf", "-H", "255")
            with open(made.disk("field", 0)["rdsk"], "rb"):
                removed, _ = both(made, ("device.remove", unit), ("device.install", unit))
                assert removed["error"]["code"] == "BUSY", removed
                assert made.request("device.install", **unit)["devices"], "it is still taken for being removed"


def main():
    with tap.script() as t:
        for part in (given_up_or_online, slow_commit, made_anew, nop_and_logout, logout_while, scan_and_loss, removed_under_io, made_while_removed):
            part(t)


main()
