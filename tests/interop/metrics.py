"""What a collector of metrics is answered: over HTTP as systemd's socket does it, as a file, and what a dashboard asks for."""
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading

import box
import proc
import tap
from initiator import Initiator
from tgt import Tgt

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"


class Activated:
    """A socket that starts the program for each connection, with nothing else open (Accept=yes)."""

    def __init__(self, initiator):
        self.initiator, self.socket = initiator, socket.create_server(("127.0.0.1", 0))
        self.port, self.programs = self.socket.getsockname()[1], []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            connection, _ = self.socket.accept()
            argv = [self.initiator.program("iscsiutil"), "-s", "--metrics", "--http"]
            program = subprocess.Popen(argv, env=self.initiator.env, stdin=connection, stdout=connection, stderr=subprocess.DEVNULL)
            self.programs.append(program)
            connection.close()

    def get(self, path="/metrics", method="GET", **headers):
        """(status, type, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, answer.getheader("Content-Type"), body


def samples(text):
    """{name with labels: value}"""
    rows = [line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#")]
    return {row[0]: float(row[1]) for row in rows}


def over_http(t, made, server):
    with t.case("GET /metrics: Prometheus' text, and OpenMetrics for who asks for it"):
        status, kind, text = server.get()
        assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
        status, kind, other = server.get(Accept=OPENMETRICS)
        assert status == 200 and kind.startswith("application/openmetrics-text; version=1.0.0") and other.endswith("# EOF\n"), kind
        assert set(samples(text)) == set(samples(other))
        assert "# EOF" not in text and "# TYPE openisw_lun_read_bytes_total counter" in text and "# TYPE openisw_lun_read_bytes counter" in other
    with t.case("promtool has nothing to say against it"):
        if not shutil.which("promtool"):
            raise tap.Skip("promtool is not installed")
        done = proc.run("promtool", "check", "metrics", stdin=text)
        assert not done.out and not done.err, done
    with t.case("what is raised alarms on: states of sessions and disks"):
        values = samples(text)
        states = {name: value for name, value in values.items() if name.startswith("openisw_session_state{")}
        assert len(states) == 3 and [v for n, v in states.items() if 'state="online"' in n] == [1], states
        disk = 'target="iqn.2026-11.org.example:metrics",lun="1",device="c0t0d1",path="255/0/0.0.0.1"'
        assert values["openisw_disk_available{%s}" % disk] == 1 and values["openisw_disk_size_bytes{%s}" % disk] == 32 << 20, values
    with t.case("HEAD has no body; other paths, methods and noise are refused"):
        assert server.get(method="HEAD")[::2] == (200, "")
        assert server.get("/")[0] == 404 and server.get(method="POST")[0] == 405
        with socket.create_connection(("127.0.0.1", server.port)) as s:
            s.sendall(b"\x16\x03\x01\r\n\r\n")
            assert s.makefile("rb").readline() == b"HTTP/1.1 400 Bad Request\r\n"
    with t.case("who says nothing, or nothing whole, is let go"):
        with socket.create_connection(("127.0.0.1", server.port)) as s, socket.create_connection(("127.0.0.1", server.port)) as silent:
            s.sendall(b"GET /metrics HTTP/1.1\r\n")
            assert s.makefile("rb").readline() == b"HTTP/1.1 408 Request Timeout\r\n"
            assert silent.recv(100) == b""
        proc.wait_for("the programs to end", lambda: all(p.poll() is not None for p in server.programs))


def as_a_file(t, made, path):
    with t.case("a file for the node exporter is replaced as a whole, and everybody may read it"):
        made.command("iscsiutil", "-s", "--metrics", "--output", path)
        first = os.stat(path)
        with open(path) as kept:
            made.command("iscsiutil", "-s", "--metrics", "--output", path)
            text = kept.read()
        assert samples(text) and "# EOF" not in text
        assert os.stat(path).st_ino != first.st_ino and first.st_mode & 0o777 == 0o644
    with t.case("what cannot be written is said, and leaves nothing"):
        done = made.command("iscsiutil", "-s", "--metrics", "--output", os.path.join(path, "below"), ok=None)
        assert done.code == 1 and "cannot write beside" in done.err, done
        assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def dashboard(t, path):
    with t.case("what the dashboard asks for is there"):
        with open(os.path.join(TOP, "dist", "grafana", "openisw.json")) as f:
            board = json.load(f)
        with open(path) as f:
            names = {re.sub(r"\{.*", "", name) for name in samples(f.read())}
        asked = [t["expr"] for panel in board["panels"] for t in panel["targets"]]
        asked += [v["query"] for v in board["templating"]["list"]]
        wanted = {name for text in asked for name in re.findall(r"\bopenisw_\w+", text)}
        assert len(wanted) >= 8 and wanted <= names, wanted - names


def main():
    with tap.script() as t:
        with Tgt() as target:
            with Initiator() as made:
                t.show_on_failure(made)
                target.lun(target.target("metrics"), 1)
                made.discover(target)
                made.command("insf", "-H", "255")
                server, where = Activated(made), os.path.join(box.directory(), "textfile")
                os.mkdir(where)
                path = os.path.join(where, "openisw.prom")
                over_http(t, made, server)
                as_a_file(t, made, path)
                dashboard(t, path)
            with t.case("no driver: 503 says so, and the file stays what it was"):
                status, _, body = server.get()
                assert status == 503 and "does not answer" in body, body
                before = os.stat(path).st_ino
                assert made.command("iscsiutil", "-s", "--metrics", "--output", path, ok=None).code == 3
                assert os.stat(path).st_ino == before and os.listdir(where) == ["openisw.prom"]


main()
