"""iradd against FreeRADIUS, with a configuration that is made here."""
import os
import shutil
import tempfile

import box
import net
import proc
import tap
from driver import Iradd
from radius import NAS_SECRET, PASSWORDS, question

CONFIG = """
prefix = /usr
name = radiusd
logdir = {dir}
run_dir = {dir}
pidfile = {dir}/pid
libdir = {libdir}
max_requests = 1024
log {{
	destination = stdout
}}
security {{
	reject_delay = 0
	allow_vulnerable_openssl = yes
}}
client v4 {{
	ipaddr = 127.0.0.1
	secret = "{secret}"
	require_message_authenticator = yes
}}
client v6 {{
	ipv6addr = ::1
	secret = "{secret}"
	require_message_authenticator = yes
}}
modules {{
	chap {{
	}}
	files {{
		filename = {dir}/users
	}}
}}
server default {{
	listen {{
		type = auth
		{family} = {host}
		port = {port}
	}}
	authorize {{
		chap
		files
	}}
	authenticate {{
		chap
	}}
	post-auth {{
		{post}
		Post-Auth-Type REJECT {{
			{post}
		}}
	}}
}}
"""
# This release signs its answers only when told to; the manual page of iradd shows it, too.
SIGN = "update reply { Message-Authenticator := 0x00 }"


class FreeRadius:
    def __init__(self, name, host="127.0.0.1", post=SIGN):
        self.program = shutil.which("freeradius", path=os.environ["PATH"] + ":/usr/sbin")
        if not self.program:
            raise tap.Skip("freeradius is not installed")
        self.host, self.port = host, net.free_port(host)
        # FreeRADIUS wants nobody else to be able to write there.
        self.dir = tempfile.mkdtemp(prefix=name, dir=box.directory())
        libdir = next((d for d in ("/usr/lib/freeradius", "/usr/lib64/freeradius") if os.path.isdir(d)), "")
        self.write("radiusd.conf", CONFIG.format(
            dir=self.dir, libdir=libdir, secret=NAS_SECRET, host=host, port=self.port, post=post,
            family="ipv6addr" if ":" in host else "ipaddr"))
        self.write("users", "".join('%s Cleartext-Password := "%s"\n\tReply-Message = "Hello, %%{User-Name}"\n' % user
                                    for user in PASSWORDS.items()))
        self.write("dictionary", "$INCLUDE /usr/share/freeradius/dictionary\n")
        self.daemon = proc.Daemon(self.program, "-X", "-d", self.dir, "-n", "radiusd", log=os.path.join(self.dir, "log"))

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            os.fchmod(f.fileno(), 0o640)
            f.write(text)

    @property
    def log(self):
        return self.daemon.log

    @property
    def address(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    def tail(self):
        return self.daemon.tail(60)

    def said(self, words):
        with open(self.log, errors="replace") as f:
            return words in f.read()

    def ready(self):
        if not self.daemon.alive():
            raise proc.Failed("freeradius ended: " + "\n".join(self.tail()))
        return self.said("Ready to process requests")

    def __enter__(self):
        self.daemon.start()
        proc.wait_for("freeradius to be ready", self.ready)
        return self

    def __exit__(self, *_):
        self.daemon.stop()


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
