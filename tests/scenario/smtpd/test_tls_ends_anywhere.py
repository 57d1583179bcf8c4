# SPDX-License-Identifier: ISC
"""TLS that ends amid commands and chunks, in each way it can: nothing of what
was half there is taken, and the process serves on (CVE-2026-45185,
CVE-2020-28018)."""
import os

import pytest

from peers import Dialogue

ENVELOPE = b"MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n"
SCRIPT = (ENVELOPE + b"BDAT 14\r\nSubject: x\r\n\r\nRSET\r\nBDAT 3 LAST\r\nabc"
          + ENVELOPE + b"BDAT 8\r\nA: b\r\n\r\nBDAT 9 LAST\r\nEHLO x\r\nQ")


def inside(s):
    d = Dialogue(s.ports["smtp"])
    d.reply()
    d.ask("EHLO client.test")
    assert d.ask("STARTTLS").startswith("220")
    d.begin_tls(suppress_ragged_eofs=False)
    assert d.ask("EHLO client.test").startswith("250")
    return d


def drain(d):
    try:
        while d.socket.recv(65536):
            pass
    except OSError:
        pass


def notify(d):
    """close_notify, and whatever is answered."""
    try:
        d.socket.unwrap().close()
    except OSError:
        pass  # there were answers in its stead


def cut(d):
    d.socket.detach()


def garbage(d):
    """Bytes that are no record, behind some that were."""
    fd = d.socket.detach()
    os.write(fd, b"\x17\x03\x03\x40\x00" + b"x" * 40)
    os.close(fd)


def go_on(d):
    """Another command behind, as far as it is one."""
    d.send(b"\r\nRSET\r\nEHLO y\r\nQUIT\r\n")
    drain(d)


@pytest.mark.parametrize("end", [notify, cut, garbage, go_on])
def test_in_commands_and_chunks(suite, end):
    s = suite(main="smtpd_forbid_unauth_pipelining = no\n")
    s.send()
    s.wait_messages("bob")
    before = set(s.processes("smtpd"))
    step = 1 if os.environ.get("POSTHASTE_FULL") else 3
    cuts = range(1 + len(end.__name__) % step, len(SCRIPT), step)
    for n in cuts:
        with inside(s) as d:
            d.send(SCRIPT[:n])
            end(d)
    with inside(s) as d:
        d.send(SCRIPT)
        codes = [d.reply()[:3] for _ in range(9)]
        assert codes == ["250"] * 4 + ["503"] + ["250"] * 4
    s.wait_empty()
    # what comes behind a chunk that has begun is that chunk's
    filled = end is go_on and sum(b"9 LAST" in SCRIPT[:n] for n in cuts)
    assert len(s.messages("bob")) == 2 + filled
    assert before <= set(s.processes("smtpd"))
