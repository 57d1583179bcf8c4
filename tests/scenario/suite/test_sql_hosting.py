# SPDX-License-Identifier: ISC
"""The hosting site of tests/data/sites, with its customers in a MariaDB of
PostfixAdmin's form: mail in and out, logins of the same people, and the
database's death and return."""
import imaplib
import pathlib
import re

import pytest

import databases
from posthaste import PASSWORD, owner_ids, wait_for
from test_table_accounts import (PROTOCOLS, login, refused,
                                 unavailable)

SITE = pathlib.Path(__file__).parents[2] / "data/sites/hosting/main.cf"
# what of the site is about its customers; the rest needs the world, or rspamd
NAMES = ("virtual_mailbox_domains", "virtual_mailbox_maps",
         "virtual_alias_maps", "relay_domains", "smtpd_sender_login_maps",
         "proxy_read_maps", "smtpd_relay_restrictions",
         "mua_relay_restrictions", "mua_sender_restrictions",
         "smtpd_helo_required", "strict_rfc821_envelopes",
         "disable_vrfy_command", "smtpd_delay_reject",
         "smtpd_sasl_security_options")
QUERIES = {
    "virtual_domains": "SELECT domain FROM domain WHERE domain = '%s' AND "
                       "active AND NOT backupmx",
    "relay_domains": "SELECT domain FROM domain WHERE domain = '%s' AND "
                     "active AND backupmx",
    "virtual_mailboxes": "SELECT maildir FROM mailbox WHERE username = '%s' "
                         "AND active",
    "virtual_aliases": "SELECT goto FROM alias WHERE address = '%s' AND active",
    "virtual_alias_domains":
        "SELECT goto FROM alias, alias_domain WHERE alias_domain = '%d' AND "
        "address = CONCAT('%u', '@', target_domain) AND alias.active",
    "sender_login": "SELECT goto FROM alias WHERE address = '%s' AND active",
}
ACCOUNTS = ("SELECT CONCAT('mail=maildir:%s/mail/', maildir), "
            "CONCAT('quota_rule=*:bytes=', quota), "
            "CONCAT('password=', password) FROM mailbox "
            "WHERE username = '%%s' AND active")
CUSTOMERS = """
create or replace table domain (domain varchar(255) primary key,
    backupmx bool, active bool);
create or replace table mailbox (username varchar(255) primary key,
    password text, maildir text, quota bigint, active bool);
create or replace table alias (address varchar(255) primary key, goto text,
    active bool);
create or replace table alias_domain (alias_domain varchar(255) primary key,
    target_domain text);
insert into domain values ('customer.test', 0, 1),
    ('customer.example', 0, 1), ('gone.test', 0, 0);
insert into mailbox values
    ('carol@customer.test', '{PLAIN}%s', 'customer.test/carol/', 5000000, 1),
    ('dave@customer.test', '{PLAIN}%s', 'customer.test/dave/', 0, 1),
    ('left@customer.test', '{PLAIN}%s', 'customer.test/left/', 0, 0);
insert into alias values
    ('carol@customer.test', 'carol@customer.test', 1),
    ('dave@customer.test', 'dave@customer.test', 1),
    ('info@customer.test', 'carol@customer.test,dave@customer.test', 1);
insert into alias_domain values ('customer.example', 'customer.test');
""" % (PASSWORD, PASSWORD, PASSWORD)


@pytest.fixture(scope="module")
def server():
    made = databases.MariaDB()
    made.begin(CUSTOMERS)
    yield made
    made.close()


def lines_of_site():
    """Name and value of the settings in the site's main.cf."""
    text = re.sub(r"(?m)^#.*\n", "", SITE.read_text())
    text = re.sub(r"\n[ \t]+", " ", text)
    return dict(re.split(r"\s*=\s*", line, maxsplit=1)
                for line in text.splitlines() if "=" in line)


def hosting(suite, server, **more):
    s = suite(start=False)
    (s.root / "etc/sql").mkdir()
    for name, query in QUERIES.items():
        s.write(f"sql/{name}.cf", server.settings(
            query=query, timeout="3")).chmod(0o600)
    # people log in where their mail is: one database, one table
    s.write("sql/accounts.cf", server.settings(
        query=ACCOUNTS % s.root, timeout="3")).chmod(0o600)
    theirs = lines_of_site()
    s.set(**{name: theirs[name].replace("/etc/postfix", f"{s.root}/etc")
             for name in NAMES})
    uid, gid = owner_ids()
    s.set(account_files=f"mysql:{s.root}/etc/sql/accounts.cf",
          account_uid=uid, account_gid=gid, account_home="/nonexistent",
          account_domain="customer.test", auth_failure_delay_max="0",
          mynetworks="192.0.2.16/28",
          queue_run_delay="1s", minimal_backoff_time="1s",
          maximal_backoff_time="1s", **more)
    cf = s.root / "etc/master.cf"
    cf.write_text(cf.read_text().replace(
        "  -o smtpd_sasl_auth_enable=yes\n",
        "  -o smtpd_sasl_auth_enable=yes\n"
        "  -o smtpd_sender_restrictions=$mua_sender_restrictions\n"
        "  -o smtpd_relay_restrictions=$mua_relay_restrictions\n"))
    return s.start()


def files(s, user):
    folder = s.root / "mail/customer.test" / user
    return [p for part in ("new", "cur") for p in (folder / part).glob("*")]


def rcpt(s, address):
    with s.smtp() as c:
        c.ehlo()
        c.mail("friend@elsewhere.test")
        return c.rcpt(address)[0]


def test_check_finds_nothing_wrong(suite, server):
    s = hosting(suite, server)
    done = s.posthaste("check")
    assert "error:" not in done.err and "sql/" not in done.err, done.err


def test_mail_comes_in_and_is_read(suite, server):
    s = hosting(suite, server)
    s.send(to="info@customer.test", sender="friend@elsewhere.test",
           subject="for both")
    s.send(to="Carol+news@customer.test", sender="friend@elsewhere.test",
           subject="for carol")
    s.send(to="dave@customer.example", sender="friend@elsewhere.test",
           subject="for dave by another domain")
    wait_for("the mail", lambda: (len(files(s, "carol")),
                                  len(files(s, "dave"))) == (2, 2))
    p = s.pop3("carol@customer.test")
    assert len(p.list()[1]) == 2
    p.quit()
    with imaplib.IMAP4_SSL("127.0.0.1", s.ports["imaps"],
                           ssl_context=s.tls()) as c:
        c.login("dave@customer.test", PASSWORD)
        assert c.select("INBOX")[1] == [b"2"]
        found = c.search(None, "SUBJECT", '"by another domain"')[1][0]
        assert b"for dave" in c.fetch(found, "(BODY[HEADER])")[1][0][1]
    # who is nobody is so for good, who has left too
    for nobody in ("nobody@customer.test", "left@customer.test",
                   "nobody@customer.example"):
        assert rcpt(s, nobody) == 550, nobody
    assert 550 <= rcpt(s, "x@gone.test") <= 554
    s.wait_empty()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_logins(suite, server, protocol):
    s = hosting(suite, server)
    assert login(s, protocol, "carol@customer.test", PASSWORD) == ""
    for user, word in (("carol@customer.test", "wrong"),
                       ("left@customer.test", PASSWORD),
                       ("nobody@customer.test", PASSWORD)):
        assert refused(protocol, login(s, protocol, user, word)), user


def test_customers_send_as_themselves(suite, server):
    s = hosting(suite, server)
    with s.smtp("submission", tls=True) as c:
        c.login("carol@customer.test", PASSWORD)
        for sender, code in (("dave@customer.test", 553),
                             ("carol@customer.test", 250),):
            c.mail(sender)
            assert c.rcpt("dave@customer.test")[0] == code, sender
            c.rset()
        s.send_on(c, "info@customer.test", ["dave@customer.test"],
                  "Subject: hello\r\n\r\nfrom both of us\r\n")
    wait_for("it", lambda: len(files(s, "dave")) == 1)


def test_death_and_return_of_the_database(suite, server):
    s = hosting(suite, server, defer_transports="virtual")
    for i in range(5):
        s.send(to="info@customer.test", sender="friend@elsewhere.test",
               subject=f"number {i}")
    wait_for("the queue", lambda: len(s.queue("deferred")) == 5)
    server.kill()
    try:
        s.set(defer_transports="")
        s.posthaste("reload")
        for address in ("carol@customer.test", "nobody@customer.test",
                        "info@customer.test"):
            assert rcpt(s, address) == 451, address
        for protocol in PROTOCOLS:
            assert unavailable(protocol, login(
                s, protocol, "carol@customer.test", PASSWORD))
        s.wait_log(r"status=deferred .*[Ll]ookup")
        assert len(s.queue()) == 5
        assert not files(s, "carol") and not files(s, "dave")
    finally:
        server.start()
    wait_for("an answer", lambda: rcpt(s, "carol@customer.test") == 250)
    assert rcpt(s, "nobody@customer.test") == 550
    s.wait_empty()
    assert (len(files(s, "carol")), len(files(s, "dave"))) == (5, 5)
    wait_for("a login", lambda: login(
        s, "imap", "carol@customer.test", PASSWORD) == "")
    assert "status=bounced" not in s.log()
