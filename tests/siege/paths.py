"""Root is not led astray: no initiator of root's below directories that others can change, and no link is followed."""
import os

import box
import proc
import strangers
import tap
from initiator import Initiator


def swap(place, victim):
    """In a directory that everybody may write: our own directory, a link to root's, nothing, over and over."""
    yield "begun"
    while True:
        for step in (lambda: os.mkdir(place, 0o777), lambda: os.rename(place, place + ".was"), lambda: os.symlink(victim, place),
                     lambda: os.unlink(place), lambda: os.rmdir(place + ".was")):
            try:
                step()
            except OSError:
                pass  # root is at work, too


def refused(initiator, root, *said):
    """Every program of ours that would make something there; nothing is made."""
    before = sorted(os.listdir(root)) if os.path.isdir(root) else None
    for words in (["iscsi_driverd"], ["iswd"], ["islpd", "-a"], ["iscsi", "start"]):
        out = proc.run(initiator.program(words[0]), *words[1:], "--root", root, env=initiator.env, ok=None)
        assert out.code == 1 and all(word in out.err for word in said), out
    assert (sorted(os.listdir(root)) if os.path.isdir(root) else None) == before


def main():
    with tap.script() as t:
        if os.geteuid() != 0:
            raise tap.Skip("an ordinary user's directories are his own affair")
        initiator = Initiator()
        place = lambda *words: os.path.join(box.directory(), *words)
        with t.case("a root that is somebody else's, or below such a directory, is refused by name"):
            os.makedirs(place("his", "root"))
            os.chown(place("his"), strangers.SOMEBODY, strangers.SOMEBODY)
            refused(initiator, place("his"), place("his") + " belongs to user 12345")
            refused(initiator, place("his", "root"), place("his") + " belongs to user 12345", "start it as that user")
            refused(initiator, place("his", "new"), place("his") + " belongs to user 12345")
        with t.case("a directory that everybody may write is refused, unless it is sticky and root's"):
            os.makedirs(place("all", "root"))
            os.chmod(place("all"), 0o777)
            refused(initiator, place("all", "root"), place("all") + " may be written by everybody")
            os.chmod(place("all"), 0o1777)
            os.mkdir(place("all", "trap"))
            os.chown(place("all", "trap"), strangers.SOMEBODY, 0)
            refused(initiator, place("all", "trap"), place("all", "trap") + " belongs to user 12345")
        with t.case("links below the root are not followed"):
            os.makedirs(place("linked"))
            os.makedirs(place("victim"))
            os.symlink(place("victim"), place("linked", "var"))
            out = proc.run(initiator.program("iscsi_driverd"), "--root", place("linked"), env=initiator.env, ok=None)
            assert out.code == 1 and place("linked", "var") + " is a symbolic link" in out.err, out
            assert not os.listdir(place("victim"))
        with t.case("a link that is put there in between leads nowhere", limit=120):
            thief = strangers.Stranger(swap, place("all", "r"), place("victim"))
            assert thief.word == "begun"
            for _ in range(40):
                out = proc.run(initiator.program("islpd"), "-a", "--root", place("all", "r"), env=initiator.env, ok=None)
                assert not os.listdir(place("victim")), out
                if out.code == 0:
                    proc.run("rm", "-rf", place("all", "r"))
            thief.end()


main()
