"""A run as a picture: one standalone SVG, a panel a quantity, the faults as marks."""
import html
import math

WIDTH, LEFT, RIGHT, TOP, PANEL, GAP = 1100, 70, 190, 76, 130, 38
POINTS = 500
COLOURS = ["#1f5fa8", "#c4541b", "#2d8a4a", "#8a3fa0", "#a88a00", "#4a5560", "#c02050"]
PROGRAMS = ["iscsi_driverd", "iscsi-porter", "iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd"]  # each has its colour
MARKS = [("driver", "#d01030", ""), ("target", "#b07020", "4 2"), ("network", "#3070c0", "2 2"), ("daemon", "#7040a0", "1 2"),
         ("other", "#909890", "1 4")]


def mark_of(kind):
    return next((m for m in MARKS if kind.startswith(m[0])), MARKS[-1])


def nice(most, steps=(1, 1.5, 2, 3, 4, 5, 6, 8, 10)):
    """A round number that is not below."""
    if most <= 0:
        return 1.0
    unit = 10 ** math.floor(math.log10(most))
    return next(k * unit for k in steps if k * unit >= most * 0.9999)


def thin(points):
    """At most POINTS of them, of each few the highest: no peak is lost."""
    if len(points) <= POINTS:
        return points
    step = math.ceil(len(points) / POINTS)
    return [max(points[i:i + step], key=lambda p: p[1]) for i in range(0, len(points), step)]


def number(value):
    return "%d" % value if value == int(value) else "%.3g" % value


class Picture:
    def __init__(self, title, seconds, panels, faults):
        self.minutes = max(seconds / 60, 0.01)
        self.height = TOP + len(panels) * (PANEL + GAP) + 30
        self.lines = []
        self.add('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" '
                 'font-size="11" fill="#222">' % (WIDTH, self.height, WIDTH, self.height))
        self.add('<rect width="100%" height="100%" fill="#fff"/>')
        self.text(LEFT, 22, title, size=15)
        self.legend(faults)
        self.marks(faults)
        for i, (name, series) in enumerate(panels):
            self.panel(TOP + i * (PANEL + GAP), name, series)
        self.text(LEFT + (WIDTH - LEFT - RIGHT) / 2, self.height - 8, "minutes", anchor="middle")
        self.add("</svg>")

    def add(self, line):
        self.lines.append(line)

    def text(self, x, y, text, size=11, anchor="start", colour="#222"):
        self.add('<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" fill="%s">%s</text>' % (
            x, y, size, anchor, colour, html.escape(text)))

    def line(self, x1, y1, x2, y2, colour, width=1.0, dashes=""):
        self.add('<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%s"%s/>' % (
            x1, y1, x2, y2, colour, width, ' stroke-dasharray="%s"' % dashes if dashes else ""))

    def x(self, seconds):
        return LEFT + (WIDTH - LEFT - RIGHT) * min(seconds / 60 / self.minutes, 1)

    def legend(self, faults):
        at = LEFT
        for name, colour, dashes in MARKS:
            count = sum(mark_of(f["kind"])[0] == name for f in faults)
            self.line(at, 34, at, 46, colour, 1.6, dashes)
            self.text(at + 6, 44, "%s (%d)" % ({"driver": "driver killed", "target": "target killed or stopped", "network": "network",
                                               "daemon": "daemon killed", "other": "settings, scans, logouts"}[name], count))
            at += 170

    def marks(self, faults):
        """The faults, drawn once for all panels."""
        self.add('<defs><g id="marks" fill="none">')
        for name, colour, dashes in MARKS:
            places = sorted({round(self.x(f["at_s"]), 1) for f in faults if mark_of(f["kind"])[0] == name})
            if places:
                self.add('<path d="%s" stroke="%s" stroke-width="%s"%s/>' % (
                    "".join("M%g 0v%d" % (x, PANEL) for x in places), colour, 0.7 if dashes else 1.4,
                    ' stroke-dasharray="%s"' % dashes if dashes else ""))
        self.add("</g></defs>")

    def panel(self, top, name, series):
        right, bottom = WIDTH - RIGHT, top + PANEL
        most = nice(max([v for _, points in series for _, v in points], default=1))
        self.text(LEFT, top - 6, name, size=12)
        self.add('<use href="#marks" y="%d"/>' % top)
        for k in range(5):
            y = bottom - PANEL * k / 4
            self.line(LEFT, y, right, y, "#ccc" if k else "#444", 0.6)
            self.text(LEFT - 6, y + 4, number(most * k / 4), anchor="end")
        step = nice(self.minutes / 12, (1, 2, 5, 10))
        for k in range(int(self.minutes / step + 1e-6) + 1):
            x = self.x(k * step * 60)
            self.line(x, bottom, x, bottom + 4, "#444")
            self.text(x, bottom + 15, number(k * step), anchor="middle")
        self.line(LEFT, top, LEFT, bottom, "#444", 0.8)
        for i, (label, points) in enumerate(series):
            colour = COLOURS[(PROGRAMS.index(label) if label in PROGRAMS else i) % len(COLOURS)]
            places = " ".join("%.1f,%.1f" % (self.x(t), bottom - PANEL * v / most) for t, v in thin(points))
            self.add('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.4"/>' % (places, colour))
            self.line(right + 10, top + 8 + i * 16, right + 28, top + 8 + i * 16, colour, 2)
            self.text(right + 33, top + 12 + i * 16, label)


def programs(samples, key, unit=1.0, only=lambda name: True):
    names = sorted({n for s in samples for n in s["programs"] if n != "load" and only(n)})
    return [(n, [(s["at_s"], s["programs"][n][key] / unit) for s in samples
                 if n in s["programs"] and s["programs"][n][key] is not None]) for n in names]


def rates(samples):
    points = []
    for a, b in zip(samples, samples[1:]):
        if b["at_s"] - a["at_s"] > 0.3:
            points.append((b["at_s"], sum(b["users"][k] - a["users"][k] for k in ("reads", "writes", "flushes")) /
                           (b["at_s"] - a["at_s"])))
    return points


def draw(title, samples, faults):
    """The SVG's text."""
    mib = 2.0 ** 20
    panels = [
        ("I/Os a second, each byte verified", [("reads, writes, flushes", rates(samples))]),
        ("the longest I/O, seconds", [("until it was answered", [(s["at_s"], s["users"]["slowest_s"]) for s in samples])]),
        ("resident memory of the driver, MiB", programs(samples, "resident", mib, lambda n: n == "iscsi_driverd")),
        ("resident memory of the others, MiB", programs(samples, "resident", mib, lambda n: n != "iscsi_driverd")),
        ("descriptors", programs(samples, "descriptors")),
        ("threads", programs(samples, "threads")),
        ("registry and logs, KiB", [("registry (with its WAL)", [(s["at_s"], (s["registry"] + s.get("wal", 0)) / 1024) for s in samples]),
                                    ("logs", [(s["at_s"], s["logs"] / 1024) for s in samples])]),
    ]
    return "\n".join(Picture(title, samples[-1]["at_s"] if samples else 1, panels, faults).lines) + "\n"
