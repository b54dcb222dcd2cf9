#!/usr/bin/env python3
"""tree.py BUILD: make BUILD/tree, in which programs and manual pages lie as an installation would have them (links into the
build and source trees), and print the programs' names."""
import json
import os
import secrets
import sys


def make(build):
    """Returns the sorted names of the programs."""
    tree = os.path.join(build, "tree")
    with open(os.path.join(build, "meson-info", "intro-installed.json")) as f:
        installed = json.load(f)
    programs = []
    for source, place in sorted(installed.items()):
        words = place.split("/")
        if words[-2] in ("bin", "sbin") and "share" not in words:
            link = os.path.join(tree, "bin", words[-1])
            programs.append(words[-1])
        elif len(words) > 3 and words[-3] == "man":
            link = os.path.join(tree, "man", words[-2], words[-1])
        else:
            continue
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if not (os.path.islink(link) and os.readlink(link) == source):
            temporary = "%s.%s" % (link, secrets.token_hex(4))  # two that do this may have the same number, each in its namespace
            os.symlink(source, temporary)
            os.replace(temporary, link)
    return sorted(programs)


if __name__ == "__main__":
    print("\n".join(make(sys.argv[1])))
