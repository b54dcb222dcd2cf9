"""FreeRADIUS, with a configuration that is made here."""
import os
import shutil
import tempfile

import box
import net
import proc
import tap
from radius import NAS_SECRET, PASSWORDS

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
