# SPDX-License-Identifier: ISC
"""Reports on internationalized mail take the global forms (RFC 6533)."""
from peers import FakeServer


def test_smtputf8_report(suite):
    replies = {"RCPT": "550 5.1.1 unknown"}
    with FakeServer(replies=replies,
                    extensions=("SMTPUTF8", "8BITMIME")) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n")
        with s.smtp() as session:
            session.ehlo()
            session.sendmail("bob@example.test", ["jörg@relay.test"],
                             "Subject: grüße\r\n\r\nbody\r\n".encode(),
                             mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        (raw,) = s.wait_messages("bob")
        text = raw.decode()
        assert "Content-Type: message/global-delivery-status\r\n" in text
        assert "Content-Type: message/global\r\n" in text
        assert "Final-Recipient: utf-8; jörg@relay.test\r\n" in text
        assert "Subject: grüße\r\n" in text
        s.wait_empty()
