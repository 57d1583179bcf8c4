# SPDX-License-Identifier: ISC
"""Eight-bit content on its way to a server that knows only seven."""
import email
import email.policy

import pytest

from peers import FakeServer

OLD = ("PIPELINING", "SIZE 0")


def send(s, text, to="x@remote.test"):
    with s.smtp() as session:
        session.ehlo()
        assert session.mail("alice@example.test", ["BODY=8BITMIME"])[0] == 250
        assert session.rcpt(to)[0] == 250
        code, reply = session.data(text)
        assert code == 250, reply
        return reply.decode().rsplit(" ", 1)[1]


def arrived(sink):
    (_, _, content), = sink.wait()
    assert all(b < 128 for b in content), "8-bit bytes were sent"
    assert max(map(len, content.split(b"\r\n"))) <= 998
    return email.message_from_bytes(content.replace(b"\r\n..", b"\r\n."),
                                    policy=email.policy.SMTP)


def test_plain_text(suite):
    with FakeServer(OLD) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        send(s, "From: a@example.test\r\nSubject: x\r\n\r\n"
             "Grüße = \r\n.Punkt \r\n".encode())
        m = arrived(sink)
        assert m.get_content() == "Grüße = \r\n.Punkt \r\n"
        assert m["Content-Transfer-Encoding"] == "quoted-printable"
        assert m["MIME-Version"] == "1.0"


def test_parts_and_attachments(suite):
    blob = bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") * 20
    text = (b"From: =?utf-8?q?a?= <a@example.test>\r\n"
            + "Subject: Käse\r\n".encode() +
            b"MIME-Version: 1.0\r\n"
            b"Content-Type: multipart/mixed; boundary=outer\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            b"--outer\r\nContent-Type: text/plain; charset=iso-8859-1\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\nna\xefve\r\n"
            b"--outer\r\nContent-Type: application/x-blob\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            + blob.replace(b"\x00", b"") + b"\r\n"
            b"--outer\r\nContent-Type: message/rfc822\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n"
            b"Subject: in\r\n\r\n" + "über\r\n".encode() +
            b"--outer--\r\n")
    with FakeServer(OLD) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        send(s, text)
        m = arrived(sink)
        assert m["Subject"] == "Käse"
        one, two, three = m.iter_parts()
        assert one.get_content().strip() == "naïve"
        assert two.get_content() == blob.replace(b"\x00", b"")
        assert three.get_content().get_content().strip() == "über"


def test_server_with_8bitmime_gets_it_as_it_is(suite):
    with FakeServer(("8BITMIME",)) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        send(s, "Subject: x\r\n\r\nGrüße\r\n".encode())
        (sender, _, content), = sink.wait()
        assert "BODY=8BITMIME" in sender
        assert "Grüße".encode() in content


@pytest.mark.parametrize("header, why", [
    ("Content-Type: multipart/signed; boundary=b", "under a signature"),
    ("To: jörg@x.test\r\nContent-Type: multipart/mixed; boundary=b",
     "structured header field"),
])
def test_report_where_it_cannot_be_converted(suite, header, why):
    with FakeServer(OLD) as sink:
        s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n")
        send(s, (f"From: a@example.test\r\n{header}\r\n\r\n"
                 "--b\r\n\r\nGrüße\r\n--b--\r\n").encode())
        s.wait_log(rf"dsn=5.6.3, status=bounced \(host .* does not accept "
                   rf"8-bit content, and it cannot be converted: .*{why}")
        assert not sink.messages
