"""Every statistic and message of the guide's Appendices B to E stands in our tables: name, class, level and text."""
import os
import re

import tap

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
DIAG = os.path.join(TOP, "src", "driver", "diag")
# The specification is not part of the project; it lies beside it where it is developed.
GUIDES = [os.path.join(TOP, *up, "shared", "reference", "support-guide.txt") for up in ([".."], ["..", ".."])]
STRING = r'"((?:[^"\\]|\\.)*)"'
NOISE = re.compile(r"^(Table [B-D]-\d .*|iscsiutil Statistic CL Description of Field|Appendix [B-E]\s*\d+|"
                   r"Diagnostic Messages|iSCSI Software Interface Driver Statistics|Transport (Global|Session) Statistics|"
                   r"Software Interface Driver (Global|Connection)|Interface Statistics|Statistics)$")
QUOTES = str.maketrans("“”’‘", "\"\"''")


def words(text):
    return " ".join(text.split())


def bare(text):
    """The guide breaks its strings where the page ends, with and without a blank: only the characters count."""
    return "".join(text.replace("\\n", " ").split())


def between(text, start, end):
    """From the last `start` on, which is the appendix itself and not the table of contents."""
    at = text.rindex(start)
    return text[at:text.index(end, at)]


def table(text):
    """Rows of a table of statistics: [(name, class)]."""
    lines = (line.strip() for line in text.splitlines())
    flat = " ".join(line for line in lines if line and not NOISE.match(line))
    return [(words(name), cls) for name, cls in
            re.findall(r"((?:Number of|Time when) (?:(?!\. ).)*?) ([ITDC](?:/[ITDC])*) (?=The|Number of)", flat)]


def messages(text):
    """{identifier: (number, level, text or None, description)}"""
    found = {}
    heads = list(re.finditer(r"^\s*(\d+)\.\s*((?:ISCSI|ISW)_LOG_\w+)\s+LVL_(\w+)", text, re.MULTILINE))
    for head, following in zip(heads, heads[1:] + [None]):
        body = text[head.end():following.start() if following else len(text)]
        strings = re.match(r'(?:\s*"[^"]*")+', body)
        said = "".join(re.findall(r'"([^"]*)"', strings.group())) if strings else None
        found[head.group(2)] = (int(head.group(1)), head.group(3), said, words(body))
    return found


def our_statistics():
    """[(section, name, class)]"""
    with open(os.path.join(DIAG, "stats.def")) as f:
        text = f.read()
    rows = re.findall(r"^STAT(?:_CORE|_INI|_NOW|_TIME)?\((\w+),\s*\w+,\s*(?:\w+,\s*)?%s,\s*%s,\s*%s\)" % ((STRING,) * 3), text, re.MULTILINE)
    return [(section, name.replace('\\"', '"'), cls) for section, name, cls, _ in rows]


def our_messages():
    with open(os.path.join(DIAG, "messages.def")) as f:
        text = f.read()
    rows = re.findall(r"^MSG\((\w), (\d+), (\w+), (\w+),.*?\),\s*\(.*?\),\s*%s,\s*%s,\s*%s\)" % ((STRING,) * 3), text,
                      re.MULTILINE | re.DOTALL)
    return {row[2]: (int(row[1]), row[3], row[4], row[5], row[6], row[0]) for row in rows}


def compare_statistics(t, appendix, guide, ours):
    with t.case("every statistic of Appendix %s is in the table, with its class" % appendix):
        assert len(guide) > 30, "the guide could not be read: %d rows" % len(guide)
        missing = [row for row in set(guide) if row not in {(name, cls) for _, name, cls in ours}]
        assert not missing, missing
    with t.case("the table has no statistic that Appendix %s does not have" % appendix):
        extra = [(name, cls) for section, name, cls in ours
                 if section.startswith("TRANSPORT" if appendix == "B" else "SWD") and (name, cls) not in guide]
        assert not extra, extra


def compare_messages(t, appendix, guide, ours):
    with t.case("every message of Appendix %s is in the table: number, level and text" % appendix):
        assert len(guide) == (40 if appendix == "C" else 5), "the guide could not be read: %d messages" % len(guide)
        for ident, (number, level, text, description) in guide.items():
            assert ident in ours, ident
            row = ours[ident]
            assert row[:2] == (number, level), (ident, row[:2], number, level)
            assert row[5] == appendix, ident
            if text is not None:
                assert bare(row[2]) == bare(text), (row[2], text)
            else:
                assert row[2] in description, (ident, row[2], description)
    with t.case("every message of Appendix %s says its cause and what to do" % appendix):
        for ident in guide:
            assert ours[ident][3].endswith(".") and ours[ident][4].endswith("."), ident


def code():
    found = []
    for folder, _, names in os.walk(os.path.join(TOP, "src", "driver")):
        for name in names:
            if name.endswith(".c") and not name.startswith("test_"):
                with open(os.path.join(folder, name)) as f:
                    found.append(f.read())
    return "\n".join(found)


def everything_is_raised(t):
    text = code()
    with t.case("every statistic that the driver counts is counted somewhere, or says that it stays zero"):
        with open(os.path.join(DIAG, "stats.def")) as f:
            rows = re.findall(r"^STAT\((\w+),\s*(\w+),\s*%s,\s*%s,\s*%s\)" % ((STRING,) * 3), f.read(), re.MULTILINE)
        assert len(rows) > 30, len(rows)
        idle = [row[:2] for row in rows
                if not re.search(r"\bSTAT_%s_%s\b" % row[:2], text) and "stays zero" not in row[4]]
        assert not idle, idle
    with t.case("every message is said somewhere"):
        silent = [ident for ident in our_messages() if not re.search(r"\bdiag_%s\b" % ident, text)]
        assert not silent, silent


def main():
    with tap.script() as t:
        everything_is_raised(t)
        path = next((p for p in GUIDES if os.path.exists(p)), None)
        if path is None:
            with t.case("the guide's appendices are complete"):
                raise tap.Skip("the guide is not beside the project")
            return
        with open(path, encoding="utf-8", errors="replace") as f:
            text = f.read().translate(QUOTES)
        b = between(text, "Table B-1 Transport Statistics\n", "LVL_PANIC 0")
        d = between(text, "Table D-1 Software Interface Driver Statistics\n", "1. ISW_LOG_CLOSED_ON_LOGIN")
        statistics = our_statistics()
        compare_statistics(t, "B", table(b), statistics)
        compare_statistics(t, "D", table(d), statistics)
        heads = messages(text)
        ours = our_messages()
        compare_messages(t, "C", {k: v for k, v in heads.items() if k.startswith("ISCSI_")}, ours)
        compare_messages(t, "E", {k: v for k, v in heads.items() if k.startswith("ISW_")}, ours)


main()
