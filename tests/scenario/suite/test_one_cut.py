# SPDX-License-Identifier: ISC
"""Where a header ends is one thing to all who read it: cleanup, the client,
IMAP and POP3 (Exim bug 3036: what one took for header was body to another)."""
import re

from peers import Dialogue, FakeServer
from posthaste import wait_for

# lines that may be a field, the end of the header, or text behind it
ODD = [b"", b" ", b"\t", b"no colon", b": x", b"X y: z", b"X : z", b"X\t: z",
       b"X", b"X:", b"From a@b Mon Jan  1 00:00:00 2024", b">From a@b: x",
       b"From a@b: x", b"\0", b"X\0: y", b"X: \0", b"\xff: y", b"X\xe9: y",
       b"\r", b"X: a\rb", b"-----", b"--x: y", b"..", b"X:" + b"y" * 1200,
       b"X" * 1200 + b": y", b" folded", b"(x): y", b'"X": y', b"X;y: z",
       b"X: a\nno colon", b"X: a\n\n b", b"\x7f: x", b"=20", b"=?a?q?b?=: x"]
MARK = b"To: mark@b.test"


def messages():
    for odd in ODD:
        for before in (b"", b"A: b\r\n"):
            yield before + odd + b"\r\n" + MARK + b"\r\n\r\nbody\r\n"


def send(port, number, text):
    with Dialogue(port) as d:
        d.reply()
        for line in ("EHLO client.test", "MAIL FROM:<a@b.test>",
                     f"RCPT TO:<bob+{number}@example.test>",
                     f"RCPT TO:<{number}@relay.test>"):
            assert d.ask(line).startswith("250"), line
        assert d.ask("DATA").startswith("354")
        d.send(re.sub(rb"(?m)^\.", b"..", text) + b".\r\n")
        assert d.reply().startswith("250")


def of(answer, pattern):
    return int(re.search(pattern, answer, re.M)[1])


def test_all_agree(suite):
    with FakeServer() as sink:
        s = suite(main="disable_plaintext_auth = no\n"
                  "smtpd_forbid_bare_newline_exclusions =\n"
                  "recipient_delimiter = +\nrelay_domains = relay.test\n"
                  "relay_recipient_maps =\n"
                  "local_header_rewrite_clients = permit_mynetworks\n"
                  f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "canonical_maps = inline:{mark@b.test=seen@b.test}\n"
                  "smtp_generic_maps = inline:{mark@b.test=first@b.test, "
                  "seen@b.test=second@b.test}\n")
        texts = list(messages())
        for number, text in enumerate(texts):
            send(s.ports["smtp"], number, text)
        sink.wait(len(texts))
        wait_for("all", lambda: len(s.messages("bob")) == len(texts))
        views = {n: {} for n in range(len(texts))}
        for _, to, content in sink.messages:
            view = views[of(to[0], r"<(\d+)@relay")]
            # each of the two may have seen it, or not
            view["cleanup"] = not re.search(rb"mark@|first@", content)
            view["smtp"] = re.search(rb"first@|second@", content) is not None
        imap = s.imap()
        imap.ok("SELECT INBOX")
        pop = s.pop3(tls=None)
        for n in range(1, len(texts) + 1):
            top = b"\r\n".join(pop.top(n, 0)[1])
            view = views[of(top.decode("latin-1"),
                            r"^X-Original-To: bob\+(\d+)@")]
            view["POP3"] = b"seen@" in top or b"mark@" in top
            header = b"".join(imap.ok(f"FETCH {n} BODY.PEEK[HEADER]"))
            view = views[of(header.decode("latin-1"),
                            r"^X-Original-To: bob\+(\d+)@")]
            view["IMAP"] = b"seen@" in header or b"mark@" in header
        for number, view in views.items():
            assert len(view) == 4
            assert len(set(view.values())) == 1, (texts[number][:100], view)
        assert {v["IMAP"] for v in views.values()} == {True, False}
        pop.quit()
        imap.logout()
