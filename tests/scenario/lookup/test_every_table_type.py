# SPDX-License-Identifier: ISC
"""Each type of table works where mail meets it, not only in postmap -q."""
import re
import socket

import pytest

from posthaste import wait_for

ENTRY = "sales@example.test bob@example.test\n"
PATTERN = "/^sales@example\\.test$/ bob@example.test\n"


def rcpt(s, address):
    with s.smtp() as session:
        session.ehlo()
        session.mail("alice@example.test")
        return session.rcpt(address)[0]


@pytest.mark.parametrize("spec, text, build, unknown", [
    ("texthash:{file}", ENTRY, False, 550),
    ("cdb:{file}", ENTRY, True, 550),
    ("hash:{file}", ENTRY, True, 550),
    ("btree:{file}", ENTRY, True, 550),
    # never built: hash: is served from its source
    ("hash:{file}", ENTRY, False, 550),
    ("pcre:{file}", PATTERN, False, 550),
    ("pcre:{file}", "/^(sa)(les)@(example\\.test)$/i bob@$3\n", False, 550),
    ("regexp:{file}", PATTERN, False, 550),
    ("regexp:{file}", "/^SALES@(example\\.test)$/ bob@$1\n", False, 550),
    ("regexp:{file}", "if /^sales/\n/@/ bob@example.test\nendif\n", False,
     550),
    ("inline:{{sales@example.test=bob@example.test}}", "", False, 550),
    ("static:bob@example.test", "", False, 250),
    ("unionmap:{{texthash:{file},inline:{{x@y.test=z@y.test}}}}", ENTRY,
     False, 550),
    ("pipemap:{{texthash:{file},inline:{{first=bob@example.test}}}}",
     "sales@example.test first\n", False, 550),
    ("randmap:{{bob@example.test}}", "", False, 250),
    ("proxy:texthash:{file}", ENTRY, False, 550),
], ids=lambda v: v.split(":{")[0] if isinstance(v, str) and ":" in v else "")
def test_alias_through(suite, spec, text, build, unknown):
    s = suite(start=False)
    file = s.write("aliases-of-the-test", text)
    # its default is the tables, and some of these hold every name
    s.set(virtual_alias_domains="", virtual_alias_maps=spec.format(file=file))
    if build:
        s.command("postmap", f"{spec.split(':')[0]}:{file}")
        # what is built is what counts
        assert (s.root / "etc/aliases-of-the-test.cdb").exists()
    s.start()
    s.send(to="sales@example.test")
    mail, = s.wait_messages("bob")
    assert b"X-Original-To: sales@example.test\r\n" in mail
    assert rcpt(s, "nobody@example.test") == unknown


def test_users_of_the_system_by_unix(suite):
    s = suite(main="local_recipient_maps = unix:passwd.byname\n")
    assert rcpt(s, "root@local.test") == 250
    assert rcpt(s, "no-such-user@local.test") == 550


CIDR = """# comments and
192.0.2.0/24    REJECT documentation
!127.0.0.0/8    REJECT not from here
if 127.0.0.0/8
127.0.0.7       REJECT seven
127.0.0.8/29    REJECT eight and some
endif
if !127.0.0.9
127.0.0.0/27    450 4.7.1 the rest
endif
"""


def refusal(s, source, to="bob@example.test"):
    """What a client at this address is told at RCPT."""
    with socket.create_connection(("127.0.0.1", s.ports["smtp"]), 60,
                                  (source, 0)) as c:
        f = c.makefile("rwb")
        f.readline()
        for line in ("HELO x", "MAIL FROM:<a@b.test>",
                     f"RCPT TO:<{to}>"):
            f.write(line.encode() + b"\r\n")
            f.flush()
            reply = f.readline().decode().strip()
    return reply


@pytest.mark.parametrize("source, want", [
    ("127.0.0.1", "450 4.7.1 .*the rest"),
    ("127.0.0.7", "554 5.7.1 .*seven"),
    ("127.0.0.8", "554 5.7.1 .*eight and some"),
    ("127.0.0.15", "554 5.7.1 .*eight and some"),
    ("127.0.0.16", "450 4.7.1 .*the rest"),
    ("127.0.0.32", "250 "),
])
def test_clients_by_cidr(suite, source, want):
    s = suite(start=False)
    table = s.write("clients.cidr", CIDR)
    s.set(smtpd_client_restrictions=f"check_client_access cidr:{table}")
    s.start()
    reply = refusal(s, source)
    assert re.match(want, reply), reply
    # a changed table counts without a reload
    table.write_text(CIDR.replace("127.0.0.0/27", "127.0.0.0/8 OK\n10.0.0.0/8"))
    if source == "127.0.0.1":
        wait_for("the new table", lambda: refusal(s, source)[:3] == "250")


@pytest.mark.parametrize("source, want", [
    ("127.0.0.5", "250"), ("127.0.0.6", "454"), ("127.0.0.7", "250"),
    ("127.0.0.9", "454")])
def test_own_networks_by_cidr(suite, source, want):
    s = suite(start=False)
    table = s.write("networks.cidr", "127.0.0.0/29 yes\n")
    s.set(mynetworks=f"!127.0.0.6, cidr:{table}")
    s.start()
    assert refusal(s, source, "x@remote.test").startswith(want)


def test_broken_tables_are_try_again(suite):
    """One wrong line of patterns is left out with a warning, as in Postfix;
    a table that cannot be read at all is no answer."""
    s = suite(start=False)
    table = s.write("clients.cidr", "300.0.0.0/8 REJECT\n127.0.0.0/8 OK\n")
    s.set(smtpd_client_restrictions=f"check_client_access cidr:{table}")
    s.start()
    assert refusal(s, "127.0.0.1").startswith("250")
    s.wait_log(r"clients\.cidr, line 1: ")
    table.unlink()
    wait_for("the loss", lambda: refusal(s, "127.0.0.1")[:3] == "451")
