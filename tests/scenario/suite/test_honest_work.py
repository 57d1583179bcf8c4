# SPDX-License-Identifier: ISC
"""What each program calls at its work, under its filter: nothing that is
refused, nothing that is not granted (granted.py). A record of strace(1)."""
import base64
import contextlib

import granted
import pytest
import recorder
from chaos_hosts import Redis, bulk
from chaos_site import CHECKER, HAS_REDIS, REMOTE, TOKEN
from peers import FakeServer
from posthaste import PASSWORD, wait_for
from test_confinement import give_mboxes, pytestmark  # noqa: F401
from wire_servers import Socketmap, Tcp

SYSTEM_USER = "posthaste-mail"
STRANGER = "somebody@known.test"
RECORDS = {("known.test", "A"): ["127.0.0.2"],
           ("relay.test", "MX"): [(10, "mx.relay.test")],
           ("mx.relay.test", "A"): ["127.0.0.2"]}
MAIN = """\
disable_plaintext_auth = no
smtp_tls_security_level = may
smtpd_sender_restrictions = reject_unknown_sender_domain
relay_domains = relay.test
transport_maps = inline:{{{{relay.test=smtp:relay.test:{sink}}}}}, {socketmap}
smtp_generic_maps = {tcp}
smtp_bind_address = 127.0.0.1
account_files = $config_directory/accounts, pam:{pam}{redis}
auth_mechanisms = plain login xoauth2
auth_token_checker = $config_directory/checker
"""
COMMANDS = ("SELECT INBOX", "FETCH 1:* (FLAGS BODY[])", "SEARCH TEXT x",
            "STORE 1 +FLAGS (\\Deleted)", "EXPUNGE", 'LIST "" *')
OF_FOLDERS = ("CREATE a", "COPY 1 a")


def give_everything(s, redis):
    """bob has a quota, and what the system's user gets; carol's mail is a
    file."""
    give_mboxes(s, "carol")
    for name, old, new in (
            ("accounts", "bob\n", "bob userdb_quota_rule=*:storage=100M\n"),
            ("mailboxes", "example.test/carol/\n", "spool/carol\n")):
        path = s.root / "etc" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
    s.set(account_mail=f"maildir:{s.maildir('bob')}")
    s.write("checker", CHECKER).chmod(0o755)
    s.write("accounts.cf", f"hosts = 127.0.0.1:{redis.port}\n"
            "query = GET %s\n").chmod(0o600)


@pytest.fixture
def site(suite, dns, pam):
    """An instance that has work for every program; not started."""
    def judge(line):
        return "550 5.1.1 no" if "none@" in line else "250 2.1.5 Ok"

    def account(key):
        return bulk(f"uid={s.uid},gid={s.gid},home=/nonexistent,"
                    f"password={{PLAIN}}{PASSWORD}" if key == REMOTE else None)

    with contextlib.ExitStack() as ends:
        sink = ends.enter_context(
            FakeServer(replies={"RCPT": judge}, host="127.0.0.2"))
        socketmap, tcp, redis = (
            ends.enter_context(contextlib.closing(server)) for server in
            (Socketmap(Socketmap.good), Tcp(Tcp.good), Redis(account)))
        s = suite(start=False, dns=dns(RECORDS), main=MAIN.format(
            sink=sink.port, socketmap=socketmap.spec(), tcp=tcp.spec(),
            pam=pam(SYSTEM_USER),
            redis=", redis:$config_directory/accounts.cf" if HAS_REDIS
            else ""))
        give_everything(s, redis)
        yield s


def send(s):
    """From strangers, to strangers, and by who has logged in somehow."""
    with s.smtp(tls=True) as session:
        for sender, to in (("alice@example.test", "bob@example.test"),
                           ("alice@example.test", "carol@example.test"),
                           ("alice@example.test", "x@relay.test"),
                           ("alice@example.test", "none@relay.test"),
                           (STRANGER, "bob@example.test"),
                           (STRANGER, "carol@example.test")):
            s.send_on(session, sender, [to], "Subject: a\r\n\r\nx\r\n")
    s.send(port="submission", tls=True, login="alice", body=200000 * "x\n")
    for login in (SYSTEM_USER, *([REMOTE] if HAS_REDIS else [])):
        s.smtp("submission", tls=True, login=login).quit()
    said = f"user=alice@example.test\1auth=Bearer {TOKEN}\1\1".encode()
    with s.smtp("submission", tls=True) as session:
        session.ehlo()
        code, reply = session.docmd(
            "AUTH", f"XOAUTH2 {base64.b64encode(said).decode()}")
        assert code == 235, reply
    s.command("sendmail", "-f", "alice@example.test", "bob@example.test",
              stdin="Subject: b\n\nc\n")
    s.command("postqueue", "-p")
    s.wait_messages("bob", 4)
    s.wait_messages("alice")  # none@relay.test came back
    s.wait_empty()


def read(s):
    """Of each kind of mailbox, and as a user of the system."""
    for user in ("bob@example.test", "carol@example.test", SYSTEM_USER):
        pop3 = s.pop3(user)
        pop3.retr(1)
        if user != SYSTEM_USER:
            pop3.dele(1)
        pop3.quit()
    for user, commands in (("bob", OF_FOLDERS), ("carol", ())):
        imap = s.imap(user, tls="starttls")
        for command in (COMMANDS[0], *commands, *COMMANDS[1:]):
            assert imap.command(command)[0] == "OK", command
        imap.logout()


def test_nothing_is_tried_in_vain(site, tmp_path):
    """What the filter refuses, or what would end them; by each program."""
    record = tmp_path / "record"
    site.started = True
    site.start_recorded(record)
    send(site)
    read(site)
    site.stop()
    wait_for("the end of the record", lambda: recorder.is_whole(record))
    calls, refused = recorder.merged(record)
    assert not any(refused.values()), refused
    working = {name for name in calls if calls[name]}
    # strace does not tell those of the two kinds of mailboxes apart
    others = granted.OF_MBOXES | (
        set() if HAS_REDIS else {"lookup-auth-server"})
    assert working == set(granted.PROGRAMS) - others
    denied = {call for row in granted.DENIED.values() for call in row.split()}
    beyond = {}
    for name in working:
        known = {call.split("(")[0] for call in calls[name]} - {"seccomp"}
        beyond[name] = known & denied if name in granted.WIDE else (
            known - granted.calls_of(name) - granted.CONDITIONAL)
    assert not any(beyond.values()), beyond
