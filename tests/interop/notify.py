"""Programs that are told what happens: an outage reaches a mailbox, and neither hangs nor floods nor comes twice."""
import itertools
import json
import os
import shutil
import signal
import socketserver
import threading
import time

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MAIL = os.path.join(TOP, "dist", "notify", "mail")
# From the end of the target to the mail.
PROMISED_S = 1.0
NOTE = '#!/bin/sh\necho "$(cat) $OPENISW_EVENT" >>"%s"\n'


class Sink(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it is given."""
    daemon_threads = True

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            say = lambda line: self.wfile.write(line + b"\r\n")
            say(b"220 sink")
            for line in self.rfile:
                word = line.strip().upper()
                if word == b"DATA":
                    say(b"354 go on")
                    lines = []
                    for part in self.rfile:
                        if part == b".\r\n":
                            break
                        lines.append(part.decode())
                    self.server.mails.append(("".join(lines).replace("\r\n", "\n"), time.monotonic()))
                say(b"221 bye" if word == b"QUIT" else b"250 fine")
                if word == b"QUIT":
                    return

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.mails = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Hooks:
    def __init__(self, name):
        self.dir, self.file = os.path.join(box.directory(), name), os.path.join(box.directory(), name + ".events")
        os.mkdir(self.dir, 0o755)
        open(self.file, "w").close()

    def add(self, name, text, mode=0o755):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def events(self):
        """[(the event, the identifier that was in the environment)]"""
        with open(self.file) as f:
            return [(json.loads(row.rsplit(" ", 1)[0]), row.rsplit(" ", 1)[1].strip()) for row in f]

    def ids(self):
        return [e["id"] for e, _ in self.events()]


def watcher(made, hooks, *words):
    return proc.Daemon(made.program("iscsiutil"), "--events", "--notify", hooks.dir, *words, log=hooks.file + ".log", env=made.env)



def reached(made, hooks):
    """Until it follows: an event that is made for that comes through."""
    before, levels = len(hooks.events()), itertools.cycle("45")

    def came():
        made.command("iscsiutil", "-b", next(levels))
        return len(hooks.events()) > before
    proc.wait_for("events to come through", came)


def outage(t, made, target, sink, hooks):
    conf = os.path.join(box.directory(), "mail.conf")
    with open(conf, "w") as f:
        f.write('MAIL_TO=admin@example.org\nMAIL_FROM=host@example.org\n'
                'SENDMAIL=%s\n' % os.path.join(box.directory(), "sendmail"))
    with open(os.path.join(box.directory(), "sendmail"), "w") as f:
        f.write('#!/bin/sh\nexec msmtp --host=127.0.0.1 --port=%d --auth=off --tls=off "$@"\n' % sink.server_address[1])
    os.chmod(os.path.join(box.directory(), "sendmail"), 0o755)
    with open(MAIL) as f:
        hooks.add("10mail", f.read().replace("/etc/openisw/mail.conf", conf))
    hooks.add("20note", NOTE % hooks.file)
    with watcher(made, hooks) as watching:
        t.show_on_failure(watching)
        reached(made, hooks)
        with t.case("an outage is mailed within a second, with what it means"):
            del sink.mails[:]
            begin = time.monotonic()
            target.stop()
            proc.wait_for("the mail", lambda: any("Subject: " in m and ":field" in m for m, _ in sink.mails))
            text, at = next((m, at) for m, at in sink.mails if ":field" in m)
            t.comment("%.2f s after the target was stopped" % (at - begin))
            assert at - begin <= PROMISED_S, at - begin
            assert "\nTo: admin@example.org\n" in "\n" + text and "iscsiutil --explain " in text and "\nTarget: iqn." in text, text
            assert text.split("\n\n", 1)[0].count("Subject: ") == 1, text
        with t.case("each program has all of the event, as JSON and in its environment"):
            proc.wait_for("the note of it", lambda: any((e.get("target") or "").endswith(":field") for e, _ in hooks.events()))
            for event, name in hooks.events():
                assert event["id"] == name and event["text"] and event["not_told"] == 0, event
        target.again()
        field.wait_online(made, limit=60)


def another_driver(t, made, hooks):
    with t.case("a driver that dies is waited for, and what happened meanwhile is told once"):
        with watcher(made, hooks) as watching:
            reached(made, hooks)
            made.driver.kill(signal.SIGKILL)
            proc.wait_for("it to be missed", lambda: any("waiting for it" in line for line in watching.tail()))
            made.restart_driver()
            proc.wait_for("the daemon's return to be told", lambda: any(i.endswith("DAEMON_BACK") for i in hooks.ids()[-5:]))
            texts = [(e["time"], e["text"]) for e, _ in hooks.events()]
            assert len(set(texts)) == len(texts), texts


def flood(t, made):
    hooks = Hooks("flood")
    hooks.add("note", NOTE % hooks.file)
    with t.case("a flood is held back, counted, and its last word is told", limit=60):
        with watcher(made, hooks, "--level", "note"):
            reached(made, hooks)
            for n in range(60):
                made.command("iscsiutil", "-b", str(3 + n % 4))
            told = len(hooks.events())
            assert told < 45, "%d programs were run at once" % told
            proc.wait_for("the rest to be counted", lambda: sum(1 + e["not_told"] for e, _ in hooks.events()) >= 61, limit=40)
            assert hooks.events()[-1][0]["not_told"] > 0


def careful(t, made):
    hooks = Hooks("careful")
    hooks.add("note", NOTE % hooks.file)
    hooks.add("others-may-write", NOTE % (hooks.file + ".never"), 0o777)
    hooks.add("no.plain.name", NOTE % (hooks.file + ".never"))
    hooks.add("not-executable", NOTE % (hooks.file + ".never"), 0o644)
    hooks.add("hangs", "#!/bin/sh\nexec tail -f /dev/null\n")
    hooks.add("fails", "#!/bin/sh\nexit 3\n")
    with watcher(made, hooks) as watching:
        with t.case("what others could change is not run, nor what is no program; one that hangs or fails is nobody else's trouble"):
            reached(made, hooks)
            reached(made, hooks)
            proc.wait_for("the complaints", lambda: any("exit status 3" in line for line in watching.tail()))
            assert any("others-may-write is not run" in line for line in watching.tail()), watching.tail()
            assert not os.path.exists(hooks.file + ".never")
        with t.case("nor is anything where the directory is not ours"):
            os.chmod(hooks.dir, 0o777)
            made.command("iscsiutil", "-b", "2")
            proc.wait_for("that to be said", lambda: any("nothing in" in line for line in watching.tail()))
            assert not any("level=2" in e["text"] for e, _ in hooks.events())


def main():
    with tap.script() as t:
        if not shutil.which("msmtp"):
            raise tap.Skip("msmtp is not installed")
        sink = Sink()
        with FieldTarget([Unit(0)]) as target, field.world(t, target) as made:
            hooks = Hooks("hooks")
            outage(t, made, target, sink, hooks)
            os.unlink(os.path.join(hooks.dir, "10mail"))
            another_driver(t, made, hooks)
            flood(t, made)
            careful(t, made)


main()
