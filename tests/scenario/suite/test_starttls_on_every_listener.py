# SPDX-License-Identifier: ISC
"""What came in clear behind the command that starts TLS is never executed, on
any listener that the suite has: CVE-2011-0411, CVE-2021-33515. A program that
listens and stands in no row here fails the test."""
import re
import socket

import pytest
from posthaste import ROOT, SOURCE, careless_tls

# program: what is said before, the command, what would log in or go on, and
# what must not be heard inside of TLS
ROWS = {
    "imapd": (b"", b"a STARTTLS\r\n", b"b LOGIN bob posthaste\r\nc NOOP\r\n",
              rb"^(b|c) ", b"d CAPABILITY\r\n", rb"^d OK"),
    "pop3d": (b"", b"STLS\r\n", b"USER bob\r\nPASS posthaste\r\n",
              rb"Logged in", b"CAPA\r\n", rb"^\.\r\n$"),
    "smtpd": (b"EHLO client.test\r\n", b"STARTTLS\r\n",
              b"EHLO client.test\r\nMAIL FROM:<evil@b.test>\r\n",
              rb"^250", b"NOOP\r\n", rb"^(250 2.0.0 Ok|530|554)"),
}
GOES_OUT = {"net-connect", "dns"}  # clients, of servers and of name servers
WRAPPED = re.compile(r"_tls_wrappermode\s*=\s*yes")


def listeners(text):
    """(address, program, is it TLS from the start) of each inet service."""
    joined = re.sub(r"\n[ \t]+", " ", text)
    for line in joined.splitlines():
        words = line.split()
        if len(words) > 7 and words[1] == "inet" and line[0] != "#":
            yield words[0], words[7], bool(WRAPPED.search(line))


def test_every_listening_program_has_a_row():
    """Whether it is in conf/master.cf or not: who hears strangers has the
    network's identity, and goes nowhere itself."""
    rows = re.findall(r'^PROGRAM\((\S+), (\w+), (\w+), (\w+), "[^"]*", "([^"]*)"',
                      (SOURCE / "lib/service/programs.def").read_text(), re.M)
    assert {"smtpd", "local", "logd"} < {row[0] for row in rows}
    assert {name for name, _, user, _, promises in rows if user == "NET" and
            not GOES_OUT & set(promises.split())} == set(ROWS)
    # as do those whose settings speak of TLS on a listener
    assert {path.parent.name for path in SOURCE.glob("*/*.def")
            if re.search(rf"^PARAM\({path.parent.name}_tls_wrappermode\b",
                         path.read_text(), re.M)} <= set(ROWS)
    text = (SOURCE / "conf/master.cf").read_text()
    text += re.sub(r"(?m)^#\s?(?=\S+\s+inet)", "", text)
    assert {program for _, program, _ in listeners(text)} == set(ROWS)
    assert {p.name for p in (ROOT / "libexec/posthaste").iterdir()} >= \
        set(ROWS)


def until(f, pattern, most=60):
    """Lines up to one with the pattern; "" at the end of the connection."""
    found = []
    while len(found) < most:
        line = f.readline()
        found.append(line)
        if not line or re.search(pattern, line):
            break
    return found


def speak(port, row, glued):
    """What is heard inside of TLS; None: the connection was ended before."""
    before, command, injected, _, probe, end = row
    context = careless_tls()
    with socket.create_connection(("127.0.0.1", port), timeout=120) as raw:
        f = raw.makefile("rb", buffering=0)
        f.readline()
        if before:
            raw.sendall(before)
            until(f, rb"^250 ")
        if glued:
            raw.sendall(command + injected)
        else:
            raw.sendall(command)
        if not re.match(rb"220|a OK|\+OK", f.readline()):
            return None
        with context.wrap_socket(raw) as tls:
            tls.sendall(probe)
            return until(tls.makefile("rb"), end)


@pytest.mark.parametrize("main", ["", "smtpd_forbid_unauth_pipelining = no\n"])
def test_nothing_from_before_is_executed(suite, main):
    s = suite(main=main)
    tried = set()
    for address, program, wrapped in listeners(
            (s.root / "etc/master.cf").read_text()):
        if wrapped:
            continue
        port = int(address.rpartition(":")[2])
        row = ROWS[program]
        # so that the answer is one that could be heard
        alone = speak(port, row, False)
        assert re.search(row[5], alone[-1]), (program, alone)
        heard = speak(port, row, True)
        if heard is None:
            assert program == "smtpd" and not main
        else:
            assert heard[-1:] == alone[-1:], (program, heard)
            assert len(heard) == len(alone), (program, heard)
        tried.add(program)
    assert tried == set(ROWS)
    assert "login user" not in s.log()
