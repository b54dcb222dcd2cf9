"""islpd as the driver sees it: the daemon, and the driver's end of its socket (ARCHITECTURE.md, daemon protocol)."""
import os

from helperlink import BUILD, HelperLink

PROGRAM = os.path.join(BUILD, "src", "islpd", "islpd")


class Islpd(HelperLink):
    def __init__(self, *options, config=None):
        super().__init__("islpd", *options, config=config)

    def ask(self, timeout_ms=3000, **args):
        """The whole answer."""
        return self.request("discover", timeout_ms=timeout_ms, **args)

    def discover(self, timeout_ms=3000, **args):
        answer = self.ask(timeout_ms, **args)
        assert answer["ok"], answer
        return answer["result"]
