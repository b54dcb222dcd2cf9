"""doc/sessions.md: every line that is typed there is typed, in this order, and prints what stands below it."""
import os
import re
import subprocess

import box
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "sessions.md")
HOST, PORT, NAME = "192.0.2.10", 3260, "iqn.2001-04.com.example:array"


def steps():
    """("type", command, lines) and ("do", what)."""
    found, inside = [], False
    with open(DOC, encoding="utf-8") as f:
        for line in f.read().splitlines():
            if line == "```":
                inside = not inside
            elif inside and line.startswith("# "):
                found.append(["type", line[2:], []])
            elif inside:
                found[-1][2].append(line)
            elif line.startswith("<!-- "):
                found.append(["do", line[5:-4]])
    assert not inside and len(found) > 10, found
    return found


def pattern(lines):
    """A line of only an ellipsis is any lines, within a line it is anything."""
    out = ""
    for line in lines:
        out += "(?:.*\n)*?" if line == "…" else ".*".join(re.escape(part) for part in line.split("…")) + "\n"
    return out


def typed(t, made, command, lines):
    with t.case(command):
        out = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, timeout=50, env=made.env, check=False).stdout
        assert re.fullmatch(pattern(lines), out), "printed:\n%s\nwanted:\n%s" % (out, "\n".join(lines))


def done(made, target, what):
    if what == "the array goes down":
        target.stop()
        proc.wait_for("the loss", lambda: field.state(made, "array") == "transient")
        proc.wait_for("its reason", lambda: "refused" in made.command("iscsiutil", "-o").out)
    elif what == "the array is back":
        target.ports = [PORT]
        target.again()
        field.wait_online(made, "array")
    else:
        raise AssertionError("nobody knows how to do: " + what)


def main():
    with tap.script() as t:
        if not box.isolated():
            raise tap.Skip("an address of its own needs a namespace of its own")
        proc.run("ip", "address", "add", HOST + "/32", "dev", "lo")
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME, host=HOST, ports=0) as target, field.initiator(t) as made:
            target.ports = [PORT]
            target.again()
            for step in steps():
                if step[0] == "do":
                    done(made, target, step[1])
                else:
                    typed(t, made, step[1], step[2])


main()
