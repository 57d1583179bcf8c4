# SPDX-License-Identifier: ISC
"""sendmail -bv and -v: what would become of mail, and what became of it."""
import email
import email.policy

from peers import FakeServer


def report_for(s, user="bob"):
    (raw,) = s.wait_messages(user)
    return email.message_from_bytes(raw, policy=email.policy.default)


def test_bv_delivers_nothing_and_reports(suite):
    replies = {"RCPT": lambda line: "550 5.1.1 unknown" if "nobody" in line
               else "250 2.1.5 Ok"}
    with FakeServer(replies=replies) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n")
        s.command("sendmail", "-bv", "-f", "bob@example.test",
                  "fine@relay.test", "nobody@relay.test",
                  "alice@example.test")
        report = report_for(s)
        assert report["Subject"] == "Mail Delivery Status Report"
        parts = report.get_payload()[1].get_payload()[1:]
        actions = {p["Final-Recipient"]: p["Action"] for p in parts}
        assert actions["rfc822; fine@relay.test"] == "deliverable"
        assert actions["rfc822; nobody@relay.test"] == "undeliverable"
        assert actions["rfc822; alice@example.test"] == "deliverable"
        s.wait_empty()
        assert server.messages == []
        assert s.messages("alice") == []


def test_v_delivers_and_reports(suite):
    s = suite()
    s.command("sendmail", "-v", "-f", "bob@example.test",
              "alice@example.test", stdin="Subject: s\n\nbody\n")
    report = report_for(s)
    part = report.get_payload()[1].get_payload()[1]
    assert part["Final-Recipient"] == "rfc822; alice@example.test"
    assert part["Action"] == "delivered"
    assert len(s.wait_messages("alice")) == 1
    s.wait_empty()
