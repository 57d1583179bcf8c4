# SPDX-License-Identifier: ISC
"""auth and auth-session, asked as login and session stages ask them."""
import os
import time

import pytest
from ipc_client import Ipc
from posthaste import quick, wait_for

OK, LATER, NEVER = range(3)


def plain(user, password):
    return f"\0{user}\0{password}".encode()


def attempt(c, user="bob", password="posthaste", mechanism="PLAIN",
            service="pop3", client="192.0.2.7"):
    name, fields = c.ask(
        "authenticate", service=service, mechanism=mechanism, client=client,
        server="mx.example.test", tls=True, has_initial=True,
        initial=plain(user, password), binding=b"")
    assert name == "authenticated"
    return fields


def test_ticket_works_once(suite):
    s = suite()
    auth = Ipc(s, "auth", "auth")
    sessions = Ipc(s, "auth-session", "auth")
    got = attempt(auth)
    assert got["verdict"] == OK and got["user"] == "bob@example.test"
    name, account = sessions.ask("redeem", service="pop3",
                                 ticket=got["ticket"])
    assert name == "account" and account["verdict"] == OK
    assert account["user"] == "bob@example.test"
    assert account["uid"] == s.uid and account["gid"] == s.gid
    assert account["mail"] == f"maildir:{s.maildir('bob')}"
    _, again = sessions.ask("redeem", service="pop3", ticket=got["ticket"])
    assert again["verdict"] == NEVER
    _, guessed = sessions.ask("redeem", service="pop3", ticket="0" * 48)
    assert guessed["verdict"] == NEVER
    s.wait_log(r"auth-session\[\d+\]: warning: a ticket for pop3 that is not")


def test_ticket_is_for_one_service(suite):
    s = suite()
    auth = Ipc(s, "auth", "auth")
    sessions = Ipc(s, "auth-session", "auth")
    ticket = attempt(auth, service="imap")["ticket"]
    _, account = sessions.ask("redeem", service="pop3", ticket=ticket)
    assert account["verdict"] == NEVER
    # and the attempt has used it up
    _, account = sessions.ask("redeem", service="imap", ticket=ticket)
    assert account["verdict"] == NEVER
    assert attempt(auth, service="smtp")["ticket"] == ""


def test_login_stages_cannot_redeem(suite):
    s = suite()
    auth = Ipc(s, "auth", "auth")
    ticket = attempt(auth)["ticket"]
    with pytest.raises(EOFError):
        auth.ask("redeem", service="pop3", ticket=ticket)
    sessions = Ipc(s, "auth-session", "auth")
    with pytest.raises(EOFError):
        attempt(sessions)


def test_failures_grow_slower_and_never_hold_up_others(suite):
    s = suite()
    c, other = Ipc(s, "auth", "auth"), Ipc(s, "auth", "auth")
    delays = [attempt(c, password=f"guess{i}")["delay_ms"] for i in range(6)]
    assert delays == [500, 1000, 2000, 4000, 5000, 5000]
    # unknown users look the same
    unknown = attempt(c, user="nobody-here")
    assert unknown["verdict"] == NEVER and unknown["delay_ms"] == 5000
    got = quick("a right password", 0.5,
                lambda: attempt(other, client="192.0.2.99"))
    assert got["verdict"] == OK and got["delay_ms"] == 0


def test_missing_accounts_are_try_again(suite):
    s = suite()
    c = Ipc(s, "auth", "auth")
    assert attempt(c)["verdict"] == OK
    os.rename(s.root / "etc/accounts", s.root / "etc/gone")
    wait_for("the loss", lambda: attempt(c)["verdict"] == LATER)
    os.rename(s.root / "etc/gone", s.root / "etc/accounts")
    wait_for("its return", lambda: attempt(c)["verdict"] == OK)


def test_one_exchange_at_a_time(suite):
    s = suite()
    c = Ipc(s, "auth", "auth")
    begin = dict(service="pop3", mechanism="LOGIN", client="192.0.2.7",
                 server="mx", tls=True, has_initial=False, initial=b"",
                 binding=b"")
    name, fields = c.ask("authenticate", **begin)
    assert name == "challenge" and fields["data"].lower().startswith(b"user")
    name, fields = c.ask("response", data=b"bob", cancel=False)
    assert name == "challenge" and fields["data"].lower().startswith(b"pass")
    name, fields = c.ask("response", data=b"posthaste", cancel=False)
    assert name == "authenticated" and fields["verdict"] == OK
    # cancelled, then another mechanism: nothing of the first is left
    c.ask("authenticate", **begin)
    c.ask("response", data=b"alice", cancel=False)
    name, fields = c.ask("response", data=b"", cancel=True)
    assert name == "authenticated" and fields["verdict"] == NEVER
    assert attempt(c)["user"] == "bob@example.test"
    c.ask("authenticate", **begin)
    with pytest.raises(EOFError):
        c.ask("authenticate", **begin)


def test_no_passwords_in_the_log(suite):
    s = suite(main="smtpd_tls_loglevel = 2\n")
    c = Ipc(s, "auth", "auth")
    attempt(c, password="Secret-Guess-1")
    attempt(c)
    p = s.pop3(user=None)
    p.user("bob")
    try:
        p.pass_("Secret-Guess-2")
    except Exception:
        pass
    s.wait_log("SASL USER authentication failed")
    assert "Secret-Guess" not in s.log()


def test_keyd_signs_only_tls(suite):
    s = suite()
    s.pop3().quit()  # a handshake works
    c = Ipc(s, "keyd", "keyd")
    name, fields = c.ask("key_sign", key="sha256:00", operation=0, padding=1,
                         data=b"x" * 51)
    assert name == "key_signed" and not fields["done"]
    s.wait_log(r"keyd\[\d+\]: warning: refused .*no such key")


def test_unknown_user_costs_as_much_as_a_wrong_password(suite):
    s = suite(start=False)
    # "posthaste", with rounds enough to be seen on a clock
    stored = ("$6$rounds=300000$saltsalt$kOR36jbjP/uIj7pxxxxxxxxxxxxxxxxxxxxxx"
              "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx.")
    (s.root / "etc/accounts").write_text(
        f"bob@example.test:{{SHA512-CRYPT}}{stored}:{s.uid}:{s.gid}\n")
    s.start()
    c = Ipc(s, "auth", "auth")

    def cost(user):
        times = []
        for i in range(8):
            before = time.monotonic()
            assert attempt(c, user=user, password="x")["verdict"] == NEVER
            times.append(time.monotonic() - before)
        return min(times)

    wrong, unknown = cost("bob"), cost("nobody-here")
    assert wrong > 0.03, "the test's hash is too cheap to measure"
    assert 0.4 < unknown / wrong < 2.5
