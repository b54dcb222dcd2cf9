"""iradd against FreeRADIUS."""
import net
import proc
import tap
from driver import Iradd
from freeradius import FreeRadius
from radius import question


def one_server(t, iradd, server):
    with t.case("FreeRADIUS accepts the right response, with its message"):
        result = iradd.verdict(**question(server.address))
        assert result == {"verdict": "accept", "server": server.address, "reason": "Hello, target-chap"}, result
    with t.case("FreeRADIUS rejects a wrong response and a name it does not know"):
        assert iradd.verdict(**question(server.address, password="wrong"))["verdict"] == "reject"
        assert iradd.verdict(**question(server.address, name="somebody"))["verdict"] == "reject"
    with t.case("a wrong NAS secret gets no answer, and the sentence thinks of it"):
        text = iradd.failure("ETIMEDOUT", **question(server.address, nas_secret="wrong", timeout_ms=600))
        assert "NAS secret" in text, text
        proc.wait_for("FreeRADIUS to complain", lambda: server.said("invalid Message-Authenticator"))


def down(t, iradd, server):
    nobody = "127.0.0.1:%d" % net.free_port()
    with t.case("a server that is down is said to be"):
        assert "nothing listens" in iradd.failure("ECONNREFUSED", **question(nobody))
    with t.case("the first server down, the second one answers"):
        result = iradd.verdict(**question(nobody + "," + server.address))
        assert result["verdict"] == "accept" and result["server"] == server.address, result
    with t.case("the first server hangs, the second one answers"):
        with net.socket.socket(net.socket.AF_INET, net.socket.SOCK_DGRAM) as deaf:
            deaf.bind(("127.0.0.1", 0))
            first = "127.0.0.1:%d" % deaf.getsockname()[1]
            assert iradd.verdict(**question("", servers=[first, server.address], timeout_ms=1000))["verdict"] == "accept"


with tap.script() as t:
    with Iradd("-t", "1", "-r", "2") as iradd:
        t.show_on_failure(iradd)
        with FreeRadius("freeradius") as server:
            t.show_on_failure(server)
            one_server(t, iradd, server)
            down(t, iradd, server)
        with t.case("over IPv6, too"):
            with FreeRadius("freeradius6", host="::1") as server:
                assert iradd.verdict(**question(server.address))["server"] == server.address
        with t.case("FreeRADIUS as it signs by itself is taken if it signs, and refused if not"):
            with FreeRadius("unsigned", post="") as server:
                answer = iradd.ask("verify", **question(server.address, timeout_ms=600))
                t.comment(answer)
                if not answer["ok"]:
                    assert answer["error"]["code"] == "EBADMSG" and "Message-Authenticator" in answer["error"]["message"]
