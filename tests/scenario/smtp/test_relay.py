# SPDX-License-Identifier: ISC
"""Mail goes out to other servers: what is said, and what is answered."""
import re
import socket

import pytest

from peers import FakeServer, Server


def relay(sink, **settings):
    """main.cf for all foreign mail to this server."""
    lines = {"relayhost": f"[127.0.0.1]:{sink.port}",
             "smtp_tls_security_level": "none",
             "minimal_backoff_time": "1s", "queue_run_delay": "1s",
             **settings}
    return "".join(f"{k} = {v}\n" for k, v in lines.items())


def commands(sink):
    """Verbs the server heard, in order."""
    return [c.split(" ")[0].split(":")[0].upper() for c in sink.commands]


def test_message_reaches_a_relayhost(suite):
    with FakeServer() as sink:
        s = suite(main=relay(sink))
        qid = s.send(to="x@remote.test", body="Hello\r\n.dot\r\n")
        (sender, recipients, content), = sink.wait()
        assert sender.startswith("MAIL FROM:<alice@example.test> SIZE=")
        assert recipients == ["RCPT TO:<x@remote.test>"]
        assert content.endswith(b"\r\n\r\nHello\r\n..dot\r\n")
        s.wait_empty()
        s.wait_log(rf"smtp\[\d+\]: {qid}: to=<x@remote.test>, "
                   rf"relay=127.0.0.1\[127.0.0.1\]:{sink.port}, delay=[\d.]+, "
                   r"delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2.0.0, "
                   r"status=sent \(250 2.0.0 Ok\)")


def test_helo_where_ehlo_is_unknown(suite):
    with FakeServer(replies={"EHLO": "502 5.5.2 what"}) as sink:
        s = suite(main=relay(sink))
        s.send(to="x@remote.test")
        (sender, _, _), = sink.wait()
        assert sender == "MAIL FROM:<alice@example.test>"
        assert commands(sink)[:2] == ["EHLO", "HELO"]


@pytest.mark.parametrize("extensions", [("PIPELINING",), ()])
def test_recipients_fare_each_for_itself(suite, extensions):
    def rcpt(line):
        return {"b": "550 5.1.1 no such user", "c": "450 4.2.0 later"}.get(
            line.split("<")[1][0], "250 2.1.5 Ok")

    with FakeServer(extensions, replies={"RCPT": rcpt}) as sink:
        s = suite(main=relay(sink))
        qid = s.send(to=[f"{u}@remote.test" for u in "abcd"])
        (_, recipients, _), = sink.wait()
        assert recipients == ["RCPT TO:<a@remote.test>",
                              "RCPT TO:<d@remote.test>"]
        s.wait_log(rf"{qid}: to=<b@remote.test>, .*dsn=5.1.1, status=bounced "
                   r"\(host 127.0.0.1\[127.0.0.1\] said: 550 5.1.1 no such "
                   r"user \(in reply to RCPT TO command\)\)")
        s.wait_log(rf"{qid}: to=<c@remote.test>, .*dsn=4.2.0, status=deferred")
        for user in "ad":
            s.wait_log(rf"{qid}: to=<{user}@remote.test>, .*status=sent")


def test_pipelined_commands_come_together(suite):
    heard = []

    def handle(connection):
        def read():
            data = connection.recv(65536)
            heard.append(data)
            return data

        connection.sendall(b"220 fake ESMTP\r\n")
        assert read().startswith(b"EHLO ")
        connection.sendall(b"250-fake\r\n250 PIPELINING\r\n")
        read()
        connection.sendall(b"250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n")
        data = b""
        while not data.endswith(b"\r\n.\r\n"):
            data += connection.recv(65536)
        connection.sendall(b"250 done\r\n")
        connection.recv(100)

    with Server(handle) as server:
        s = suite(main=relay(server))
        s.send(to=["a@remote.test", "b@remote.test"])
        s.wait_log("to=<b@remote.test>.*status=sent")
        assert heard[1] == (b"MAIL FROM:<alice@example.test>\r\n"
                            b"RCPT TO:<a@remote.test>\r\n"
                            b"RCPT TO:<b@remote.test>\r\nDATA\r\n")


@pytest.mark.parametrize("verb, reply, dsn, status", [
    ("MAIL", "550 5.7.1 not you", "5.7.1", "bounced"),
    ("MAIL", "451 4.7.1 not now", "4.7.1", "deferred"),
    ("MAIL", "550 plain", "5.0.0", "bounced"),
    ("MAIL", "550 2.0.0 odd", "5.0.0", "bounced"),
    ("RCPT", "552 5.2.2 too many", "4.2.2", "deferred"),
    ("RCPT", "354 what", "4.5.0", "deferred"),
    ("DATA", "554 5.6.0 not this", "5.6.0", "bounced"),
    ("DATA", "250 2.0.0 Ok", "4.5.0", "deferred"),
    (".", "554 5.7.1 spam", "5.7.1", "bounced"),
    (".", "451 4.3.0 disk", "4.3.0", "deferred"),
    (".", "421 4.3.2 going down", "4.3.2", "deferred"),
])
def test_refusals_are_told_apart(suite, verb, reply, dsn, status):
    with FakeServer(replies={verb: [reply]}) as sink:
        s = suite(main=relay(sink))
        qid = s.send(to="x@remote.test")
        s.wait_log(rf"{qid}: to=<x@remote.test>, .*dsn={dsn}, "
                   rf"status={status} \(host .* said: {reply[:3]}")
        # the connection's state is clean: the next message goes through
        s.send(to="y@remote.test")
        sink.wait()
        assert sink.messages[0][1] == ["RCPT TO:<y@remote.test>"]


def test_greylisted_mail_goes_at_the_next_attempt(suite):
    with FakeServer(replies={"RCPT": ["450 4.2.0 greylisted"]}) as sink:
        s = suite(main=relay(sink))
        qid = s.send(to="x@remote.test")
        s.wait_log(rf"{qid}: .*status=deferred .*greylisted")
        sink.wait()
        s.wait_empty()


def test_connection_is_used_again(suite):
    with FakeServer() as sink:
        s = suite(main=relay(sink, smtp_connection_cache_time_limit="100s"))
        with s.smtp() as session:
            for i in range(3):
                s.send_on(session, "alice@example.test", ["x@remote.test"],
                          f"Subject: {i}\r\n\r\nx\r\n")
                sink.wait(i + 1)
                s.wait_log("status=sent" if i == 0 else
                           rf"conn_use={i + 1}, delay=.*status=sent")
        assert sink.connections == 1


def test_unused_connection_is_ended_with_quit(suite):
    with FakeServer() as sink:
        s = suite(main=relay(sink, smtp_connection_cache_time_limit="1s"))
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log("status=sent")
        from posthaste import wait_for
        wait_for("QUIT", lambda: commands(sink)[-1] == "QUIT")


def test_connection_that_died_meanwhile_costs_no_delivery(suite):
    with FakeServer(replies={".": ["250 2.0.0 first", "250 2.0.0 second"]}) \
            as sink:
        s = suite(main=relay(sink, smtp_connection_cache_time_limit="100s"))
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log("status=sent .250 2.0.0 first")
        # the server drops the connection when it is used again
        sink.replies["MAIL"] = [None]
        s.send(to="y@remote.test")
        sink.wait(2)
        s.wait_log("to=<y@remote.test>.*status=sent .250 2.0.0 second")
        assert sink.connections == 2
        assert "status=deferred" not in s.log()


def test_no_second_copy_when_the_answer_is_lost(suite, dns):
    names = dns({("twice.test", "MX"): [(1, "a.twice.test"),
                                        (2, "b.twice.test")],
                 ("a.twice.test", "A"): ["127.0.0.1"],
                 ("b.twice.test", "A"): ["127.0.0.2"]})
    with FakeServer(replies={".": None}) as first, \
            FakeServer(port=first.port, host="127.0.0.2") as second:
        s = suite(dns=names, main=f"smtp_tcp_port = {first.port}\n")
        qid = s.send(to="x@twice.test")
        s.wait_log(rf"{qid}: .*relay=a.twice.test\[127.0.0.1\]:\d+, .*"
                   r"dsn=4.4.2, status=deferred \(lost connection with .* "
                   r"while sending end of data -- message may be sent more "
                   r"than once\)")
        assert second.connections == 0


def test_message_too_large_for_the_server(suite):
    with FakeServer(("SIZE 500",)) as sink:
        s = suite(main=relay(sink))
        qid = s.send(to="x@remote.test", body="x" * 70 + "\r\n" * 600)
        s.wait_log(rf"{qid}: .*dsn=5.3.4, status=bounced \(message size \d+ "
                   r"exceeds size limit 500 of server ")
        assert not sink.messages


def test_dsn_parameters_are_passed_on(suite):
    with FakeServer(("DSN",)) as sink:
        s = suite(main=relay(sink))
        with s.smtp() as session:
            session.ehlo()
            session.mail("alice@example.test", ["RET=HDRS", "ENVID=a+2Bb"])
            session.rcpt("x@remote.test", [
                "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x+2By@remote.test"])
            session.data("Subject: x\r\n\r\nx\r\n")
        (sender, recipients, _), = sink.wait()
        assert "ENVID=a+2Bb" in sender and "RET=HDRS" in sender
        assert recipients == ["RCPT TO:<x@remote.test> NOTIFY=SUCCESS,FAILURE "
                              "ORCPT=rfc822;x+2By@remote.test"]


def test_dsn_parameters_stay_where_they_are_not_known(suite):
    with FakeServer(()) as sink:
        s = suite(main=relay(sink))
        with s.smtp() as session:
            session.ehlo()
            session.mail("alice@example.test", ["RET=HDRS", "ENVID=a"])
            session.rcpt("x@remote.test", ["NOTIFY=FAILURE"])
            session.data("Subject: x\r\n\r\nx\r\n")
        (sender, recipients, _), = sink.wait()
        assert sender == "MAIL FROM:<alice@example.test>"
        assert recipients == ["RCPT TO:<x@remote.test>"]


def test_long_lines_and_bare_line_ends_never_leave(suite):
    with FakeServer() as sink:
        s = suite(main=relay(sink) + "smtpd_forbid_bare_newline = no\n"
                  "smtpd_forbid_bare_newline_exclusions = $mynetworks\n")
        with s.smtp() as session:
            session.ehlo()
            session.mail("alice@example.test")
            session.rcpt("x@remote.test")
            session.putcmd("data")
            session.getreply()
            session.send(b"Subject: x\r\n\r\n" + b"y" * 3000 +
                         b"\r\nbare\nlf\n.\ncr\rend\r\n.\r\n")
            assert session.getreply()[0] == 250
        (_, _, content), = sink.wait()
        assert content.replace(b"\r\n", b"").count(b"\r") == 0
        assert content.replace(b"\r\n", b"").count(b"\n") == 0
        lines = content.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        body = content.split(b"\r\n\r\n", 1)[1]
        assert body.replace(b"\r\n ", b"").startswith(b"y" * 3000 + b"\r\n")
        assert b"\r\nlf\r\n..\r\ncr" in body


def test_fallback_relay_takes_what_cannot_be_reached(suite):
    with socket.socket() as closed, FakeServer() as sink:
        closed.bind(("127.0.0.1", 0))
        s = suite(main=f"relayhost = [127.0.0.1]:{closed.getsockname()[1]}\n"
                  f"smtp_fallback_relay = [127.0.0.1]:{sink.port}\n")
        s.send(to="x@remote.test")
        sink.wait()
        s.wait_log("connect to 127.0.0.1.*Connection refused")
        s.wait_log("status=sent")


def test_a_slip_in_the_fallback_hides_nothing(suite):
    """It is warned of, and the log says why no server took the mail."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        s = suite(main=f"relayhost = [127.0.0.1]:{closed.getsockname()[1]}\n"
                  "smtp_fallback_relay = [relay.test\n")
        s.send(to="x@remote.test")
        s.wait_log(r"to=<x@remote\.test>.*status=")
    assert re.search(r"dsn=4\.4\.1, status=deferred .connect to .*refused",
                     s.log())
    assert re.search(r'smtp_fallback_relay: "\[relay\.test" is no valid',
                     s.log())


def knows_ssmtp():
    try:
        return socket.getservbyname("ssmtp", "tcp") == 465
    except OSError:
        return False


@pytest.mark.skipif(not knows_ssmtp(), reason="no ssmtp in /etc/services")
def test_names_of_ports(suite):
    """Those of services(5), and those of mail in any case: what check lets
    pass is what smtp knows."""
    table = "inline:{a.test=smtp:[127.0.0.1]:LMTP}"
    s = suite(main=f"relayhost = [127.0.0.1]:ssmtp\ntransport_maps = {table}\n"
              "smtp_fallback_relay = [127.0.0.1]:Submissions\n")
    assert "next hop" not in s.posthaste("check").err
    s.send(to="x@remote.test")
    s.send(to="x@a.test")
    for port in (465, 24):
        s.wait_log(rf"connect to 127\.0\.0\.1\S*:{port}: Connection refused")
    assert "no valid destination" not in s.log()


def test_utf8_address_needs_a_server_that_takes_it(suite):
    with FakeServer(("8BITMIME",)) as old, \
            FakeServer(("8BITMIME", "SMTPUTF8")) as new:
        s = suite(main=relay(old) +
                  "transport_maps = inline:{new.test=smtp:[127.0.0.1]:%d}\n"
                  % new.port)
        for domain in ("old.test", "new.test"):
            with s.smtp() as session:
                session.ehlo()
                session.command_encoding = "utf-8"
                assert session.mail("alice@example.test",
                                    ["SMTPUTF8", "BODY=8BITMIME"])[0] == 250
                assert session.rcpt(f"jörg@{domain}")[0] == 250
                assert session.data("Subject: jörg\r\n\r\nx\r\n"
                                    .encode())[0] == 250
        (sender, recipients, _), = new.wait()
        assert "SMTPUTF8" in sender
        assert recipients == ["RCPT TO:<jörg@new.test>"]
        s.wait_log("dsn=5.6.7, status=bounced .SMTPUTF8 is required, but was "
                   "not offered by host")
        assert not old.messages


def test_a_slip_in_a_table_bounces_nothing(suite):
    s = suite(start=False)
    table = s.write("transport", "remote.test smtp:[smtp.example.test\n")
    s.set(transport_maps=f"texthash:{table}")
    s.start()
    s.send(to="a@remote.test")
    s.wait_log(r'to=<a@remote\.test>.*dsn=4\.3\.5, status=deferred .*'
               r'"\[smtp\.example\.test" is no valid destination')
    assert "is where a setting or a table sends mail" in s.log()
