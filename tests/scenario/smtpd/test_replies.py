# SPDX-License-Identifier: ISC
"""Replies and log lines word for word as Postfix 3.7 gives them."""
import re

from peers import Dialogue
from posthaste import wait_for

SYNTAX = """\
S: 220 mx.example.test ESMTP Posthaste
C: NOOP
S: 250 2.0.0 Ok
C: VRFY
S: 501 5.5.4 Syntax: VRFY address [SMTPUTF8]
C: VRFY bob
S: 252 2.0.0 bob
C: VRFY joe@example.test
S: 550 5.1.1 <joe@example.test>: Recipient address rejected: User unknown in virtual mailbox table
C: RSET now
S: 501 5.5.4 Syntax: RSET
C: RCPT TO:<bob@example.test>
S: 503 5.5.1 Error: need MAIL command
C: DATA
S: 503 5.5.1 Error: need RCPT command
C: HELO
S: 501 Syntax: HELO hostname
C: EHLO
S: 501 Syntax: EHLO hostname
C: HELO client.test
S: 250 mx.example.test
C: MAIL
S: 501 5.5.4 Syntax: MAIL FROM:<address>
C: MAIL FROM:
S: 501 5.5.4 Syntax: MAIL FROM:<address>
C: MAIL FROM:<a b@c.test>
S: 501 5.1.7 Bad sender address syntax
C: MAIL FROM:<a@b.test> SIZE=many
S: 501 5.5.4 Bad message size syntax
C: MAIL FROM:<a@b.test> BODY=9BIT
S: 555 5.5.4 Unsupported option: BODY=9BIT
C: MAIL FROM:<a@b.test> RET=half
S: 501 5.5.4 Bad RET parameter syntax
C: MAIL FROM:<a@b.test> ENVID=a+ZZ
S: 501 5.5.4 Bad ENVID parameter syntax
C: FOOBAR
S: 500 5.5.2 Error: command not recognized
C: AUTH PLAIN
S: 503 5.5.1 Error: authentication not enabled
C: MAIL FROM:<a@b.test> SIZE=100 BODY=8BITMIME
S: 250 2.1.0 Ok
C: MAIL FROM:<x@y.test>
S: 503 5.5.1 Error: nested MAIL command
C: DATA
S: 554 5.5.1 Error: no valid recipients
C: RCPT
S: 501 5.5.4 Syntax: RCPT TO:<address>
C: RCPT TO:
S: 501 5.5.4 Syntax: RCPT TO:<address>
C: RCPT TO:<>
S: 501 5.1.3 Bad recipient address syntax
C: RCPT TO:<bob@example.test> NOTIFY=NEVER,SUCCESS
S: 501 5.5.4 Bad NOTIFY parameter syntax
C: RCPT TO:<bob@example.test> ORCPT=foo
S: 501 5.5.4 Bad ORCPT parameter syntax
C: RCPT TO:<joe@example.test>
S: 550 5.1.1 <joe@example.test>: Recipient address rejected: User unknown in virtual mailbox table
C: RCPT TO:<joe@local.test>
S: 550 5.1.1 <joe@local.test>: Recipient address rejected: User unknown in local recipient table
C: RCPT TO:<bob@example.test> NOTIFY=SUCCESS ORCPT=rfc822;x@y.test
S: 250 2.1.5 Ok
C: DATA at once
S: 501 5.5.4 Syntax: DATA
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: .
S: 250 2.0.0 Ok: queued as ID
C: QUIT
S: 221 2.0.0 Bye
"""


def test_every_reply(suite):
    s = suite(main="smtpd_soft_error_limit = 100\n"
              "smtpd_hard_error_limit = 100\n")
    heard = []
    with Dialogue(s.ports["smtp"]) as d:
        for row in SYNTAX.splitlines():
            if row.startswith("C:"):
                d.send(row[3:] + "\r\n")
                heard.append(row)
            else:
                heard.append("S: " + re.sub(r"(?<=queued as )\w+", "ID",
                                            d.reply()))
        assert d.at_end()
    assert "\n".join(heard) + "\n" == SYNTAX


def test_what_is_announced(suite):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("EHLO client.test").splitlines() == [
            "250-mx.example.test", "250-PIPELINING", "250-SIZE 50000000",
            "250-VRFY", "250-STARTTLS", "250-ENHANCEDSTATUSCODES",
            "250-8BITMIME", "250-DSN", "250-SMTPUTF8", "250 CHUNKING"]
        assert d.ask("HELP").startswith("214 2.0.0 ")
        assert d.ask("HELP MAIL").startswith("214 2.0.0 ")


def test_chunks_tell_their_size(suite):
    s = suite()
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        d.ask("EHLO client.test")
        d.ask("MAIL FROM:<a@b.test>")
        d.ask("RCPT TO:<bob@example.test>")
        d.send("BDAT 5\r\nabc\r\n")
        assert d.reply() == "250 2.0.0 Ok: 5 bytes"
        d.send("BDAT 7 LAST\r\nabcde\r\n")
        assert re.fullmatch(r"250 2.0.0 Ok: 12 bytes queued as \w+", d.reply())
        d.ask("MAIL FROM:<a@b.test>")
        d.ask("RCPT TO:<bob@example.test>")
        assert d.ask("BDAT five LAST") == "521 5.5.4 Syntax: BDAT count [LAST]"
        assert d.at_end()
    s.wait_log(r"warning: \w+: malformed BDAT command syntax from "
               r"\S+\[127.0.0.1\]: BDAT five LAST")


def test_undeclared_utf8_is_taken_unless_told_otherwise(suite):
    """strict_smtputf8 is off by default, as senders are not all strict."""
    s = suite()
    strict = suite(main="strict_smtputf8 = yes\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        assert d.ask("MAIL FROM:<\u00e4@b.test>").startswith("250")
        assert d.ask("RCPT TO:<\u00f6@example.test>").startswith("550 5.1.1")
        assert d.ask("RCPT TO:<bob@example.test>").startswith("250")
        assert d.ask("DATA").startswith("354")
        assert d.ask("Subject: x\r\n\r\n.").startswith("250")
    message = s.wait_messages("bob")[0]
    assert message.startswith("Return-Path: <\u00e4@b.test>\r\n".encode())
    with Dialogue(strict.ports["smtp"]) as d:
        d.reply()
        assert d.ask("MAIL FROM:<\u00e4@b.test>") == (
            "553 5.6.7 Must declare SMTPUTF8 to send unicode address")
        assert d.ask("MAIL FROM:<a@b.test>").startswith("250")
        assert d.ask("RCPT TO:<\u00f6@example.test>").startswith("553 5.6.7")


LOG = r"""
smtpd[N]: connect from localhost[127.0.0.1]
smtpd[N]: warning: Illegal address syntax from localhost[127.0.0.1] in MAIL command: <a b@c.test>
smtpd[N]: warning: Illegal address syntax from localhost[127.0.0.1] in RCPT command: <>
smtpd[N]: NOQUEUE: reject: RCPT from localhost[127.0.0.1]: 550 5.1.1 <joe@example.test>: Recipient address rejected: User unknown in virtual mailbox table; from=<a@b.test> to=<joe@example.test> proto=ESMTP helo=<client.test>
smtpd[N]: NOQUEUE: warn: RCPT from localhost[127.0.0.1]: of carol; from=<a@b.test> to=<carol@example.test> proto=ESMTP helo=<client.test>
smtpd[N]: ID: client=localhost[127.0.0.1]
smtpd[N]: disconnect from localhost[127.0.0.1] ehlo=1 mail=1/2 rcpt=1/3 data=1 quit=1 unknown=0/1 commands=5/9
cleanup[N]: ID: message-id=<NUMBER.ID@mx.example.test>
qmgr[N]: ID: from=<a@b.test>, size=N, nrcpt=1 (queue active)
qmgr[N]: ID: removed
virtual[N]: ID: to=<carol@example.test>, relay=virtual, delay=T, delays=T/T/T/T, dsn=2.0.0, status=sent (delivered to maildir)
"""


def plain(line, queue_id):
    """A log line without what differs from day to day."""
    line = re.sub(r"^\w+ +\d+ [\d:]+ \S+ posthaste/", "", line)
    line = re.sub(r"\[\d+\]: ", "[N]: ", line, 1)
    line = line.replace(queue_id, "ID").replace("\\", "")
    line = re.sub(r"(?<=size=)\d+", "N", line)
    line = re.sub(r"message-id=<\d{14}\.", "message-id=<NUMBER.", line)
    return re.sub(r"delay=[\d.]+, delays=[\d.]+(/[\d.]+){3}",
                  "delay=T, delays=T/T/T/T", line)


def test_every_log_line(suite):
    s = suite(main="smtpd_recipient_restrictions = check_recipient_access "
              "inline:{{carol@example.test=WARN of carol}}\n")
    with Dialogue(s.ports["smtp"]) as d:
        d.reply()
        for line in ("EHLO client.test", "MAIL FROM:<a b@c.test>",
                     "MAIL FROM:<a@b.test>", "RCPT TO:<>",
                     "RCPT TO:<joe@example.test>",
                     "RCPT TO:<carol@example.test>", "DATA"):
            d.ask(line)
        queue_id = re.search("queued as (.*)",
                             d.ask("Subject: x\r\n\r\nx\r\n."))[1]
        d.ask("FOO")
        d.ask("QUIT")
    want = sorted(LOG.strip().splitlines())

    def lines():
        return sorted(plain(line, queue_id) for line in s.log().splitlines()
                      if "/master[" not in line and "/logd[" not in line)

    # of several programs, each with its own way to the file
    wait_for("all lines", lambda: len(lines()) >= len(want))
    s.wait_log(f"{queue_id}: removed")
    assert lines() == want


def test_delay_counts_from_the_first_recipient(suite):
    """The first of "delays=" is the time before the queue, sending included."""
    s = suite(main="smtpd_data_restrictions = sleep 1\n")
    s.send()
    delay, before = s.wait_log(r"to=<bob@example.test>, relay=virtual, "
                               r"delay=([\d.]+), delays=([\d.]+)/").groups()
    assert float(delay) >= 1 and 1 <= float(before) < 60


def test_log_under_another_name(suite):
    s = suite(main="syslog_name = postfix\n")
    s.send()
    s.wait_log(r"^\w+ +\d+ [\d:]+ \S+ postfix/smtpd\[\d+\]: connect from ")
    s.wait_log(r" postfix/virtual\[\d+\]: \w+: to=<bob@example.test>, ")
    assert " posthaste/" not in s.log()
