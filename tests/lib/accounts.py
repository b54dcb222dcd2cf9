"""The accounts of an installed initiator, for this test's processes only."""
import grp
import os
import pwd
import re

import box
import proc

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
FIRST = 54321


def wanted():
    """(users, groups) that dist/ makes."""
    with open(os.path.join(TOP, "dist", "systemd", "openisw.sysusers")) as f:
        rows = re.findall(r"^([ug]) (\S+)", f.read(), re.M)
    return [name for kind, name in rows if kind == "u"], [name for kind, name in rows if kind == "g"]


def are_there():
    try:
        users, groups = wanted()
        return all(pwd.getpwnam(name) for name in users) and all(grp.getgrnam(name) for name in groups)
    except KeyError:
        return False


def make():
    """False: they are not there, and cannot be made without a mount namespace of the test's own."""
    if are_there():
        return True
    if not box.isolated():
        return False
    users, groups = wanted()
    lines = {"passwd": "", "group": ""}
    for number, name in enumerate(users + groups, FIRST):
        if name in users:
            lines["passwd"] += "%s:x:%d:%d::/:/usr/sbin/nologin\n" % (name, number, number)
        lines["group"] += "%s:x:%d:\n" % (name, number)
    for name, text in lines.items():
        path = os.path.join(box.directory(), name)
        with open(os.path.join("/etc", name)) as old, open(path, "w") as new:
            new.write("".join(line for line in old if not line.startswith("openisw")) + text)
        proc.run("mount", "--bind", path, os.path.join("/etc", name))
    return are_there()
