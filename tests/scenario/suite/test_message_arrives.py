# SPDX-License-Identifier: ISC
"""The main job: a message comes in by SMTP and is read by POP3."""


def test_message_from_stranger_is_read_by_pop3(suite):
    s = suite()
    queue_id = s.send(to="bob@example.test", body="Line one\r\nLine two\r\n")
    (message,) = s.wait_messages("bob")
    assert message.endswith(b"\r\n\r\nLine one\r\nLine two\r\n")
    assert b"Delivered-To: bob@example.test\r\n" in message
    assert queue_id.encode() in message
    s.wait_empty()
    p = s.pop3("bob@example.test")
    _, lines, _ = p.retr(1)
    assert b"\r\n".join(lines) + b"\r\n" == message
    p.quit()


def test_message_through_submission_needs_login(suite):
    s = suite()
    s.send(port="submission", tls=True, login="alice@example.test")
    s.send(port="smtps", login="alice")
    assert len(s.wait_messages("bob", 2)) == 2
