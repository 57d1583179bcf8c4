# SPDX-License-Identifier: ISC
"""smtpd_*_restrictions and access(5) tables."""
import re

import pytest

from peers import Dialogue


def greet(s, helo="client.test"):
    d = Dialogue(s.ports["smtp"])
    d.script(f"S: 220\nC: EHLO {helo}\nS: 250")
    return d


def rcpt(s, recipient="bob@example.test", sender="a@b.test",
         helo="client.test"):
    with greet(s, helo) as d:
        assert d.ask(f"MAIL FROM:<{sender}>").startswith("250")
        return d.ask(f"RCPT TO:<{recipient}>")


ACCESS = """\
bob@example.test     REJECT not today
carol@               550 5.7.9 Carol is away
.sub.test            DUNNO
spam.test            REJECT
slow.test            450 4.7.2 Later
alice@example.test   OK
loop.test            reject_non_fqdn_sender, permit
127.0.0              OK
<>                   DEFER no bounces now
bad.helo.test        521 go away
"""


def with_access(suite, main):
    s = suite(start=False, main=main)
    s.write("access", ACCESS)
    return s.start()


@pytest.mark.parametrize("sender, answer", [
    ("a@spam.test", "554 5.7.1 <a@spam.test>: Sender address rejected: "
     "Access denied"),
    ("a@sub.spam.test", "554 5.7.1"),
    ("a@slow.test", "450 4.7.2 <a@slow.test>: Sender address rejected: "
     "Later"),
    ("carol@else.test", "550 5.7.9 <carol@else.test>: Sender address "
     "rejected: Carol is away"),
    ("", "450 4.7.1 <>: Sender address rejected: no bounces now"),
    ("a@loop.test", "250"),
    ("a@fine.test", "250"),
])
def test_check_sender_access(suite, sender, answer):
    s = with_access(suite, "smtpd_sender_restrictions = check_sender_access "
                    "texthash:$config_directory/access\n")
    assert rcpt(s, "bob@example.test", sender).startswith(answer)


def test_check_recipient_access_and_log(suite):
    s = with_access(suite, "smtpd_recipient_restrictions = "
                    "check_recipient_access "
                    "texthash:$config_directory/access\n")
    assert rcpt(s).startswith("554 5.7.1 <bob@example.test>: Recipient "
                              "address rejected: not today")
    s.wait_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: 554 5\.7\.1 "
               r"<bob@example\.test>: Recipient address rejected: not today; "
               r"from=<a@b\.test> to=<bob@example\.test> proto=ESMTP "
               r"helo=<client\.test>")


def test_521_ends_the_session(suite):
    s = with_access(suite, "smtpd_helo_restrictions = check_helo_access "
                    "texthash:$config_directory/access\n")
    with greet(s, "bad.helo.test") as d:
        d.ask("MAIL FROM:<a@b.test>")
        assert d.ask("RCPT TO:<bob@example.test>").startswith(
            "521 5.7.1 <bad.helo.test>: Helo command rejected: go away")
        assert d.at_end()


@pytest.mark.parametrize("restrictions, helo, sender, recipient, answer", [
    ("reject_non_fqdn_helo_hostname", "short", "a@b.test",
     "bob@example.test", "504 5.5.2 <short>: Helo command rejected: need "
     "fully-qualified hostname"),
    ("reject_invalid_helo_hostname", "b!d.test", "a@b.test",
     "bob@example.test", "501 5.5.2 <b!d.test>: Helo command rejected: "
     "Invalid name"),
    ("reject_non_fqdn_sender", "c.test", "a@short", "bob@example.test",
     "504 5.5.2 <a@short>: Sender address rejected: need fully-qualified "
     "address"),
    ("reject_non_fqdn_recipient", "c.test", "a@b.test", "bob@localhost",
     "504 5.5.2 <bob@localhost>: Recipient address rejected: need "
     "fully-qualified address"),
    ("reject_plaintext_session", "c.test", "a@b.test", "bob@example.test",
     "450 4.7.1 Session encryption is required"),
    ("permit_mynetworks, reject", "c.test", "a@b.test", "bob@example.test",
     "250"),
    ("reject", "c.test", "a@b.test", "bob@example.test",
     "554 5.7.1 <bob@example.test>: Recipient address rejected: Access "
     "denied"),
    ("defer_if_permit", "c.test", "a@b.test", "bob@example.test",
     "450 4.7.0"),
    ("warn_if_reject, reject", "c.test", "a@b.test", "bob@example.test",
     "250"),
    ("check_sender_access texthash:/nowhere/at/all", "c.test", "a@b.test",
     "bob@example.test", "451 4."),
    ("strict", "c.test", "a@b.test", "bob@example.test", "554 5.7.1"),
])
def test_restrictions(suite, restrictions, helo, sender, recipient, answer):
    s = suite(main=f"smtpd_recipient_restrictions = {restrictions}\n"
              "smtpd_restriction_classes = strict\nstrict = reject\n")
    assert rcpt(s, recipient, sender, helo).startswith(answer)
    if restrictions.startswith("warn_if_reject"):
        s.wait_log("reject_warning: RCPT from")


@pytest.mark.parametrize("settings, said", [
    ("smtpd_recipient_restrictions = reject_no_such_thing\n",
     'unknown restriction: "reject_no_such_thing"'),
    ("smtpd_recipient_restrictions = reject_rbl_client bl.test\n",
     'this restriction is not supported yet: "reject_rbl_client"'),
    ("smtpd_sender_restrictions = check_sender_access nosuch:/x\n",
     "unsupported dictionary type: nosuch"),
    ("smtpd_helo_restrictions = check_helo_access\n",
     'an argument is missing behind: "check_helo_access"'),
    ("smtpd_restriction_classes = strict\nstrict = rejct\n",
     'unknown restriction: "rejct"'),
    ("mynetworks = 127.0.0.0/33\n", 'bad mask length in "127.0.0.0/33"'),
])
def test_a_wrong_restriction_is_refused_before_it_is_used(suite, settings,
                                                          said):
    s = suite()
    s.write("main.cf", s.main_cf + settings)
    for action in ("check", "reload"):
        done = s.posthaste(action, check=False)
        assert done.returncode == 1
        assert said in done.err
    assert rcpt(s).startswith("250")


def test_names_of_the_administrator_are_known_in_master_cf(suite):
    own = "my_own = permit_mynetworks, reject\n"
    s = suite(start=False, main=own)
    done = s.posthaste("check", check=False)
    assert done.returncode == 1
    assert "my_own: no setting has this name" in done.err
    s = suite(start=False, main=own, master="127.0.0.1:587 inet n - n - - smtpd\n"
              "  -o smtpd_client_restrictions=$my_own\n")
    s.posthaste("check")
    assert "my_own" not in s.command("postconf", "-n").err


def test_sender_domains_are_looked_up(suite, dns):
    server = dns({("good.test", "MX"): [(10, "mx.good.test")],
                  ("address.test", "A"): ["192.0.2.7"],
                  ("null.test", "MX"): [(0, ".")],
                  ("half.test", "MX"): [(0, "."), (5, "mx.good.test")],
                  ("puzzled.test", "MX"): "FORMERR"})
    s = suite(dns=server, main="smtpd_sender_restrictions = "
              "reject_unknown_sender_domain\n")
    assert rcpt(s, sender="a@good.test").startswith("250")
    assert rcpt(s, sender="a@half.test").startswith("250")
    assert rcpt(s, sender="a@puzzled.test").startswith("450 4.4.3")
    assert rcpt(s, sender="a@address.test").startswith("250")
    assert rcpt(s, sender="a@missing.test").startswith(
        "450 4.1.8 <a@missing.test>: Sender address rejected: "
        "Domain not found")
    assert rcpt(s, sender="a@null.test").startswith("550 5.7.27")


def test_senders_belong_to_logins(suite):
    s = suite(start=False, main="smtpd_sender_login_maps = "
              "texthash:$config_directory/owners\n"
              "smtpd_sasl_auth_enable = yes\n"
              "smtpd_sender_restrictions = reject_sender_login_mismatch\n")
    s.write("owners", "alice@example.test alice@example.test\n"
            "bob@example.test bob@example.test\n")
    s.start()
    assert rcpt(s, sender="bob@example.test").startswith(
        "553 5.7.1 <bob@example.test>: Sender address rejected: "
        "not logged in")
    assert rcpt(s, sender="x@else.test").startswith("250")
    with s.smtp("submission", tls=True, login="alice@example.test") as m:
        assert m.mail("alice@example.test")[0] == 250
        assert m.rcpt("bob@example.test")[0] == 250
        m.rset()
        m.mail("bob@example.test")
        code, text = m.rcpt("bob@example.test")
        assert code == 553 and b"not owned by user alice@example.test" in text


def test_client_is_refused_at_once_without_delay(suite):
    s = suite(main="smtpd_delay_reject = no\n"
              "smtpd_client_restrictions = reject\n")
    with Dialogue(s.ports["smtp"]) as d:
        assert d.reply().startswith("554 5.7.1 <")
        assert d.ask("EHLO client.test").startswith(
            "503 5.7.0 Error: access denied for ")
        assert d.ask("QUIT").startswith("221")


@pytest.mark.parametrize("relay, recipient", [
    ("", "permit"),
    ("permit", ""),
    ("permit_mynetworks, permit, reject_unauth_destination", "permit"),
    ("warn_if_reject reject_unauth_destination", ""),
    ("all, reject_unauth_destination", "all"),
    ("nested", "permit, reject"),
])
def test_open_relay_is_impossible(suite, relay, recipient):
    s = suite(main=f"mynetworks = 192.0.2.1\nsmtpd_restriction_classes = all,"
              f"nested\nall = reject_non_fqdn_sender, permit\n"
              f"nested = sleep 0, all\n"
              f"smtpd_relay_restrictions = {relay}\n"
              f"smtpd_recipient_restrictions = {recipient}\n")
    assert rcpt(s, "x@elsewhere.test").startswith(
        "554 5.7.1 <x@elsewhere.test>: Relay access denied")


def test_a_class_that_refuses_other_sites_is_enough(suite):
    """Nothing is added: others than those of mynetworks may send as well."""
    s = suite(main="mynetworks = 192.0.2.1\n"
              "smtpd_restriction_classes = ours\nours = check_client_access "
              "inline:{127.0.0.1=OK}, reject_unauth_destination\n"
              "smtpd_relay_restrictions = ours\n")
    assert rcpt(s, "x@elsewhere.test").startswith("250")
    assert "is used as well" not in s.log()


@pytest.mark.parametrize("recipient", [
    "x%elsewhere.test@example.test", "elsewhere.test!x",
    "@example.test:x@elsewhere.test", '"x@elsewhere.test"@example.test',
    "x@[192.0.2.9]", '"x%elsewhere.test"@local.test',
])
def test_no_way_around_the_relay_rules(suite, recipient):
    s = suite(main="mynetworks = 192.0.2.1\n")
    assert rcpt(s, recipient)[0] in "45"


def test_long_answers_come_by_tcp(suite, dns):
    """smtpd may connect to the resolver's port, and to no other."""
    names = [(n, f"host-{n}.{40 * 'x'}.test") for n in range(40)]
    server = dns({("long.test", "MX"): names})
    s = suite(dns=server, main="smtpd_sender_restrictions = "
              "reject_unknown_sender_domain\n")
    s.send(sender="a@long.test")
    assert server.queries.count(("long.test", "MX")) == 2


def test_our_own_sender_domains_need_no_dns(suite, dns):
    """reject_unknown_sender_domain asks where mail would go elsewhere."""
    s = suite(dns=dns({("other.test", "A"): ["192.0.2.1"]}),
              main="relay_domains = behind.test\n"
              "smtpd_sender_restrictions = reject_unknown_sender_domain\n")
    for sender in ("alice@example.test", "root@local.test", "x@behind.test"):
        assert rcpt(s, sender=sender).startswith("250"), sender
    assert rcpt(s, sender="x@nowhere.test").startswith(
        "450 4.1.8 <x@nowhere.test>: Sender address rejected: Domain not found")


def test_whose_domain_it_is_may_not_be_known_just_now(suite, dns):
    """Ours are in no DNS: they are not refused while lookup cannot say so."""
    s = suite(dns=dns({("other.test", "A"): ["192.0.2.1"]}),
              main="relay_domains = fail:x\n"
              "unknown_address_reject_code = 550\n"
              "smtpd_sender_restrictions = reject_unknown_sender_domain\n"
              "smtpd_recipient_restrictions = reject_unknown_recipient_domain"
              "\n")
    assert rcpt(s, sender="x@behind.test").startswith(
        "451 4.3.0 <x@behind.test>: Temporary lookup failure")
    assert rcpt(s, "x@behind.test", "alice@example.test").startswith(
        "451 4.3.0 <x@behind.test>: Temporary lookup failure")


def test_where_nobody_logs_in_nobody_owns_a_sender(suite):
    """A list of main.cf is for the submission service and not for port 25."""
    s = suite(main="smtpd_sender_login_maps = "
              "inline:{bob@example.test=bob@example.test}\n"
              "smtpd_sender_restrictions = reject_sender_login_mismatch\n")
    assert rcpt(s, sender="bob@example.test").startswith("250")
    with s.smtp("submission", tls=True, login="alice@example.test") as m:
        for sender in ("bob@example.test", "bob+list@example.test"):
            m.mail(sender)
            code, text = m.rcpt("bob@example.test")
            assert code == 553 and b"not owned by user alice" in text
            m.rset()


@pytest.mark.parametrize("restrictions, answer", [
    ("defer", "450 4.3.2 <bob@example.test>: Recipient address rejected: "
     "Try again later"),
    ("defer_if_permit", "450 4.7.0 <bob@example.test>: Recipient address "
     "rejected: defer_if_permit requested"),
    ("defer_if_reject, reject", "450 4.7.0 <bob@example.test>: Recipient "
     "address rejected: defer_if_reject requested"),
    ("check_reverse_client_hostname_access static:REJECT", "554 5.7.1 "
     "<localhost>: Unverified Client host rejected: Access denied"),
    ("check_client_access static:REJECT", "554 5.7.1 <localhost[127.0.0.1]>: "
     "Client host rejected: Access denied"),
])
def test_wording(suite, restrictions, answer):
    s = suite(main=f"smtpd_recipient_restrictions = {restrictions}\n")
    assert rcpt(s) == answer


def test_names_without_a_domain_are_ours_in_tables_too(suite):
    s = suite(main="mydestination = example.test, local.test\n"
              "virtual_mailbox_domains =\nmyorigin = local.test\n"
              "local_recipient_maps =\n"
              "smtpd_recipient_restrictions = check_recipient_access "
              "inline:{{bob@local.test=REJECT not him}}\n")
    assert rcpt(s, "bob").startswith(
        "554 5.7.1 <bob>: Recipient address rejected: not him")
    assert rcpt(s, "carol").startswith("250")


ACTIONS = """\
discard@b.test   DISCARD quietly
prepend@b.test   PREPEND X-Seen: by table
badprep@b.test   PREPEND no header
redirect@b.test  REDIRECT carol@example.test
bcc@b.test       BCC carol@example.test
warn@b.test      WARN looks odd
hold@b.test      HOLD
heldwhy@b.test   HOLD looks like a virus
filter@b.test    FILTER smtp:[127.0.0.1]:9
"""


@pytest.fixture
def acting(suite):
    s = suite(start=False, main="smtpd_sender_restrictions = "
              "check_sender_access texthash:$config_directory/actions\n")
    s.write("actions", ACTIONS)
    return s.start()


def test_discard(acting):
    acting.send(sender="discard@b.test")
    acting.wait_log("discard: RCPT from .*: <discard@b.test>: Sender address "
                    "quietly; from=<discard@b.test>")
    acting.send(sender="a@b.test")
    assert len(acting.wait_messages("bob")) == 1


def test_prepend(acting):
    acting.send(sender="prepend@b.test")
    (message,) = acting.wait_messages("bob")
    assert message.count(b"\r\nX-Seen: by table\r\n") == 1
    assert rcpt(acting, sender="badprep@b.test").startswith("451 4.3.5")


def test_redirect_and_bcc(acting):
    acting.send(sender="redirect@b.test", body="redirected\r\n")
    assert b"redirected" in acting.wait_messages("carol")[0]
    assert acting.messages("bob") == []
    acting.send(sender="bcc@b.test", body="copied\r\n")
    assert b"copied" in acting.wait_messages("bob")[0]
    acting.wait_messages("carol", 2)


def test_warn_and_what_is_not_supported(acting):
    assert rcpt(acting, sender="warn@b.test").startswith("250")
    acting.wait_log("warn: RCPT from .*: looks odd; from=<warn@b.test> "
                    "to=<bob@example.test> proto=ESMTP helo=<")
    assert rcpt(acting, sender="filter@b.test").startswith("451 4.3.5")
    acting.wait_log("the action FILTER is not supported")


def test_hold_keeps_the_message_for_a_person(acting):
    held = acting.send(sender="hold@b.test", body="held\r\n")
    acting.wait_log("hold: RCPT from .*: <hold@b.test>: Sender address "
                    "triggers HOLD action; from=<hold@b.test> "
                    "to=<bob@example.test> proto=ESMTP helo=<")
    acting.send(sender="heldwhy@b.test")
    acting.wait_log("<heldwhy@b.test>: Sender address looks like a virus;")
    acting.send(sender="a@b.test", body="free\r\n")
    assert b"free" in acting.wait_messages("bob")[0]
    assert len(acting.queue("hold")) == 2
    assert f"{held}!" in acting.command("mailq").out
    # nothing takes it up, a look through all queues neither
    acting.posthaste("flush")
    acting.send(sender="a@b.test", body="free\r\n")
    acting.wait_messages("bob", 2)
    assert len(acting.queue("hold")) == 2
    acting.command("postsuper", "-H", held)
    assert b"held" in acting.wait_messages("bob", 3)[2]
    assert len(acting.queue("hold")) == 1


def test_classes_that_name_themselves(suite):
    """In many ways at each turn, which nobody walks."""
    rings = ("smtpd_restriction_classes = a, b, c\n"
             "a = warn_if_reject b, a, a, a, a, a\n"
             "b = c, c, c, c, a\nc = b, b, b, b, b\n")
    s = suite(start=False)
    s.write("main.cf", (s.root / "etc/main.cf").read_text() + rings +
            "smtpd_sender_restrictions = a\n")
    done = s.posthaste("check", check=False)
    for name in "abc":
        assert f'this class leads back to itself: "{name}"'.encode() in \
            done.stdout + done.stderr


SHORT = ["5.7.2", "5.7.2 ", "5.7.", "5.7", "5.", "5", "4.7.2", "999.1.1",
         "2.0.0", "5.1234.1", "5.1.1234", "5..1", "5.7.2x", "%s%n", "\\", ".",
         # too long for a transport
         "x" * 65536, "5.7.2 " + "y" * 65536, "\u00e4" * 3000]


def test_codes_that_are_cut_short(suite):
    """Where tables give a reply, or a part of one (CVE-2026-43964)."""
    values = [f"{word} {value}".rstrip() if word else value
              for word in ("REJECT", "DEFER", "DEFER_IF_PERMIT", "550", "450",
                           "521", "55", "5500", "") for value in ["", *SHORT]]
    s = suite(start=False)
    s.write("access", "".join(f"u{i}@example.test {value}\n"
                              for i, value in enumerate(values) if value))
    s.write("transport", "".join(f"u{i}@relay.test error:{value}\n"
                                 for i, value in enumerate(SHORT)))
    s.set(transport_maps=f"texthash:{s.root}/etc/transport",
          relay_domains="relay.test", relay_recipient_maps="",
          smtpd_soft_error_limit="1000", smtpd_hard_error_limit="1000",
          smtpd_reject_unlisted_recipient="no",
          smtpd_recipient_restrictions="check_recipient_access texthash:"
          f"{s.root}/etc/access, permit")
    s.start()
    for i, value in enumerate(values):
        if not value:
            continue
        with Dialogue(s.ports["smtp"]) as d:
            d.script("S: 220\nC: EHLO a.test\nS: 250\n"
                     "C: MAIL FROM:<a@b.test>\nS: 250")
            said = d.ask(f"RCPT TO:<u{i}@example.test>")
            # one reply, in form, no line of it too long
            for line in said.splitlines():
                assert re.fullmatch(r"[245]\d\d[ -][245]\.\d{1,3}\.\d{1,3} .*",
                                    line), (value[:40], said)
                assert len(line) <= 510, value[:40]
            if not said.startswith("521"):
                assert d.ask("NOOP").startswith("250"), (value[:40], said)
    to = [f"u{i}@relay.test" for i in range(len(SHORT) - 3)]
    queue_id = s.send(to=to)
    for recipient in to:
        s.wait_log(rf"{queue_id}: to=<{recipient}>, .*dsn=[45]\.\d{{1,3}}\."
                   r"\d{1,3}, status=(bounced|deferred) \(")
