# SPDX-License-Identifier: ISC
"""smtpd_reject_footer_maps and smtpd_reject_filter_maps: other words for
single refusals; the former beside Postfix."""
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
        if peer is not None:
            theirs = hear(port)
            assert [a.replace("host.ex", "mx.ex") for a in theirs] == ours


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
