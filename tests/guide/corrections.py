"""Rows of the guide that were not kept once: what an administrator types and reads, each with its row."""
import re

import field
import tap
from fieldtgt import FieldTarget

NAME = "iqn.2003-11.com.hp.stor:iSCSI"  # the guide's own example, which has capitals


def value(text, label, which=0):
    """The value of a label, where it stands for the which-th time."""
    found = re.findall(r"^%s *: (.*)$" % re.escape(label), text, re.MULTILINE)
    assert len(found) > which, (label, text)
    return found[which]


def configured(t, made, target):
    at = ["-T", NAME, "-I", target.host, "-P", target.port]

    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)
    with t.case("rows 56, 61, 148: what is configured for an address stands there, and the target's with the target"):
        util("-u", "-H", "CHAP_UNI", *at)
        util("-u", "-H", "CHAP_BI", "-N", "me", "-T", NAME)
        util("-u", "-W", "-", "-T", NAME, stdin="mychapsecret1\n")
        shown = util("-p", "-T", NAME).out
        assert value(shown, "Configured Here", 0) == "chap_method=CHAP_BI initiator_chap_name=me chap_secret=set", shown
        assert value(shown, "Configured Here", 1) == "chap_method=CHAP_UNI", shown
        assert "mychapsecret1" not in shown + util("-p", "-T", NAME, "--json").out
    with t.case("row 61: time limits, the source address and the interface are displayed where they count"):
        util("-t", "NOPInterval", "6", "-I", target.host, "-P", target.port)
        util("-t", "SourceAddress", "127.0.0.1", "-T", NAME)
        util("-t", "Interface", "lo", "-T", NAME)
        assert value(util("-pD").out, "Configured Here") == "NOPInterval=6"
        shown = util("-pO").out
        assert value(shown, "Configured Here").endswith("SourceAddress=127.0.0.1 Interface=lo"), shown
        assert (value(shown, "Source Address"), value(shown, "Interface")) == ("127.0.0.1", "lo")
    with t.case("row 171: the level of the system's log is displayed"):
        util("-b", "5")
        assert value(util("-lV").out, "Log Level") == "5"
        util("-b", "3")
        assert value(util("-lV").out, "Log Level") == "3" and "Log Level" not in util("-l").out


def main():
    with tap.script() as t:
        with FieldTarget(name=NAME) as target, field.world(t, target) as made:
            for part in (configured,):
                part(t, made, target)


main()
