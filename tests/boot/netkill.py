"""A network that fails for some addresses, by nftables in the test's own network namespace."""
import proc
import tap

# What goes to an address and comes from it is lost; or what goes there is answered with a reset, as if nobody listened.
RULES = """table ip kill {
	set silent { type ipv4_addr; }
	set refusing { type ipv4_addr; }
	chain outgoing { type filter hook output priority 0; %(to)s }
	chain routed { type filter hook forward priority 0; %(to)s %(back)s }
	chain incoming { type filter hook input priority 0; %(back)s }
}
"""
TO = """ip daddr @silent drop; ip daddr @refusing tcp dport %d reject with tcp reset;"""
BACK = """ip saddr @silent drop;"""


class NetKill:
    def __init__(self, port):
        proc.run("nft", "delete", "table", "ip", "kill", ok=None)
        made = proc.run("nft", "-f", "-", stdin=RULES % {"to": TO % port, "back": BACK}, ok=None)
        if made.code != 0:
            raise tap.Skip("no nftables here: " + made.err.strip())

    def kill(self, how, address):
        """silent or refusing: then connections that are there are reset, too."""
        proc.run("nft", "add element ip kill %s { %s }" % (how, address))

    def mend(self, address):
        for how in ("silent", "refusing"):
            proc.run("nft", "delete element ip kill %s { %s }" % (how, address), ok=None)
