"""usage: hardened.py BUILD fortified|plain: each installed program is built as meson.build says, hard to take over."""
import json
import os
import shutil
import subprocess
import sys

import tap

BUILD, FORTIFIED = sys.argv[1], sys.argv[2] == "fortified"

ENDBR64 = bytes((0xf3, 0x0f, 0x1e, 0xfa))


def readelf(option, path):
    return subprocess.run(["readelf", "-W", option, path], capture_output=True, text=True, check=True).stdout


def programs():
    """What is installed of this build and is an ELF file."""
    with open(os.path.join(BUILD, "meson-info", "intro-installed.json")) as f:
        for path in json.load(f):
            if os.path.isfile(path):
                with open(path, "rb") as p:
                    if p.read(4) == b"\x7fELF":
                        yield path


def sanitized(symbols):
    return "__asan_init" in symbols or "__ubsan" in symbols


def main():
    with tap.script() as t:
        if not shutil.which("readelf"):
            raise tap.Skip("readelf is not installed")
        found = sorted(programs())
        assert len(found) >= 10, found
        for path in found:
            header, segments, dynamic = readelf("-h", path), readelf("-l", path), readelf("-d", path)
            symbols = readelf("-s", path)
            with t.case("%s is hardened" % os.path.basename(path)):
                assert "DYN (Position-Independent Executable file)" in header, header
                assert "GNU_RELRO" in segments and ("BIND_NOW" in dynamic or "Flags: NOW" in dynamic), dynamic
                stack = [line.split() for line in segments.splitlines() if "GNU_STACK" in line]
                assert stack and not any(word in ("RWE", "E") for word in stack[0]), stack
                assert "TEXTREL" not in dynamic and "RPATH" not in dynamic and "RUNPATH" not in dynamic, dynamic
                assert "__stack_chk_fail" in symbols, "no stack protector"
                if FORTIFIED and not sanitized(symbols):
                    assert "_chk@GLIBC" in symbols.replace("__stack_chk_fail", ""), "not fortified"
                if "x86-64" in header.lower():
                    # The system's start-up code may lack the note that turns it on; our functions begin with it.
                    with open(path, "rb") as f:
                        assert f.read().count(ENDBR64) > 20, "not compiled for CET"


main()
