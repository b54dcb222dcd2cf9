"""CHAP algorithms: only those are offered that the administrator allows; a target that knows MD5 only is met where MD5 is
among them and nobody chose."""
import contextlib

import field
import tap
from fieldtgt import DROP, Chap, FieldTarget, Refused

SECRET = "targetsecret12"
REFUSALS = {"0201": Refused(2, 1), "0200": Refused(2, 0), "0202": Refused(2, 2), "a hang-up": DROP}


@contextlib.contextmanager
def configured(t, target, *more):
    """An initiator that uses CHAP with this target; more: of iscsiutil -u."""
    with field.initiator(t) as made:
        made.command("iscsiutil", "-u", "-H", "CHAP_UNI", "-N", "u", "-W", SECRET, *more)
        made.command("iscsiutil", "-t", "authmethod", "CHAP", "None")
        made.discover(target)
        yield made


def offers(target):
    return [e[3] for e in target.log if e[1] == "CHAP_A"]


def main():
    with tap.script() as t:
        for what, refusal in REFUSALS.items():
            with t.case("a target that knows MD5 only and answers others with %s is logged in to at the second try" % what):
                with FieldTarget() as target:
                    target.chap = Chap("u", SECRET, refuses=refusal)
                    with configured(t, target) as made:
                        field.wait_online(made)
                        assert offers(target)[-1] == "5" and len(offers(target)) == 2, offers(target)
                        assert len(made.tree("disk")) == 1
        with t.case("a target that chooses MD5 from the list is asked once"), FieldTarget() as target:
            target.chap = Chap("u", SECRET)
            with configured(t, target) as made:
                field.wait_online(made)
                assert len(offers(target)) == 1, offers(target)
        for what, refusal in REFUSALS.items():
            with t.case("what was chosen is not widened after %s" % what), FieldTarget() as target:
                target.chap = Chap("u", SECRET, algorithms=(), refuses=refusal)
                with configured(t, target, "--algorithms", "SHA3-256") as made:
                    made.request("scan", 60)
                    assert offers(target) and set(offers(target)) == {"8"}, offers(target)
                    assert not target.count("CHAP_R"), "a response was given"
        with t.case("a wrong secret is not tried with MD5 for ever"), FieldTarget() as target:
            target.chap = Chap("u", "another-secret")
            with configured(t, target) as made:
                made.request("scan", 60)
                assert 1 <= len(offers(target)) <= 3, offers(target)
                assert field.state(made) != "online"


main()
