"""What tests of libnbd run for "nbdkit": instead of a server with a plugin, a way to one of our disks, whose bytes are what that plugin
would have.  OPENISW_NBDKIT: JSON, "PLUGIN SIZE" -> the socket of such a disk.

It understands what these tests say: -s (the client is standard input), -U, -p, --run, sockets of socket activation; the plugins null,
memory, pattern, eval with a size, and sh with the script of the tests of flags.  All else ends with status 1: that is not ours."""
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading

import box
import nbdclient

TAKES_A_VALUE = ("-U", "-P", "-p", "-i", "-D", "-e", "--run", "-t", "-I")
# A filter, and what disk it needs; "": any is one.
FILTERS = {"cow": "", "noextents": "", "delay": "slow"}
FRESH_BYTES, PART = 64 << 20, 1 << 20
HAS = "version_minor=32"


def not_ours(why):
    print("nbdkit: not ours: " + why, file=sys.stderr)
    sys.exit(1)


def number(text):
    units = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    found = re.fullmatch(r"(\d+)([kmgKMG]?)", text)
    return int(found.group(1)) * units[found.group(2).lower()] if found else not_ours("size " + text)


class Command:
    """options: "-U" -> its word, or True; plugin; words, which are the plugin's."""

    def __init__(self, words):
        self.options, self.filters, self.plugin, self.words = {}, [], None, []
        words = list(words)
        while words:
            word = words.pop(0)
            if word.startswith("--filter="):
                self.filters.append(word.split("=", 1)[1])
            elif word.startswith("-"):
                self.options[word] = words.pop(0) if word in TAKES_A_VALUE else True
            elif self.plugin is None:
                self.plugin = word
            else:
                self.words.append(word)
        self.keys = dict(w.split("=", 1) for w in self.words if "=" in w)

    def size(self):
        bare = [w for w in self.words if "=" not in w]
        if "get_size" in self.keys:
            return number(self.keys["get_size"].split()[1])
        return number(self.keys.get("size", bare[0] if bare else "1M"))

    def flag(self):
        """Of the tests of flags: one that is there, or can never be there, is asked of the disk that has most; else of the one that has least."""
        is_there = self.keys["rc"] == "0" and self.keys["print"] != "none"
        return "thin" if is_there or self.keys["key"] not in ("can_fua", "can_trim", "can_zero") else "locked"

    def disk(self):
        """(kind, size)"""
        kind = self.plugin
        for name in self.filters:
            if name not in FILTERS:
                not_ours("the filter " + name)
            kind = FILTERS[name] or kind
        if self.plugin == "sh" and "key" in self.keys:
            return self.flag(), 1 << 20
        if self.plugin not in ("null", "memory", "pattern", "eval") or set(self.keys) & {"pread", "pwrite", "open", "list_exports"}:
            not_ours("the plugin %s" % self.plugin)
        return "locked" if "-r" in self.options else kind, self.size()


def pattern(offset, n):
    """What the plugin has there: each 8 bytes say where they are."""
    return struct.pack(">%dQ" % (n // 8), *range(offset, offset + n, 8))


def fresh(path, kind, size):
    with nbdclient.Client(path) as c:
        for at in range(0, size if size <= FRESH_BYTES else 0, PART):
            n = min(PART, size - at)
            if c.write(at, pattern(at, n) if kind == "pattern" else bytes(n)):
                not_ours("the disk %s %d" % (kind, size))


def relay(one, path):
    """Both ways, until one of them ends."""
    with one, nbdclient.connect(path, None) as other:
        to = {one: other, other: one}
        while to:
            for s in select.select(list(to), [], [])[0]:
                try:
                    data = s.recv(1 << 18)
                    to[s].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    return


def serve(listener, path):
    while True:
        s, _ = listener.accept()
        threading.Thread(target=relay, args=(s, path), daemon=True).start()


def main():
    box.die_with_parent()
    c = Command(sys.argv[1:])
    if set(c.options) & {"--version", "--dump-plugin", "--dump-config", "--help"}:
        print(HAS)
        return
    kind, size = c.disk()
    path = json.loads(os.environ["OPENISW_NBDKIT"]).get("%s %d" % (kind, size)) or not_ours("%s of %d bytes" % (kind, size))
    if kind in ("memory", "pattern", "null"):
        fresh(path, kind, size)
    if "-s" in c.options:
        relay(socket.socket(fileno=0), path)
        return
    if "--run" in c.options:
        env = dict(os.environ, unixsocket=path, uri=nbdclient.uri(path))
        sys.exit(subprocess.run(["bash", "-c", c.options["--run"]], env=env, check=False).returncode)
    if "LISTEN_FDS" in os.environ:
        listener = socket.socket(fileno=3)
    elif "-p" in c.options:
        listener = socket.create_server(("::", int(c.options["-p"])), family=socket.AF_INET6, dualstack_ipv6=True)
    else:
        os.symlink(path, c.options["-U"])
        listener = None
    if "-P" in c.options:
        with open(c.options["-P"], "w", encoding="ascii") as f:
            f.write("%d\n" % os.getpid())
    if listener:
        serve(listener, path)
    signal.pause()


if __name__ == "__main__":
    main()
