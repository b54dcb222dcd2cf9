"""What an administrator does every day, in one command each: several addresses, waiting, forgetting, applying, looking."""
import json

import tap
import field
from fieldtgt import FieldTarget
from fieldunit import Unit

NAME = "iqn.2001-04.com.example:daily"
OTHERS = ["192.0.2.%d" % n for n in (1, 2, 3)]


def many(addresses):
    return [word for a in addresses for word in ("-I", a)]


def addresses(t, made, target):
    def util(*words, **how):
        return made.command("iscsiutil", *words, **how)

    def known():
        return [a["address"] for a in made.request("discovery.list")["targets"]]
    with t.case("several discovery addresses are added by one command, and each is named"):
        out = util("-a", *many(OTHERS))
        assert known()[-3:] == OTHERS and all("%s:3260,1 is a discovery target address" % a in out.err for a in OTHERS), out
        assert util("-a", "-I", "192.0.2.9").err == ""
    with t.case("one that is there already keeps no other back, and the status says that part of it is done"):
        out = util("-a", *many(["192.0.2.1", "192.0.2.8"]), ok=(4,))
        assert "192.0.2.1:3260,1 is a discovery target address already" in out.err and known()[-1] == "192.0.2.8", out
        assert util("-a", *many(["192.0.2.1", "192.0.2.8"]), ok=None).code == 7
        util("-a", *many(["192.0.2.1", "192.0.2.8"]), "--if-absent")
    with t.case("JSON names each, in the shape that one address has, too"):
        shown = json.loads(util("-d", *many(["192.0.2.8", "192.0.2.9"]), "--json").out)
        assert shown == {"addresses": [{"address": a, "port": 3260, "tpgt": 1} for a in ("192.0.2.8", "192.0.2.9")]}, shown
        shown = json.loads(util("-d", "-I", "192.0.2.3", "--json").out)
        assert shown == {"addresses": [{"address": "192.0.2.3", "port": 3260, "tpgt": 1}]}, shown
        out = util("-d", *many(["192.0.2.8", "192.0.2.2"]), "--json", ok=(4,))
        assert [a["address"] for a in json.loads(out.out)["addresses"]] == ["192.0.2.2"], out
        assert json.loads(out.err)["error"]["code"] == "NOTFOUND", out
    with t.case("so are addresses of an operational target, with a port that counts for all"):
        util("-a", "-T", NAME, *many(OTHERS), "-P", 5001)
        there = made.request("target.list", name=NAME)["targets"][0]["addresses"]
        assert [(a["address"], a["port"]) for a in there if a["port"] == 5001] == [(a, 5001) for a in OTHERS], there
        out = util("-d", "-T", NAME, *many(OTHERS[:2]), "-P", 5001)
        assert all("%s at %s:5001,1 is deleted" % (NAME, a) in out.err for a in OTHERS[:2]), out
        out = util("-d", "-T", NAME, *many(OTHERS), "-P", 5001, ok=(4,))
        assert out.err.count("has no address") == 2, out
    with t.case("an option that takes one value takes no second one"):
        out = util("-t", "NOPTimeout", 5, *many(OTHERS), ok=(2,))
        assert "-I is given twice" in out.err, out
    with t.case("sessions of several addresses are logged out"):
        util("-d", "-S", "-T", NAME, *many([target.host, "192.0.2.1"]))
        assert field.state(made, "daily") == "offline"
        made.command("ioscan", "--target", NAME)
    util("-d", *many(OTHERS[:1]))


def main():
    with tap.script() as t:
        with FieldTarget([Unit(0), Unit(1, "B")], name=NAME) as target, field.world(t, target) as made:
            for part in (addresses,):
                part(t, made, target)


main()
