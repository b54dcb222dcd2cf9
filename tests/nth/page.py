"""The page that nth.c shares with a test: what shall fail, what did, and what was called from where."""
import ctypes
import errno
import mmap
import os
import re
import subprocess

import tap
from initiator import BUILD

HERE = os.path.dirname(os.path.abspath(__file__))
LIBRARY = os.path.join(BUILD, "tests", "nth", "libnth.so")
FRAMES, MODULES, SITES = 14, 48, 8192  # as in nth.c
SHORT = 10000
OFTEN = 1 << 62
WORD = ctypes.c_uint64


def calls():
    """[(function, [errnos])] in the order of calls.def."""
    with open(os.path.join(HERE, "calls.def"), encoding="utf-8") as f:
        rows = re.findall(r'^(?:CALL|IO|BYTES|OF_KIND|CODE)\((?:int|long|void \*), (\w+),.*?"([A-Z0-9 ]*)"', f.read(), re.M)
    return [(name, ["ENOMEM"]) for name in ("malloc", "calloc", "realloc")] + [(name, words.split()) for name, words in rows]


CALLS = calls()
NUMBER = {name: i for i, (name, _) in enumerate(CALLS)}


def errors(call):
    return dict(CALLS)[call]


class Module(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 256)]


class SiteWords(ctypes.Structure):
    _fields_ = [("hash", WORD), ("call", WORD), ("children", WORD), ("first", WORD), ("count", WORD), ("frames", WORD * FRAMES)]


class Words(ctypes.Structure):
    _fields_ = [(name, WORD) for name in ("is_armed", "call", "site", "at", "times", "error", "children", "matched", "failed")] + \
        [("wall_s", ctypes.c_int64), ("modules", Module * MODULES), ("sites", SiteWords * SITES)]


class Site:
    """Where a call comes from: the functions that led to it."""

    def __init__(self, words, modules):
        self.hash, self.first, self.count, self.children = words.hash, words.first, words.count, words.children
        self.call = CALLS[words.call][0]
        self.frames = [(modules[f >> 48], f & (1 << 48) - 1) for f in words.frames if f]
        self.library = os.path.basename(self.frames[0][0]) if self.frames else ""  # that calls; "": the program itself
        self.names = []  # of functions, the innermost first; see Page.name()

    def __str__(self):
        return "%s in %s" % (self.call, " < ".join(self.names[:8]))


def functions(module, offsets):
    """Their names, as far as there is debug information."""
    out = subprocess.run(["addr2line", "-f", "-s", "-e", module] + [hex(o - 1) for o in offsets], capture_output=True,
                         text=True).stdout.splitlines()
    found = {}
    for offset, name, line in zip(offsets, out[::2], out[1::2]):
        found[offset] = "%s+%#x" % (os.path.basename(module), offset) if name == "??" else "%s %s" % (name, line.split()[0])
    return found


class Page:
    def __init__(self, directory, program):
        if not os.path.exists(LIBRARY):
            raise tap.Skip("tests/nth/libnth.so is not built")
        self.path, self.program = os.path.join(directory, "page"), program
        with open(self.path, "wb") as f:
            f.truncate(ctypes.sizeof(Words))
        os.chmod(self.path, 0o666)
        with open(self.path, "r+b") as f:
            self.map = mmap.mmap(f.fileno(), ctypes.sizeof(Words))
        self.words = Words.from_buffer(self.map)

    def environment(self):
        """For the program: with AddressSanitizer's library behind ours, where it has one."""
        before = subprocess.run(["ldd", os.path.join(BUILD, "tree", "bin", "iscsi_driverd")], capture_output=True, text=True).stdout
        asan = re.search(r"/\S*libasan\S*", before)
        return {"LD_PRELOAD": " ".join([LIBRARY] + ([asan.group()] if asan else [])), "NTH_PAGE": self.path,
                "NTH_PROGRAM": self.program}

    def clear(self):
        ctypes.memset(ctypes.addressof(self.words), 0, ctypes.sizeof(Words))

    def arm(self, error, call, site=0, at=1, times=1, children=0):
        w = self.words
        w.is_armed = 0
        w.matched = w.failed = 0
        w.site, w.call = site, NUMBER[call]
        w.error = SHORT if error == "SHORT" else getattr(errno, error)
        w.at, w.times, w.children = at, times, children
        w.is_armed = 1

    def disarm(self):
        self.words.is_armed = 0

    @property
    def failed(self):
        return self.words.failed

    def sites(self):
        modules = [""] + [m.name.decode() for m in self.words.modules]
        found = [Site(s, modules) for s in self.words.sites if s.hash]
        return sorted(found, key=lambda s: s.first)

    def name(self, sites):
        """Gives these sites the names of their functions."""
        program = os.path.realpath(os.path.join(BUILD, "tree", "bin", self.program))
        offsets = {}
        for site in sites:
            for module, offset in site.frames:
                offsets.setdefault(module or program, set()).add(offset)
        known = {m: functions(m, sorted(o)) for m, o in offsets.items()}
        for site in sites:
            site.names = [known[m or program].get(o, hex(o)) for m, o in site.frames]
