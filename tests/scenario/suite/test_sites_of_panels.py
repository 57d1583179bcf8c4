# SPDX-License-Identifier: ISC
"""Sites as containers and panels make them, started and used: tables behind a
socket, mail that comes back from a filter, another program's mailboxes."""
import grp
import os
import pathlib
import pwd
import socket
import subprocess

import pytest

import dovecot_peer
from peers import FakeServer
from posthaste import AS_ROOT, free_port, wait_for
from test_sites import rcpt
from wire_servers import Wire, netstring, read_netstring

PODOP = {
    "domain hosted.test": "OK hosted.test", "domain alias.test": None,
    "mailbox user@hosted.test": "OK user@hosted.test",
    "alias info@hosted.test": "OK user@hosted.test",
    "alias user@hosted.test": "OK user@hosted.test",
    "transport relayed.test": "OK x", "transport x@relayed.test": "OK smtp:[127.0.0.1]:{relay}",
    "sendermap user@hosted.test": "OK sender@hosted.test",
}


class Podop(Wire):
    """Of each question its table and key."""

    def question(self, f):
        text = read_netstring(f)
        return None if text is None else text.decode()


def test_tables_behind_a_socket(suite):
    """Mailu: one program answers for all tables, LMTP takes the mail."""
    with FakeServer() as mailboxes, FakeServer() as other:
        def answer(question):
            found = PODOP.get(question) or "NOTFOUND "
            return netstring(found.format(relay=other.port).encode())

        podop = Podop(answer)
        s = suite(main=(
            f"podop = socketmap:inet:127.0.0.1:{podop.port}:\n"
            "mydestination =\nvirtual_alias_domains =\nalias_maps =\n"
            "virtual_alias_maps = ${podop}alias\n"
            "virtual_mailbox_domains = ${podop}domain\n"
            "virtual_mailbox_maps = ${podop}mailbox\n"
            "relay_domains = ${podop}transport\n"
            "transport_maps = ${podop}transport\n"
            f"virtual_transport = lmtp:inet:127.0.0.1:{mailboxes.port}\n"
            "sender_canonical_maps = ${podop}sendermap\n"
            "sender_canonical_classes = envelope_sender\n"
            "check_ratelimit = permit\nmynetworks = 192.0.2.1\n"
            "smtpd_client_restrictions = $check_ratelimit\n"
            "smtpd_relay_restrictions = permit_mynetworks,\n"
            "  permit_sasl_authenticated, reject_unauth_destination\n"
            "smtp_tls_security_level = none\nlmtp_host_lookup = native\n"))
        try:
            assert rcpt(s, "nobody@hosted.test").startswith("550 5.1.1")
            assert "Relay access denied" in rcpt(s, "x@elsewhere.test")
            s.send(to="info@hosted.test", sender="user@hosted.test")
            ((sender, to, _),) = mailboxes.wait()
            assert sender.startswith("MAIL FROM:<sender@hosted.test>")
            assert to[0].startswith("RCPT TO:<user@hosted.test>")
            s.send(to="x@relayed.test")
            other.wait()
            podop.close()
            assert rcpt(s, "nobody@hosted.test").startswith("451 4.3.0")
        finally:
            podop.close()


def test_content_filter_and_its_way_back(suite):
    """Amavis's site: not a message passes unfiltered for want of a filter,
    nor is one lost; what a filter in front brings to 10025 is delivered."""
    back = free_port()
    s = suite(start=False, main="content_filter = smtp-amavis:[127.0.0.1]:9\n",
              master=f"""\
smtp-amavis unix - - n - 2 smtp
  -o smtp_data_done_timeout=1200
  -o smtp_send_xforward_command=yes
  -o disable_dns_lookups=yes
127.0.0.1:{back} inet n - n - - smtpd
  -o content_filter=
  -o smtpd_client_restrictions=permit_mynetworks,reject
  -o smtpd_recipient_restrictions=permit_mynetworks,reject
  -o mynetworks=127.0.0.0/8
  -o receive_override_options=no_unknown_recipient_checks,no_milters
""")
    done = s.posthaste("start", check=False)
    assert done.returncode != 0
    assert "content_filter: content filters come later" in done.err
    assert "a transport_maps table can send it through one" in done.err
    s.set(missing_protection="warn")
    s.start()
    s.ports["back"] = back
    s.send(port="back", sender="x@elsewhere.test")
    s.wait_messages("bob")


LMTP = """\
base_dir = {0}/run
state_dir = {0}/run
log_path = {0}/log
protocols = lmtp
ssl = no
default_internal_user = {1}
default_internal_group = {2}
default_login_user = {1}
mail_location = maildir:{0}/mail/%n
mail_uid = {3}
mail_gid = {4}
first_valid_uid = 0
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {5}
  }}
}}
service anvil {{
  chroot =
}}
passdb {{
  driver = passwd-file
  args = {0}/users
}}
userdb {{
  driver = passwd-file
  args = {0}/users
}}
"""


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def why_no_lmtp():
    if not AS_ROOT:
        return "Dovecot needs root"
    if not (dovecot_peer.PROGRAMS / "lmtp").exists():
        return "no dovecot-lmtpd: install it, or unpack it in DOVECOT_ROOT"
    return dovecot_peer.why_not()


@pytest.mark.skipif(why_no_lmtp() is not None, reason=str(why_no_lmtp()))
def test_mail_for_dovecots_lmtp(suite, tmp_path):
    port = free_port()
    s = suite(main=(f"virtual_transport = lmtp:inet:127.0.0.1:{port}\n"
                    "lmtp_destination_recipient_limit = 1\n"))
    user = pwd.getpwuid(dovecot_peer.OWNER)
    there = s.root / "dovecot"
    for folder in (there, there / "run", there / "mail"):
        folder.mkdir()
        os.chown(folder, user.pw_uid, user.pw_gid)
    # carol is our table's alone
    (there / "users").write_text("alice@example.test::::::\n"
                                 "bob@example.test::::::\n")
    (there / "conf").write_text(LMTP.format(
        there, user.pw_name, grp.getgrgid(user.pw_gid).gr_name, user.pw_uid,
        user.pw_gid, port))
    dovecot = subprocess.Popen(dovecot_peer.started(
        "/usr/sbin/dovecot", "-F", "-c", str(there / "conf")))
    try:
        wait_for("Dovecot", lambda: listens(port))
        s.send(to=["alice@example.test", "bob@example.test"],
               sender="x@elsewhere.test", subject="for two")
        s.wait_log(r"to=<bob@example.test>.*status=sent \(250 2\.0\.0 .*Saved")
        s.send(to="carol@example.test", sender="x@elsewhere.test")
        s.wait_log(r"to=<carol@example.test>.*status=bounced .*550 5\.1\.1")
        for name in ("alice", "bob"):
            (text,) = [p.read_text() for p in
                       pathlib.Path(there / "mail" / name / "new").iterdir()]
            assert "Subject: for two" in text
            assert f"Delivered-To: {name}@example.test" in text
    finally:
        dovecot.terminate()
        wait_for("the end of Dovecot", lambda: dovecot.poll() is not None)
