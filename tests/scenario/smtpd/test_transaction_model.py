# SPDX-License-Identifier: ISC
"""A small reference state machine runs beside the server over random command
sequences; codes of all answers and what is delivered must agree."""
import os
import random
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from peers import Dialogue, broken_off
from posthaste import wait_for

SEED = 20261121
SESSIONS = 150
COMMANDS = 25

RECIPIENTS = {
    "bob@example.test": 250,
    "carol@example.test": 250,
    "joe@example.test": 550,
    "x@elsewhere.test": 554,
}
# what policies say of these senders: the verb, and the answer to it
POLICIES = {"rcpt@b.test": ("RCPT", 554), "data@b.test": ("DATA", 554),
            "later@b.test": ("DATA", 450), "end@b.test": (".", 554),
            "endlater@b.test": (".", 450), "gone@b.test": (None, 250)}
MAIN = """\
mynetworks = 192.0.2.1
strict_smtputf8 = yes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_tls_security_level = none
smtpd_hard_error_limit = 1000
smtpd_soft_error_limit = 1000
smtpd_sender_restrictions =
    check_sender_access inline:{rcpt@b.test=REJECT, gone@b.test=DISCARD}
smtpd_data_restrictions =
    check_sender_access inline:{data@b.test=REJECT, {later@b.test=450 later}}
smtpd_end_of_data_restrictions =
    check_sender_access inline:{end@b.test=REJECT, {endlater@b.test=450 later}}
"""


class Model:
    """What RFC 5321 and the settings of this test say."""

    def __init__(self):
        self.greeted = False
        self.sender = None
        self.recipients = []
        self.chunks = None
        self.accepted = []

    def reset(self):
        self.sender, self.recipients, self.chunks = None, [], None

    def answer(self, verb, argument):
        if self.chunks is not None and \
                verb in ("MAIL", "RCPT", "DATA", "AUTH"):
            return 503
        return getattr(self, verb.lower(), self.unknown)(argument)

    def unknown(self, _):
        return 500

    def ehlo(self, argument):
        if not argument:
            return 501
        self.greeted = True
        self.reset()
        return 250

    helo = ehlo

    def mail(self, argument):
        if self.sender is not None:
            return 503
        if argument == "FROM:a b@c":
            return 555
        if "\u00e4" in argument and "SMTPUTF8" not in argument:
            return 553
        match = re.fullmatch(r"FROM:<(.*)>( SMTPUTF8)?", argument)
        if not match:
            return 501
        self.sender = match.group(1)
        return 250

    def rcpt(self, argument):
        if self.sender is None:
            return 503
        match = re.fullmatch(r"TO:<([^<>]+)>", argument)
        if not match:
            return 501
        code = self.policy("RCPT") or RECIPIENTS[match.group(1)]
        if code == 250:
            self.recipients.append(match.group(1))
        return code

    def data(self, argument):
        if self.sender is None:
            return 503
        if not self.recipients:
            return 554
        return 501 if argument else self.policy("DATA") or 354

    def policy(self, verb):
        """The answer of one that refuses, or 0."""
        at, code = POLICIES.get(self.sender, (None, 0))
        return code if at == verb else 0

    def bdat(self, argument, content=""):
        if self.sender is None:
            return 503
        if not self.recipients:
            return 554
        refused = self.chunks is None and self.policy("DATA")
        if refused:
            self.reset()  # what is behind it is no message
            return refused
        self.chunks = (self.chunks or "") + content
        return self.content() if argument.endswith("LAST") else 250

    def content(self):
        """At the end of data: as in RFC 5321, all is forgotten."""
        refused = self.policy(".")
        if not refused:
            self.accepted.append((self.sender, tuple(self.recipients)))
        self.reset()
        return refused or 250

    def delivered(self):
        """Who gets what was accepted last."""
        sender, recipients = self.accepted[-1]
        return () if sender == "gone@b.test" else \
            {r.split("@")[0] for r in recipients}

    def rset(self, argument):
        if argument:
            return 501
        self.reset()
        return 250

    def noop(self, _):
        return 250

    def vrfy(self, argument):
        if not argument:
            return 501
        return {550: 550, 554: 554}.get(RECIPIENTS[argument], 252)

    def help(self, _):
        return 214

    def starttls(self, argument):
        return 501 if argument else 502

    def auth(self, _):
        if not self.greeted or self.sender is not None:
            return 503
        return 503


ALPHABET = [
    ("EHLO", "client.test"), ("HELO", "client.test"), ("EHLO", ""),
    ("MAIL", "FROM:<a@b.test>"), ("MAIL", "FROM:<a@b.test>"),
    ("MAIL", "FROM:<>"), ("MAIL", "FROM:a b@c"), ("MAIL", "TO:<a@b>"),
    ("MAIL", "FROM:<\u00e4@b.test>"), ("MAIL", "FROM:<\u00e4@b.test> SMTPUTF8"),
    *(("MAIL", f"FROM:<{sender}>") for sender in POLICIES),
    *[("RCPT", "TO:<bob@example.test>")] * 4,
    ("RCPT", "TO:<carol@example.test>"), ("RCPT", "TO:<joe@example.test>"),
    ("RCPT", "TO:<x@elsewhere.test>"), ("RCPT", "TO:<>"),
    ("RCPT", "FROM:<a@b>"), *[("DATA", "")] * 4, ("DATA", "x"),
    ("RSET", ""), ("RSET", "x"), ("NOOP", "x"), ("HELP", ""),
    ("VRFY", ""), ("VRFY", "bob@example.test"), ("VRFY", "joe@example.test"),
    ("BDAT", ""), ("BDAT", ""), *[("BDAT", "LAST")] * 3, ("EXPN", "bob"),
    ("STARTTLS", ""), ("AUTH", "PLAIN"),
]
# chunks whose end is not known: the session ends
BROKEN = ["", "x", "-1", "+1", "1 2", "1 FIRST", "0x1", "1e1", "LAST",
          "18446744073709551616"]


def run_session(s, rng, number, sent):
    model = Model()
    chunk_mark = None
    transcript = []
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("220 ")
        for step in range(rng.randrange(1, COMMANDS)):
            verb, argument = rng.choice(ALPHABET)
            mark = f"mark-{number}-{step}"
            line = f"{verb} {argument}".strip()
            if verb == "BDAT":
                before = len(model.accepted)
                content = f"Subject: {mark}\r\n" if not model.chunks else \
                    rng.choice(["", "more\r\n", "RSET\r\n", "x"])
                line = f"BDAT {len(content)} {argument}".strip()
                want = model.bdat(argument, content)
                first = model.chunks
                d.send(f"{line}\r\n{content}")
                got = d.reply()
                if len(model.accepted) > before:
                    mark = chunk_mark if content[:7] != "Subject" else mark
                    for user in model.delivered():
                        sent.append((user, mark))
                elif first and content[:7] == "Subject":
                    chunk_mark = mark
            else:
                want = model.answer(verb, argument)
                got = d.ask(line)
            transcript.append(f"C: {line}\nS: {got}")
            assert got.startswith(str(want)), \
                f"wanted {want}\n" + "\n".join(transcript)
            if want != 354:
                continue
            d.send(f"Subject: {mark}\r\n\r\nbody\r\n")
            if rng.random() < 0.15:
                return  # disconnect in the middle: nothing was accepted
            got = d.ask(".")
            transcript.append(f"C: .\nS: {got}")
            want = model.content()
            assert got.startswith("250 2.0.0 Ok: queued as " if want == 250
                                  else str(want)), "\n".join(transcript)
            for user in model.delivered() if want == 250 else ():
                sent.append((user, mark))
        if rng.random() < 0.2:
            got = d.ask(f"BDAT {rng.choice(BROKEN)}".strip())
            if got[:3] in ("503", "554"):  # not now, and not at all
                got = d.reply()
            assert got.startswith("521 5.5.4"), got
            assert d.at_end()


def test_model_and_server_agree(suite):
    s = suite(main=MAIN)
    rng = random.Random(SEED)
    sent = []
    for number in range(SESSIONS):
        run_session(s, rng, number, sent)
    assert sent
    s.wait_empty()
    delivered = []
    for user in ("bob", "carol"):
        for message in s.messages(user):
            mark = re.search(rb"^Subject: (mark-\S+)", message, re.M)
            delivered.append((user, mark.group(1).decode()))
    assert sorted(delivered) == sorted(sent)


# what is said, and its answer
STEPS = [(b"EHLO client.test\r\n", b"250"), (b"MAIL FROM:<a@b.test>\r\n", b"250"),
         (b"RCPT TO:<bob@example.test>\r\n", b"250"), (b"DATA\r\n", b"354"),
         (b"Subject: cut\r\n\r\n..x\r\n.\r\n", b"250")]
PIECES = [said for said, _ in STEPS]
WHOLE = b"".join(PIECES)


def answers(n):
    """To so many bytes."""
    codes, at = [b"220"], 0
    for said, code in STEPS:
        at += len(said)
        if at <= n:
            codes.append(code)
    return codes


def held(s):
    """Processes and descriptors of those that hear clients."""
    return {pid: len(os.listdir(f"/proc/{pid}/fd"))
            for pid in s.processes("smtpd")}


@pytest.mark.parametrize("main, pieces, end", [
    ("", PIECES, "half"), ("", PIECES, "reset"),
    ("smtpd_forbid_unauth_pipelining = no\n", [WHOLE], "half"),
], ids=["in turn", "gone", "in one"])
def test_disconnect_at_every_byte_leaves_the_server_well(
        suite, main, pieces, end):
    s = suite(main=main)
    s.send(subject="before")
    before = held(s)
    # whoever is gone at once may have been taken for one who has said it all
    count = len(WHOLE) + (end == "half")
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda n: broken_off(
            s.ports["smtp"], pieces, n, end), range(count)))
    for n, said in enumerate(heard):
        codes = re.findall(rb"^(\d{3}) ", said, re.M)
        assert codes == answers(n), (n, said)
    assert [h for h in heard if b"\n354 " in h]
    s.send(subject="after")
    s.wait_empty()
    found = b"".join(s.messages("bob"))
    assert [found.count(b"Subject: " + x) for x in (b"before", b"after")] \
        == [1, 1]
    assert found.count(b"Subject: cut") == (end == "half")
    assert s.queue() == []
    # but for what is kept for a moment to ask others by
    assert before.keys() <= held(s).keys()
    most = max(before.values()) + count // 4
    wait_for("what was held before", lambda: max(held(s).values()) < most)
