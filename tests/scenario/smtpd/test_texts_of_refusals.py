# SPDX-License-Identifier: ISC
"""smtpd_reject_footer_maps and smtpd_reject_filter_maps: other words for
single refusals; the former beside Postfix."""
import re

import pytest

import postfix_peer
from peers import Dialogue
from posthaste import free_port

FOOTERS = (
    "smtpd_reject_footer = all\n"
    "smtpd_reject_footer_maps = texthash:{etc}/footers, "
    "regexp:{etc}/patterns\n"
    "smtpd_relay_restrictions = reject_unauth_destination\n"
    "smtpd_peername_lookup = no\n")
PATTERNS = (r"/^554 5.7.1 .*relayed/ see $$server_name\nor $$client_address"
            "\n" r"/^501/ \c, really" "\n")


def footers(suite, more=""):
    s = suite(start=False)
    s.write("footers", "")
    s.write("patterns", PATTERNS)
    main = FOOTERS.format(etc=s.root / "etc")
    s.write("main.cf", (s.root / "etc/main.cf").read_text() + main + more)
    return s.start(), main


def hear(port):
    with Dialogue(port) as d:
        d.reply()
        d.ask("HELO a.test")
        return [d.ask(line) for line in (
            "MAIL FROM", "MAIL FROM:<a@b.test>", "RCPT TO:<x@relayed.test>",
            "RCPT TO:<x@else.test>")]


def test_footers(suite):
    s, main = footers(suite)
    ours = hear(s.ports["smtp"])
    assert ours[2] == ("554-5.7.1 <x@relayed.test>: Relay access denied\n"
                       "554-5.7.1 see mx.example.test\n554 5.7.1 or 127.0.0.1")
    assert ours[0].startswith("501") and ours[0].endswith(", really")
    assert ours[3].endswith("\n554 5.7.1 all")
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        theirs = hear(port)
        assert [a.replace("host.ex", "mx.ex") for a in theirs] == ours


NAMES = ["client", "client_address", "client_name", "reverse_client_name",
         "helo_name", "sender", "server_name", "localtime"]
STRANGE = ["smtpd_tls_key_file", "queue_directory", "myhostname", "mail_name",
           "process_id", "nobody"]
SAID = (["$" + n for n in NAMES + STRANGE] +
        ["${%s?yes}" % n for n in NAMES + STRANGE] +
        ["${server_name", "$nobody$server_name"])


def test_the_words_of_clients_learn_no_settings(suite):
    """A table may put them into the footer."""
    s = suite(start=False)
    s.write("patterns", "/<(.*)@else.test>/ no relaying for $1\n")
    main = (f"smtpd_reject_footer_maps = regexp:{s.root}/etc/patterns\n"
            "smtpd_relay_restrictions = reject_unauth_destination\n"
            "smtpd_peername_lookup = no\nsmtpd_soft_error_limit = 1000\n"
            "smtpd_hard_error_limit = 1000\n")
    s.write("main.cf", (s.root / "etc/main.cf").read_text() + main)
    s.start()

    def footers_of(port):
        with Dialogue(port) as d:
            d.reply()
            d.ask("HELO a.test")
            d.ask("MAIL FROM:<a@b.test>")
            answers = [d.ask(f'RCPT TO:<{said}@else.test>') for said in SAID]
        return [re.sub(r"\w{3} \d\d [\d:]{8}", "TIME", re.sub(
            "host.example|mx.example", "HOST", "\n".join(
                a.splitlines()[1:]))) for a in answers]

    ours = footers_of(s.ports["smtp"])
    assert ours[NAMES.index("sender")] == "554 5.7.1 no relaying for a@b.test"
    assert ours[NAMES.index("localtime")].endswith(" TIME")
    for i in range(len(NAMES), len(NAMES + STRANGE)):
        assert ours[i] == "554 5.7.1 no relaying for "
    s.wait_log('unknown macro name "smtpd_tls_key_file"')
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        assert footers_of(port) == ours


def test_filters(suite):
    s, _ = footers(suite, "smtpd_reject_filter_maps = regexp:{"
                   "{/^554 (.*) <(.*)@else.test>/ 451 4.3.0 not now, $$2} "
                   "{/relayed/ 250 Ok}}\n")
    answers = hear(s.ports["smtp"])
    assert answers[3] == "451-4.3.0 not now, x\n451 4.3.0 all"
    assert answers[2].startswith("554-5.7.1")  # never let through
    s.wait_log("smtpd_reject_filter_maps: no refusal: 250 Ok")


def test_a_table_that_is_down_lets_nothing_through(suite):
    s = suite(main="smtpd_relay_restrictions = reject_unauth_destination\n"
              "smtpd_reject_filter_maps = socketmap:unix:/nowhere:x\n"
              "smtpd_reject_footer_maps = socketmap:unix:/nowhere:y\n"
              "smtpd_peername_lookup = no\n")
    assert hear(s.ports["smtp"])[3].startswith("554 5.7.1")


def end_of(port, *lines):
    """The last answer, and whether the session is at its end behind it."""
    with Dialogue(port, timeout=5) as d:
        d.reply()
        for line in lines:
            answer = d.ask(line)
        d.socket.settimeout(2)
        try:
            return answer, d.at_end()
        except TimeoutError:
            return answer, False


def test_what_tables_and_footers_make_of_the_end(suite):
    s = suite(start=False)
    s.write("filters", "/<now@/ 421 4.7.0 go away\n/<521@/ 521 5.7.0 go\n"
            "/<later@/ 450 4.7.0 stay\n"
            "/^421 (.*) too many/ 421 $1 so many errors\n")
    main = (f"smtpd_reject_filter_maps = regexp:{s.root}/etc/filters\n"
            "smtpd_reject_footer = foot\nsmtpd_hard_error_limit = 4\n"
            "smtpd_soft_error_limit = 4\nsmtpd_timeout = 3s\n"
            "smtpd_relay_restrictions = reject_unauth_destination\n"
            "smtpd_peername_lookup = no\n")
    s.write("main.cf", (s.root / "etc/main.cf").read_text() + main)
    s.start()

    def hear_ends(port):
        begin = ("HELO a.test", "MAIL FROM:<a@b.test>")
        return [end_of(port, *begin, f"RCPT TO:<{name}@else.test>")
                for name in ("now", "521", "later")]

    ours = hear_ends(s.ports["smtp"])
    assert ours == [("421-4.7.0 go away\n421 4.7.0 foot", True),
                    ("521-5.7.0 go\n521 5.7.0 foot", True),
                    ("450-4.7.0 stay\n450 4.7.0 foot", False)]
    last = end_of(s.ports["smtp"], *5 * ["WHAT"])
    assert last == ("421-4.7.0 mx.example.test Error: so many errors\n"
                    "421 4.7.0 foot", True)
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.reply() == ("421-4.4.2 mx.example.test Error: timeout "
                             "exceeded\n421 4.4.2 foot")
    port = free_port()
    with postfix_peer.beside(s.root / "postfix", port, main) as peer:
        if peer is None:
            pytest.skip("no Postfix to compare with, or not root")
        # 3.7 has no smtpd_reject_filter_maps
        assert end_of(port, *5 * ["WHAT"]) == (
            last[0].replace("mx.", "host.").replace("so many", "too many"),
            True)
