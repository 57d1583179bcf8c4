# SPDX-License-Identifier: ISC
"""Delivery status notifications where aliases stand between."""
import re


def send(s, to, notify):
    with s.smtp() as c:
        c.ehlo()
        assert c.mail("alice@example.test", ["RET=HDRS", "ENVID=abc"])[0] \
            == 250
        assert c.rcpt(to, [f"NOTIFY={notify}",
                           f"ORCPT=rfc822;{to}"])[0] == 250
        code, reply = c.data("Subject: x\r\n\r\nbody\r\n")
        assert code == 250
        return re.search(r"queued as (\S+)", reply.decode())[1]


def actions(messages):
    return [re.findall(rb"^(Final-Recipient|Original-Recipient|Action): "
                       rb"(.*)\r$", m, re.M) for m in messages]


def test_several_addresses_are_told_as_expanded(local):
    s = local(aliases="team: bob@example.test, carol@example.test\n")
    send(s, "team@local.test", "SUCCESS,FAILURE")
    s.wait_messages("bob")
    s.wait_messages("carol")
    report, = s.wait_messages("alice")
    s.wait_empty()
    assert len(s.messages("alice")) == 1
    fields = dict(actions([report])[0])
    assert fields[b"Action"].startswith(b"expanded")
    assert fields[b"Final-Recipient"] == b"rfc822; team@local.test"


def test_one_address_reports_at_its_end(local):
    s = local(aliases="one: bob@example.test\n")
    send(s, "one@local.test", "SUCCESS")
    s.wait_messages("bob")
    report, = s.wait_messages("alice")
    s.wait_empty()
    assert len(s.messages("alice")) == 1
    fields = dict(actions([report])[0])
    assert fields[b"Action"].startswith(b"delivered")
    assert fields[b"Final-Recipient"] == b"rfc822; bob@example.test"
    assert fields[b"Original-Recipient"] == b"rfc822;one@local.test"
    assert b"X-Envelope-ID: abc" in report or \
        b"Original-Envelope-Id: abc" in report


def test_never_is_kept(local):
    s = local(aliases="one: nobodyatall@local.test\n")
    send(s, "one@local.test", "NEVER")
    s.wait_log("unknown user")
    s.wait_empty()
    assert not s.messages("alice")


def test_failure_behind_a_list_goes_to_its_owner(local):
    s = local(aliases="list: nobodyatall, bob@example.test\n"
                      "owner-list: carol@example.test\n")
    s.send(to="list@local.test", sender="alice@example.test")
    s.wait_messages("bob")
    report, = s.wait_messages("carol")
    s.wait_empty()
    assert b"nobodyatall" in report
    assert not s.messages("alice")
