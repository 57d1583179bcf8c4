# SPDX-License-Identifier: ISC
"""Messages that tell whose they are, and whether they are whole.

The token is in the head and in each line of the body, which has the line's
number too; the last line says how many there are. So a text that was cut, or
has bytes of another, or zeros, is not what its token stands for.
"""
import collections
import re

TOKEN = re.compile(rb"(?m)^X-Id: (token-[\w-]+-end)$")
OTHERS = re.compile(rb"(?m)^X-Id: (?!token-)\S")  # made by sessions of IMAP
IN_REPORT = re.compile(rb"token-[\w-]+-end")
BOUNDARY = re.compile(rb'boundary="([^"]+)"')
END = re.compile(rb"\n(\S+) ends, (\d+) lines\n$")

# token: of a message, or None; about: tokens that a report is about; fault:
# what is wrong with it, or None; other: it is not of the loads
Text = collections.namedtuple("Text", "token about fault other",
                              defaults=((), None, False))


def head(token):
    return (f"Subject: {token}\nX-Id: {token}\n"
            f"Message-ID: <{token}@load.test>\n")


def body(token, lines):
    return "".join(f"{token} {n:04} {'x' * 40}\n" for n in range(lines)) + (
        f"{token} ends, {lines} lines\n")


def made(token, lines, end="\r\n"):
    return f"{head(token)}\n{body(token, lines)}".replace("\n", end)


def read(text):
    """What has become of it; only its line ends may be others."""
    top, _, rest = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    top += b"\n"
    if b"multipart/report" in top:
        return Text(None, set(IN_REPORT.findall(rest)), broken_report(
            top, rest))
    own = TOKEN.search(top)
    if not own:
        other = OTHERS.search(top) is not None
        return Text(None, (), None if other else "no message of ours", other)
    token = own[1].decode()
    return Text(token, (), broken(token, top, b"\n" + rest))


def broken_report(top, rest):
    m = BOUNDARY.search(top)
    if not m or not rest.rstrip(b"\n").endswith(b"--" + m[1] + b"--"):
        return "a report that has no end"
    return "a report with zeros in it" if b"\0" in top + rest else None


def broken(token, top, rest):
    """What is wrong, or None; an empty line is in front of rest."""
    if head(token).encode() not in top or b"\0" in top:
        return "its head is another"
    end = END.search(rest, max(0, len(rest) - 200))
    if not end:
        return f"cut, or something behind its end: {rest[-80:]}"
    if end[1] != token.encode():
        return f"ends as {end[1].decode()}"
    want = b"\n" + body(token, int(end[2])).encode()
    if rest == want:
        return None
    at = next((i for i, (a, b) in enumerate(zip(rest, want)) if a != b),
              min(len(rest), len(want)))
    return (f"{len(rest)} bytes instead of {len(want)}, and from byte {at} on "
            f"other ones: {rest[at:at + 80]}")
