# SPDX-License-Identifier: ISC
"""Masters log in as others, and the log says who it was."""
import base64
import imaplib
import poplib
import shutil
import smtplib
import time

import pytest
from ipc_client import Ipc
from posthaste import AS_ROOT, CHANGE_COUNTS, PASSWORD

from test_tickets_and_delays import NEVER, OK, attempt

SEPARATOR = "auth_master_user_separator = *\n"


def with_masters(suite, main="", masters="support:{PLAIN}master\n"):
    s = suite(start=False)
    path = s.write("masters", masters)
    path.chmod(0o600)
    if AS_ROOT:
        shutil.chown(path, "posthaste-auth")
    s.set(account_master_files=path)
    with open(s.root / "etc/main.cf", "a") as f:
        f.write("auth_failure_delay_max = 0\n" + main)
    return s.start()


def imap(s):
    return imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                             ssl_context=s.tls())


def plain(*words):
    return lambda challenge: "\0".join(words).encode()


def test_by_name(suite):
    s = with_masters(suite, SEPARATOR)
    s.send(subject="for bob's eyes")
    s.wait_messages("bob")
    with imap(s) as c:
        c.login("bob*support", "master")
        c.select("INBOX")
        assert b"for bob's eyes" in c.fetch("1", "(BODY[HEADER])")[1][0][1]
    p = s.pop3("bob@example.test*support", "master")
    assert len(p.list()[1]) == 1
    p.quit()
    for program in ("imapd", "pop3d"):
        for word in ("login", "logout"):
            s.wait_log(rf"{program}\[\d+\]: {word} user=<bob@example.test>, "
                       r"master=<support>, client=127.0.0.1")


def test_by_identity(suite):
    s = with_masters(suite)
    with imap(s) as c:
        c.authenticate("PLAIN", plain("bob", "support", "master"))
        assert c.select("INBOX")[0] == "OK"
    s.wait_log(r"login user=<bob@example.test>, master=<support>, .*"
               "method=PLAIN")
    with imap(s) as c:
        # the separator is not set
        with pytest.raises(imaplib.IMAP4.error):
            c.login("bob*support", "master")


def test_parked_connections_keep_the_name(suite):
    s = with_masters(suite, "imap_hibernate_timeout = 1s\n")
    with imap(s) as c:
        c.authenticate("PLAIN", plain("bob", "support", "master"))
        time.sleep(2.5)  # parked
        c.noop()
        time.sleep(2.5)  # and again
    s.wait_log(r"logout user=<bob@example.test>, master=<support>, ")


@pytest.mark.parametrize("user, password", [
    ("mallory*support", "master"),  # nobody's mailbox
    ("bob*support", PASSWORD),  # bob's own
    ("bob*mallory", "master"),
    ("bob*alice", PASSWORD),  # who is no master
    ("support", "master"),  # has no mailbox
    ("bob*support", ""),
    ("*support", "master"),
    ("bob*support*support", "master"),
])
def test_refused_in_the_same_words(suite, user, password):
    s = with_masters(suite, SEPARATOR)
    c = imap(s)
    with pytest.raises(imaplib.IMAP4.error) as said:
        c.login(user, password)
    assert str(said.value) == str(
        b"[AUTHENTICATIONFAILED] Authentication failed")
    p = s.pop3(user=None)
    p.user(user)
    with pytest.raises(poplib.error_proto) as said:
        p.pass_(password)
    assert said.value.args[0] == b"-ERR [AUTH] Authentication failed"
    c.shutdown()
    p.close()


def test_masters_do_not_send(suite):
    s = with_masters(suite, SEPARATOR)
    with s.smtp("smtps") as c:
        with pytest.raises(smtplib.SMTPAuthenticationError) as said:
            c.login("bob*support", "master")
        assert said.value.smtp_code == 535
        code, _ = c.docmd("AUTH", "PLAIN " + base64.b64encode(
            b"bob\0support\0master").decode())
        assert code == 535
        c.login("bob", PASSWORD)
    s.wait_log("failed: masters do not send mail as others, "
               "sasl_username=bob@example.test, master=<support>")


def test_guesses_are_slowed_by_the_masters_name(suite):
    """Another mailbox and another address with each guess."""
    s = with_masters(suite, SEPARATOR + "auth_failure_delay_max = 5s\n")
    c = Ipc(s, "auth", "auth")
    delays = [attempt(c, user=f"user{i}*support", password="guess",
                      client=f"192.0.2.{i + 1}", service="imap")["delay_ms"]
              for i in range(5)]
    assert delays == [500, 1000, 2000, 4000, 5000]
    got = attempt(c, user="bob*support", password="master", service="imap",
                  client="192.0.2.200")
    assert got["verdict"] == OK and got["delay_ms"] == 0
    assert got["behind"] == ", master=<support>"
    # a right password for nobody's mailbox is a failure like others
    unknown = attempt(c, user="nobody*support", password="master",
                      service="imap", client="192.0.2.201")
    assert unknown["verdict"] == NEVER and unknown["delay_ms"] == 5000


def test_one_login_leaves_nothing_to_the_next(suite):
    s = with_masters(suite, SEPARATOR)
    c = Ipc(s, "auth", "auth")
    assert attempt(c, user="bob*support", password="master")["behind"]
    mine = attempt(c, user="bob")
    assert mine["verdict"] == OK and mine["behind"] == ""
    assert attempt(c, user="bob", password="master")["verdict"] == NEVER
    sessions = Ipc(s, "auth-session", "auth")
    ticket = attempt(c, user="alice*support", password="master")["ticket"]
    _, account = sessions.ask("redeem", service="pop3", ticket=ticket)
    assert account["user"] == "alice@example.test"
    assert account["behind"] == ", master=<support>"


def test_nologin_and_networks(suite):
    s = with_masters(suite, SEPARATOR, masters=(
        "support:{PLAIN}master::::::allow_nets=192.0.2.0/24\n"
        "former:{PLAIN}master::::::nologin\n"))
    accounts = s.root / "etc/accounts"
    accounts.write_text(accounts.read_text() +
                        "locked@example.test:{PLAIN}x::::::nologin\n"
                        "home@example.test:{PLAIN}x:::::::"
                        "allow_nets=10.0.0.0/8\n")
    time.sleep(CHANGE_COUNTS)
    c = Ipc(s, "auth", "auth")

    def verdict(user, client="192.0.2.9"):
        return attempt(c, user=user, password="master",
                       client=client)["verdict"]
    assert verdict("bob*support") == OK
    assert verdict("bob*support", "198.51.100.1") == NEVER
    assert verdict("bob*former") == NEVER
    assert verdict("locked*support") == NEVER
    assert verdict("home*support") == OK
