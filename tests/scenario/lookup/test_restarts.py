# SPDX-License-Identifier: ISC
"""A lookup process that ends, for a table that only root can read or because
somebody kills it, costs nobody an answer."""
import smtplib
import threading

import pytest

from posthaste import AS_ROOT, kill_all, wait_for

TABLES = ("alias", "access", "transport", "sender")
SENDERS, CHANGES = 4, 20


def write(s, n):
    """All tables anew, for root alone; the old ones are replaced at once."""
    texts = {
        "alias": f"many@example.test bob@example.test\nnow@example.test n{n}\n",
        "access": "bob@example.test DUNNO\n" + f"now{n}@example.test REJECT\n",
        "transport": f"now{n}.test discard:\n",
        "sender": f"now{n}@sender.test now@sender.test\n",
    }
    for name, text in texts.items():
        path = s.root / f"etc/secret/{name}"
        fresh = path.with_suffix(".new")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.rename(path)


@pytest.fixture
def s(suite):
    s = suite(start=False)
    (s.root / "etc/secret").mkdir(mode=0o711)
    at = f"texthash:{s.root}/etc/secret"
    s.set(virtual_alias_maps=f"{at}/alias", transport_maps=f"{at}/transport",
          smtpd_recipient_restrictions=f"check_recipient_access {at}/access, "
          "reject_unauth_destination",
          sender_canonical_maps=f"{at}/sender")
    write(s, 0)
    s.start()
    return s


class Senders:
    """Mail without a pause, over several connections; what is not accepted
    is in refused."""

    def __init__(self, s):
        self.s, self.sent, self.refused = s, 0, []
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.send)
                        for _ in range(SENDERS)]

    def one(self, session):
        answers = [session.mail("alice@example.test"),
                   session.rcpt("many@example.test"),
                   session.rcpt("bob@example.test")]
        answers.append(session.data(b"Subject: x\r\n\r\nx\r\n"))
        with self.lock:
            self.sent += 1
            self.refused += [a for a in answers if a[0] != 250]

    def send(self):
        try:
            with smtplib.SMTP("127.0.0.1", self.s.ports["smtp"],
                              timeout=60) as session:
                session.ehlo("client.test")
                while not self.over.is_set():
                    self.one(session)
                    self.over.wait(0.02)
        except Exception as e:
            self.refused.append(e)

    def more(self, n):
        """Waits until so many more have been sent."""
        least = self.sent + n
        wait_for("mail to be sent",
                 lambda: self.sent >= least or self.refused, 60)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *what):
        self.over.set()
        for t in self.threads:
            t.join(60)


def nothing_was_late(s, senders):
    assert not senders.refused, senders.refused[:5]
    s.wait_empty("incoming", "deferred", deadline=60)
    log = s.log()
    assert "status=deferred" not in log
    assert "address resolver failure" not in log
    assert "no answer from lookup" not in log
    assert "Temporary lookup failure" not in log
    wait_for("each message twice", lambda: s.log().count(
        "status=sent") == 2 * senders.sent)
    return log


@pytest.mark.skipif(not AS_ROOT, reason="needs separated users")
def test_tables_of_root_change_while_mail_comes(s):
    with Senders(s) as senders:
        senders.more(10)
        for n in range(1, CHANGES + 1):
            before = s.log().count("-- restarting")
            write(s, n)
            wait_for("a restart", lambda: senders.refused or
                     s.log().count("-- restarting") > before)
            senders.more(3)
    assert nothing_was_late(s, senders).count("-- restarting") >= CHANGES


def test_lookup_is_killed_while_mail_comes(s):
    with Senders(s) as senders:
        for _ in range(CHANGES):
            senders.more(10)
            kill_all(s.processes("lookup"))
    nothing_was_late(s, senders)
    assert s.log().count("killed by signal 9") >= CHANGES
