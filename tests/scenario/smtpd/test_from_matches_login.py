# SPDX-License-Identifier: ISC
"""smtpd_from_login_match: who has logged in names itself in the header, too.
The logins come by XCLIENT, but for one that is real."""
import smtplib

import pytest

from peers import Dialogue
from posthaste import wait_for

ME, SHARED, BOB, FREE = ("alice@own.test", "team@own.test", "bob@own.test",
                         "x@free.test")
OWNERS = f"""\
{ME} alice
{SHARED} alice, bob
{BOB} bob
alice@example.test alice alice@example.test
bob@example.test bob@example.test
@wide.test alice
@bücher.test bob
@xn--mnchen-3ya.test bob
"""
OF = {ME: {"alice"}, SHARED: {"alice", "bob"}, BOB: {"bob"}, FREE: None}
MAIN = """\
myorigin = own.test
recipient_delimiter = +
smtpd_delay_reject = {delay}
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000
smtpd_sasl_auth_enable = yes
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_sender_login_maps = texthash:$config_directory/owners
smtpd_sender_restrictions = {check}
local_header_rewrite_clients =
"""
STRICT = "reject_authenticated_sender_login_mismatch"
KNOWN = "reject_known_sender_login_mismatch"


def begin(suite, check="", match=None, delay="no", more=""):
    s = suite(start=False, main=MAIN.format(check=check, delay=delay) + more +
              (f"smtpd_from_login_match = {match}\n" if match else ""))
    s.write("owners", OWNERS)
    return s.start()


class As(Dialogue):
    """A session of whoever logged in: "" for nobody."""

    def __init__(self, s, login):
        super().__init__(s.ports["smtp"])
        self.script("S: 220\nC: EHLO client.test\nS: 250\n"
                    f"C: XCLIENT LOGIN={login or '[UNAVAILABLE]'}\nS: 220\n"
                    "C: EHLO client.test\nS: 250")

    def submit(self, header, sender=ME, chunks=False, body="hello"):
        """The answer to all of it. Header: text, or bytes."""
        if isinstance(header, str):
            header = header.encode()
        content = (header.replace(b"\n", b"\r\n") +
                   f"Subject: x\r\n\r\n{body}\r\n".encode())
        for line in (f"MAIL FROM:<{sender}>", "RCPT TO:<bob@example.test>",
                     None if chunks else "DATA"):
            answer = self.ask(line) if line else "250"
            if answer[0] not in "23":
                self.ask("RSET")
                return answer
        if chunks:
            half = len(header) // 2
            self.send(b"BDAT %d\r\n" % half + content[:half])
            assert self.reply().startswith("250")
            self.send(b"BDAT %d LAST\r\n" % (len(content) - half) +
                      content[half:])
        else:
            self.send(content + b".\r\n")
        return self.reply()


def refusal(address, login="alice", field="From"):
    return (f"553 5.7.1 <{address}>: Sender address rejected: not owned by "
            f"user {login} ({field})")


def fits(login, address, rule):
    owners = OF[address]
    return rule is None or (rule == KNOWN if owners is None
                            else login in owners)


# (restriction, setting): what envelope and header must pass, None: nothing
RULES = {
    ("", None): (None, None),
    (STRICT, None): (STRICT, STRICT),
    ("reject_sender_login_mismatch", None): (STRICT, STRICT),
    (KNOWN, None): (KNOWN, KNOWN),
    (f"permit_mynetworks, {STRICT}", None): (None, None),
    (f"warn_if_reject {STRICT}", None): (None, None),
    (f"warn_if_reject {STRICT}, {KNOWN}", None): (KNOWN, KNOWN),
    ("", "reject"): (None, STRICT),
    (STRICT, "no"): (STRICT, None),
    (STRICT, "warn"): (STRICT, None),
}


@pytest.mark.parametrize("check, match", RULES, ids=lambda x: str(x))
def test_login_envelope_and_header(suite, check, match):
    s = begin(suite, check, match)
    envelope, header = RULES[check, match]
    apart, good, warned = [], 0, 0
    for login in ("alice", "bob"):
        with As(s, login) as d:
            for sender in (ME, BOB, SHARED, FREE, ""):
                for author in (ME, BOB, SHARED, FREE):
                    said = d.submit(f"From: {author}\n", sender)
                    fine = not sender or fits(login, sender, envelope)
                    if not fine:
                        wanted = "553 5.7.1 <" + sender
                    elif fits(login, author, header):
                        wanted, good = "250 2.0.0 Ok", good + 1
                        warned += not fits(login, author, STRICT)
                    else:
                        wanted = refusal(author, login)
                    if not said.startswith(wanted):
                        apart.append((login, sender, author, said, wanted))
    assert not apart
    s.wait_messages("bob", good)
    if match == "warn" or check == f"warn_if_reject {STRICT}":
        assert warned > 0
        wait_for("each in the log", lambda: s.log().count(
            "reject_warning: localhost[127.0.0.1] from=<") >= warned)


@pytest.mark.parametrize("match", [None, "reject", "warn", "no"])
def test_nobody_is_asked_who_has_not_logged_in(suite, match):
    s = begin(suite, STRICT, match)
    with As(s, "") as d:
        assert d.submit(f"From: {BOB}\n", FREE).startswith("250")
        assert d.submit(f"From: {BOB}\nFrom: {ME}\n").startswith("250")
    s.command("sendmail", "-f", ME, "bob@example.test",
              stdin=f"From: {BOB}\n\nx\n")
    s.send(to="bob@example.test", sender=FREE)
    s.wait_messages("bob", 4)


BCE, MNC = "xn--bcher-kva.test", "xn--mnchen-3ya.test"
# header, and the start of what is said: None for 250
FORMS = {
    "several, all mine": (f"From: {ME}, Team <{SHARED}>\n", None),
    "several, one not": (f"From: {ME}, {BOB}\n", BOB),
    "several, first not": (f"From: {BOB}, {ME}\n", BOB),
    "group": (f"From: Us: {ME}, {SHARED};\n", None),
    "group with another": (f"From: Us: {ME}, {BOB};\n", BOB),
    "group of nobody": ("From: Boss:;\n", "From names nobody"),
    "group named as an address": (f"From: {BOB}: {ME};\n", BOB),
    "two headers": (f"From: {ME}\nFrom: {ME}\n", "From is there twice"),
    "two headers, apart": (f"From: {ME}\nTo: x@y.test\nFROM : {BOB}\n",
                           "From is there twice"),
    "name in quotes": (f'From: "{BOB}" <{ME}>\n', None),
    "name encoded": ("From: =?utf-8?b?Ym9iQG93bi50ZXN0?= "
                     f"<{ME}>\n", None),
    "name encoded, not mine": (f"From: =?utf-8?q?alice=40own.test?= <{BOB}>\n",
                               BOB),
    "name in quotes, not mine": (f'From: "{ME}" <{BOB}>\n', BOB),
    "name bare": (f"From: {BOB} <{ME}>\n", BOB),
    "name bare, mine": (f"From: {ME} <{ME}>\n", None),
    "address encoded": ("From: =?utf-8?b?Ym9iQG93bi50ZXN0?=@wide.test\n",
                        "From names nobody"),
    "comment": (f"From: {ME} ({BOB})\n", None),
    "comment, not mine": (f"From: ({ME}) {BOB}\n", BOB),
    "comment within": ("From: bob(alice@own.test)@(x)own.test\n", BOB),
    "two in brackets": (f"From: <{ME}> <{BOB}>\n", "From names nobody"),
    "bracket left open": (f'From: "{BOB} <{ME}>\n', "From names nobody"),
    "route": (f"From: <@own.test:{BOB}>\n", BOB),
    "quoted local part": ('From: "alice"@own.test\n', None),
    "quoted, not mine": ('From: "b\\ob"@own.test\n', BOB),
    "quoted at sign": ('From: "alice@own.test"@free.test\n',
                       '"alice@own.test"@free.test'),
    "folded": (f"From:\n\tBob\n <bob\n @own.test>\n", BOB),
    "folded, mine": (f"From:\n\tMe\n <alice\n @own.test>\n", None),
    "upper case": ("FROM: ALICE@OWN.TEST\n", None),
    "upper case, not mine": ("fRoM: Bob@Own.Test\n", "Bob@Own.Test"),
    "extension": ("From: alice+lists@own.test\n", None),
    "extension, not mine": ("From: bob+lists@own.test\n",
                            "bob+lists@own.test"),
    "empty": ("From:\n", "From names nobody"),
    "empty address": ("From: Boss <>\n", "From names nobody"),
    "only a name": (f"From: Alice\n", "Alice"),
    "a name of several words": ("From: Scanner Floor 2\n",
                                "From names nobody"),
    "no brackets": ("From: Scanner 2 bob@own.test\n", "From names nobody"),
    "no brackets, encoded": ("From: Scanner =?utf-8?b?Ym9iQG93bi50ZXN0?=\n",
                             "From names nobody"),
    "NUL": (b"From: alice@own.test\0, bob@own.test\n", "From names nobody"),
    "broken UTF-8": (b"From: b\xffb@wide.test\n", "From names nobody"),
    "no From": ("To: x@y.test\n", None),
    "Sender, mine": (f"From: {ME}\nSender: {SHARED}\n", None),
    "Sender, not mine": (f"From: {ME}\nSender: {BOB}\n", BOB),
    "on behalf": (f"From: {BOB}\nSender: {ME}\n", BOB),
    "two Senders": (f"From: {ME}\nSender: {ME}\nSender: {ME}\n",
                    "Sender is there twice"),
    "resent by me": (f"Resent-From: {ME}\nFrom: {ME}\n", None),
    "resent by another": (f"Resent-From: {BOB}\nFrom: {ME}\n", BOB),
    "resent before": (f"Resent-From: {ME}\nResent-To: x@y.test\n"
                      f"Resent-From: {BOB}\nFrom: {ME}\n", None),
    "resent, not mine": (f"Resent-From: {ME}\nFrom: {BOB}\n", BOB),
    "IDN, the other form of mine": ("From: x@wide.test\n", None),
    "IDN of bob's": ("From: x@bücher.test\n", "x@bücher.test"),
    "IDN of bob's, encoded": (f"From: x@{BCE}\n", f"x@{BCE}"),
    "IDN of bob's, decoded": ("From: x@münchen.test\n", "x@münchen.test"),
    "IDN of bob's, decomposed": ("From: x@bu\u0308cher.test\n",
                                 "x@bu\u0308cher.test"),
    "behind the header": (f"From: {ME}\n\nFrom: {BOB}\n", None),
    "behind a broken line": (f"From: {ME}\nbroken\nFrom: {BOB}\n", None),
    "like From": (f"From: {ME}\nX-From: {BOB}\nFrom-: {BOB}\n", None),
    "out of a mailbox": (f"From {BOB} now\nFrom: {ME}\n", None),
    "very long": ("From: " + f"{ME},\n " * 101 + ME + "\n",
                  "has too many addresses"),
    "longer than a header": (f"From: {ME}" + ("\n" + " " * 70) * 1600 +
                             f",\n {BOB}\n", None),
    "longer, cut within": (f"From: {ME}" + " (x)\n" * 30000 + f" ,{BOB}\n",
                           "From names nobody"),
}
FIELDS = {"Sender, not mine": "Sender", "resent by another": "Resent-From"}


@pytest.mark.parametrize("check", [STRICT, KNOWN])
def test_forms_of_the_header(suite, check):
    s = begin(suite, check)
    free = {"quoted at sign", "only a name", "a name of several words",
            "empty", "empty address", "group of nobody"}  # nobody's
    apart, good = [], 0
    with As(s, "alice") as d:
        for name, (header, why) in FORMS.items():
            said = d.submit(header)
            if why is None or (check == KNOWN and name in free):
                good += 1
                wanted = said.startswith("250 ")
            elif " " in why:
                wanted = (said.startswith("553 5.7.1 Sender address rejected:")
                          and why in said and "user alice" in said)
            else:
                wanted = (said.startswith(f"553 5.7.1 <{why}>: Sender address")
                          and "not owned by user alice (" +
                          FIELDS.get(name, "From") + ")" in said)
            if not wanted:
                apart.append((name, said))
    assert not apart
    s.wait_messages("bob", good)
    s.wait_empty()
    s.wait_log(rf"reject: localhost\[127.0.0.1\] from=<{ME}>: 5.7.1 <{BOB}>: "
               "Sender address rejected: not owned by user alice")


def test_what_is_stored_is_what_was_judged(suite):
    s = begin(suite, STRICT)
    with As(s, "alice") as d:
        assert d.submit(FORMS["longer than a header"][0])[:3] == "250"
    assert BOB.encode() not in s.wait_messages("bob")[0]


def test_bare_names_count_as_completed(suite):
    """Ours are completed: what goes out is compared, and what another form of
    routing makes of it."""
    s = begin(suite, STRICT, more="local_header_rewrite_clients = "
              "static:all\n")
    with As(s, "alice") as d:
        assert d.submit("From: alice\n").startswith("250")
        assert d.submit("From: bob\n") == refusal(BOB)
        assert d.submit("From: bob%own.test\n") == refusal(BOB)
    assert b"\nFrom: alice@own.test" in s.wait_messages("bob")[0]


def test_no_bare_name_is_completed_unseen(suite):
    """Behind what is nobody, where owned addresses alone are asked for."""
    s = begin(suite, KNOWN, more="local_header_rewrite_clients = "
              "static:all\n")
    with As(s, "alice") as d:
        assert d.submit("From: Scanner Floor 2\n").startswith("250")
        for author in ("<>, bob", "Scanner Floor 2, bob"):
            assert d.submit(f"From: {author}\n").startswith("553 ")


def test_canonical_forms_come_later(suite):
    s = begin(suite, STRICT, more="canonical_maps = static:team@own.test\n"
              "canonical_classes = header_sender\n"
              "local_header_rewrite_clients = static:all\n")
    with As(s, "alice") as d:
        assert d.submit(f"From: {ME}\n").startswith("250")
        assert d.submit(f"From: {BOB}\n") == refusal(BOB)


def test_without_from_the_envelope_counts(suite):
    s = begin(suite, "", "reject")
    with As(s, "alice") as d:
        assert d.submit("To: x@y.test\n", ME).startswith("250")
        assert d.submit("To: x@y.test\n", BOB) == \
            refusal(BOB, field="no header From")
        assert d.submit("To: x@y.test\n", "").startswith("553 5.7.1 <>")


@pytest.mark.parametrize("delay", ["yes", "no"])
@pytest.mark.parametrize("chunks", [False, True])
def test_in_chunks_large_and_after_one_that_was_refused(suite, chunks, delay):
    s = begin(suite, STRICT, delay=delay)
    large = "x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 4000
    with As(s, "alice") as d:
        for body in ("small", large):
            assert d.submit(f"From: {BOB}\n", chunks=chunks, body=body) == \
                refusal(BOB)
            assert d.submit(f"From: {ME}\n", chunks=chunks,
                            body=body).startswith("250")
            # who loses the login is not asked, who has another is
        d.script("C: XCLIENT LOGIN=bob\nS: 220\nC: EHLO client.test\nS: 250")
        assert d.submit(f"From: {ME}\n", BOB, chunks) == refusal(ME, "bob")
    s.wait_messages("bob", 2)


def test_a_real_login(suite):
    s = begin(suite, STRICT, delay="yes")
    with s.smtp("submission", tls=True, login="alice@example.test") as m:
        assert m.sendmail("alice@example.test", ["bob@example.test"],
                          "From: alice@example.test\n\nx\n") == {}
        with pytest.raises(smtplib.SMTPDataError) as no:
            m.sendmail("alice@example.test", ["bob@example.test"],
                       "From: The boss <bob@example.test>\n\nx\n")
    assert no.value.smtp_code == 553
    assert no.value.smtp_error == (
        b"5.7.1 <bob@example.test>: Sender address rejected: not owned by "
        b"user alice@example.test (From)")


def test_tables_that_cannot_be_asked_make_it_wait(suite):
    s = begin(suite, "", "reject", more="smtpd_sender_login_maps = "
              "fail:never\n")
    with As(s, "alice") as d:
        assert d.submit(f"From: {ME}\n").startswith(f"451 4.3.0 ")
    assert not s.queue("incoming", "active", "deferred")
