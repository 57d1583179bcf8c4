# SPDX-License-Identifier: ISC
"""Mail in, by every way there is, noted where it was answered with 250.

Anything may be refused for a while, and any connection may end; a refusal for
good of what is good is a complaint, which fails the run.
"""
import random
import re
import smtplib
import subprocess

import chaos_texts
from chaos_site import RECIPIENTS, SENDER, STRANGER, TOKEN
from imap_client import CONTEXT
from peers import Dialogue
from posthaste import PASSWORD

# seconds until no answer is a complaint: RCPT may ask silent name servers for
# MX and then for addresses, 30 each; a table's server that hangs is given 10
PATIENCE = 75
DUE = 0.03  # seconds between two sessions of a load


class Refused(Exception):
    """For a while, which is anybody's right."""


def enhanced(text):
    """The status code in a reply, as "4.3.1"."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    m = re.search(r"\b[245]\.\d+\.\d+\b", text)
    return m and m[0]


class Load:
    """Does one thing again and again until the round ends."""
    pause = DUE

    def __init__(self, chaos, name):
        self.chaos, self.name = chaos, name
        self.noise = random.Random(f"{chaos.seed} {name}")
        self.suite, self.ledger = chaos.site.suite, chaos.ledger
        self.number = self.sessions = self.broken = 0

    def run(self):
        while not self.chaos.stopping.wait(self.pause):
            try:
                self.once()
                self.sessions += 1
            except TimeoutError as e:
                self.broken += 1
                # none comes from a service that began with a certificate
                # that was broken, until master tries it again
                if "handshake" not in str(e):
                    self.chaos.complain(self, f"no answer: {e}")
            except (Refused, smtplib.SMTPException, EOFError, OSError,
                    subprocess.TimeoutExpired):
                self.broken += 1
                self.chaos.stopping.wait(0.1)
            except Exception as e:  # a load that ends tests nothing
                self.chaos.complain(self, f"{type(e).__name__} {e}")
                self.chaos.stopping.wait(0.1)

    def judge(self, what, code, text):
        if code < 400:
            return
        self.chaos.refusals[code, enhanced(text)] += 1
        if code >= 500:
            self.chaos.complain(self, f"{what}: {code} {text}")
        raise Refused

    def token(self):
        self.number += 1
        return f"token-{self.name}-{self.number}-end"

    def recipients(self):
        """Some whose places do not overlap, so that copies can be counted."""
        chosen, places = [], set()
        for name in self.noise.sample(list(RECIPIENTS),
                                      self.noise.choice((1, 1, 1, 2, 3))):
            if not places & set(RECIPIENTS[name]):
                chosen.append(name)
                places |= set(RECIPIENTS[name])
        return chosen

    def text(self, token, end="\r\n"):
        return chaos_texts.made(
            token, self.noise.choice((1, 1, 20, 20, 100, 2000)), end)

    def envelope(self):
        """(sender, recipients, wants a report of success)"""
        to = self.recipients()
        if to == ["bob@example.test"] and self.noise.random() < 0.3:
            return SENDER, to, True
        if "never@reject.test" not in to and self.noise.random() < 0.1:
            return STRANGER, to, False
        return SENDER, to, False


class Smtp(Load):
    """Sessions of smtplib's: plain, STARTTLS and TLS, with logins."""

    def session(self):
        kind = self.noise.choice(("smtp", "smtp", "submission", "smtps"))
        port = self.suite.ports[kind]
        if kind == "smtps":
            session = smtplib.SMTP_SSL("127.0.0.1", port, timeout=PATIENCE,
                                       context=CONTEXT)
        else:
            session = smtplib.SMTP("127.0.0.1", port, timeout=PATIENCE)
        if kind == "submission":
            session.starttls(context=CONTEXT)
        if kind != "smtp":
            try:
                self.login(session)
            except smtplib.SMTPException as e:
                session.close()
                if isinstance(e, smtplib.SMTPAuthenticationError):
                    self.judge("AUTH", e.smtp_code, e.smtp_error)
                raise
        return session

    def login(self, session):
        """As an account of each kind, or by a token."""
        user = self.noise.choice((*self.chaos.site.logins, None))
        if user:
            session.login(user, PASSWORD)
        else:
            session.ehlo_or_helo_if_needed()
            session.auth("XOAUTH2", lambda challenge=None: "" if challenge
                         else f"user={SENDER}\1auth=Bearer {TOKEN}\1\1")

    def once(self):
        with self.session() as session:
            session.ehlo_or_helo_if_needed()
            for _ in range(self.noise.choice((1, 2, 5))):
                self.send(session)

    def send(self, session):
        token = self.token()
        sender, to, report = self.envelope()
        self.ledger.offered(token, to, report)
        self.judge("MAIL", *session.mail(sender))
        notify = ["NOTIFY=SUCCESS,FAILURE"] if report else []
        for r in to:
            self.judge(f"RCPT {r}", *session.rcpt(r, notify))
        code, reply = session.data(self.text(token))
        self.judge("DATA", code, reply)
        self.ledger.accepted(token, to, report)


class Pipelined(Load):
    """All of a session in one packet, the content by BDAT."""

    def once(self):
        with Dialogue(self.suite.ports["smtp"], timeout=PATIENCE) as d:
            self.hear(d, "connect")
            d.send("EHLO client.test\r\n")
            self.hear(d, "EHLO")
            token, (sender, to, _) = self.token(), self.envelope()
            self.ledger.offered(token, to)
            text = self.text(token).encode()
            cut = self.noise.randrange(len(text))
            d.send(b"".join((
                f"MAIL FROM:<{sender}>\r\n".encode(),
                *(f"RCPT TO:<{r}>\r\n".encode() for r in to),
                b"BDAT %d\r\n" % cut, text[:cut],
                b"BDAT %d LAST\r\n" % (len(text) - cut), text[cut:],
                b"QUIT\r\n")))
            self.hear(d, "MAIL")
            good = [r for r in to if self.taken(d, r)]
            # where no recipient was taken, no content is: 503 or 554
            if not good:
                raise Refused
            self.hear(d, "BDAT")
            self.hear(d, "BDAT LAST")
            self.ledger.accepted(token, good)

    def taken(self, d, recipient):
        try:
            self.hear(d, f"RCPT {recipient}")
        except Refused:
            return False
        return True

    def hear(self, d, what):
        try:
            reply = d.reply()
        except TimeoutError as e:
            raise TimeoutError(f"{what}: {e}") from None
        if not re.match(r"\d\d\d", reply):
            raise EOFError
        self.judge(what, int(reply[:3]), reply)
        return reply


class Sendmail(Load):
    """Works whether the suite runs or not."""
    pause = 0.2

    def once(self):
        token = self.token()
        _, to, report = self.envelope()
        self.ledger.offered(token, to, report)
        arguments = ["-N", "success"] if report else []
        head = ""
        if self.noise.random() < 0.3:
            arguments += ["-t"]
            head = f"To: {', '.join(to)}\n"
        else:
            arguments += to
        done = self.suite.command(
            "sendmail", "-i", "-f", SENDER, *arguments, check=False,
            stdin=head + self.text(token, "\n"))
        if done.returncode == 0:
            self.ledger.accepted(token, to, report)
        else:
            raise Refused
