"""What a hostile RADIUS server and a hostile DNS server can make the daemons that ask them hold, write and wait for."""
import os
import socket
import struct
import sys
import threading
import time

import box
import proc
import tap
from cost import cpu_seconds, memory_kib
from initiator import Initiator

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "iradd"))
from driver import Iradd  # noqa: E402 (found by the line above)
from radius import ACCEPT, PROXY_STATE, Server, question  # noqa: E402

PACKETS = 20000


class Spent:
    """Memory, log bytes and time of a daemon of whose log this is the path."""

    def __init__(self, daemon, log):
        self.pid, self.log = daemon.pid, log
        self.before, self.size, self.cpu, self.begin = self.memory(), os.path.getsize(log), cpu_seconds(self.pid), time.monotonic()

    def memory(self):
        return memory_kib(self.pid, "VmHWM") / 1024

    def __str__(self):
        return "%.1f MiB, %d bytes of log, %.2f s of CPU in %.2f s" % (self.values() + (time.monotonic() - self.begin,))

    def values(self):
        return self.memory() - self.before, os.path.getsize(self.log) - self.size, cpu_seconds(self.pid) - self.cpu


def radius_server(t):
    with Iradd(name="flooded") as iradd:
        t.show_on_failure(iradd)
        for name, answers in (
                ("bytes that are no answer", lambda r: [os.urandom(100)] * PACKETS),
                ("answers of another secret", lambda r: [r.answer(ACCEPT, secret="wrong")] * PACKETS),
                ("answers to nobody", lambda r: [r.answer(ACCEPT, identifier=r.identifier ^ 0x55)] * PACKETS),
                ("answers as long as they may be", lambda r: [r.answer(ACCEPT, *[(PROXY_STATE, bytes(253))] * 15, secret="wrong")] * PACKETS)):
            with t.case("a RADIUS server that sends %d times %s costs little, and the question ends in time" % (PACKETS, name), 40):
                with Server(answers) as s:
                    spent = Spent(iradd.daemon, iradd.log)
                    answer = iradd.ask("verify", **question(s.address, timeout_ms=3000))
                    t.comment("%s: %s; %s" % (name, spent, answer.get("error", {}).get("message")))
                memory, log, cpu = spent.values()
                assert not answer["ok"] and memory < 8 and log < 20000 and cpu < 3, str(spent)
        with t.case("and an honest one is asked as before"):
            with Server() as s:
                assert iradd.verdict(**question(s.address))["verdict"] == "accept"


class NameServer(threading.Thread):
    """Answers each question with `answers` addresses: too many for a datagram, so by TCP."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.answers = answers
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", 53))
        self.tcp = socket.create_server(("127.0.0.1", 53))
        threading.Thread(target=self.serve_tcp, daemon=True).start()

    def reply(self, question, is_cut):
        end = question.index(b"\0", 12) + 5
        is_a = question[end - 4:end - 2] == b"\0\x01"
        n = self.answers if is_a and not is_cut else 0
        head = question[:2] + (b"\x83\x80" if is_cut else b"\x81\x80") + struct.pack(">HHHH", 1, n, 0, 0)
        rows = b"".join(b"\xc0\x0c\0\x01\0\x01\0\0\0\x05\0\x04" + struct.pack(">I", 0x7f010000 + i) for i in range(n))
        return head + question[12:end] + rows

    def run(self):
        while True:
            question, sender = self.udp.recvfrom(4096)
            self.udp.sendto(self.reply(question, question[question.index(b"\0", 12) + 1:][:2] == b"\0\x01"), sender)

    def serve_tcp(self):
        while True:
            s, _ = self.tcp.accept()
            threading.Thread(target=self.answer_tcp, args=(s,), daemon=True).start()

    def answer_tcp(self, s):
        with s:
            while True:
                size = s.recv(2, socket.MSG_WAITALL)
                if len(size) < 2:
                    return
                reply = self.reply(s.recv(struct.unpack(">H", size)[0], socket.MSG_WAITALL), False)
                s.sendall(struct.pack(">H", len(reply)) + reply)


def name_server(t):
    with t.case("a DNS server that names 4,000 addresses costs little, and the scan ends in time", 60):
        if not box.isolated() or os.geteuid() != 0:
            raise tap.Skip("a name server needs a namespace of its own")
        resolv = os.path.join(box.directory(), "resolv.conf")
        with open(resolv, "w") as f:
            f.write("nameserver 127.0.0.1\noptions timeout:2 attempts:1\n")
        proc.run("mount", "--bind", resolv, "/etc/resolv.conf")
        NameServer(4000).start()
        with Initiator() as initiator:
            daemon = initiator.start_daemon("iscsi_resolvd")
            spent = Spent(daemon, initiator.log)
            driver = Spent(initiator.driver, initiator.log)
            initiator.command("iscsiutil", "-a", "-I", "many.example", "-P", "1")
            begin = time.monotonic()
            result = initiator.request("scan", limit=50)
            t.comment("iscsi_resolvd: %s; the driver: %s; %s" % (spent, driver, result["failures"]))
            assert result["discovery"]["failed"] == 1 and time.monotonic() - begin < 30, result
            assert spent.values()[0] < 8 and driver.values()[0] < 8 and spent.values()[1] < 20000, str(spent)


with tap.script() as script:
    radius_server(script)
    name_server(script)
