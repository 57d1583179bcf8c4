# SPDX-License-Identifier: ISC
"""smtp_generic_maps: names of inside become names of outside as mail leaves."""
import pytest

from peers import FakeServer

TABLE = ("joe@inside.test joe.smith@public.test\n"
         "ann@inside.test \"Ann M\"@public.test\n"
         "plain@local.test boss@public.test\n"
         "site boss2@public.test\n"
         "@other.inside.test @public.test\n"
         "tag@inside.test tagged@public.test\n")


def relay(suite, sink, main="", **settings):
    s = suite(start=False, main=f"relayhost = [127.0.0.1]:{sink.port}\n" + main)
    table = s.write("generic", TABLE)
    s.set(**{"smtp_generic_maps": f"hash:{table}", **settings})
    if settings.get("smtp_generic_maps", "x"):
        s.command("postmap", table)
    return s.start()


def arrived(sink):
    (sender, recipients, content), = sink.wait()
    header, body = content.decode().split("\r\n\r\n", 1)
    return sender, recipients, header, body


def test_envelope_and_header_are_rewritten(suite):
    with FakeServer() as sink:
        s = relay(suite, sink)
        text = ("From: Joe <joe@inside.test>\r\n"
                "To: \"x, y\" <a@remote.test>, ann@inside.test (Ann),\r\n"
                "\tlist:one@other.inside.test, site@local.test;\r\n"
                "Subject: joe@inside.test\r\n"
                "X-Other: joe@inside.test\r\n"
                "Reply-To: JOE@Inside.test\r\n\r\n"
                "From: joe@inside.test\r\n")
        with s.smtp() as session:
            qid = s.send_on(session, "joe@inside.test",
                            ["a@remote.test", "one@other.inside.test"], text)
        sender, recipients, header, body = arrived(sink)
        assert sender.startswith("MAIL FROM:<joe.smith@public.test>")
        assert recipients == ["RCPT TO:<a@remote.test>",
                              "RCPT TO:<one@public.test>"]
        assert "From: Joe <joe.smith@public.test>\r\n" in header
        assert ('To: "x, y" <a@remote.test>, "Ann M"@public.test (Ann),\r\n'
                "\tlist:one@public.test, boss2@public.test;\r\n") in header
        assert "Reply-To: joe.smith@public.test" in header
        # what is no address field, and the body, stay
        assert "Subject: joe@inside.test\r\n" in header
        assert "X-Other: joe@inside.test\r\n" in header
        assert body == "From: joe@inside.test\r\n"
        # the log tells of the addresses of the queue
        s.wait_log(rf"{qid}: to=<one@other.inside.test>, .*status=sent")


def test_extension_is_left_out_and_goes_along_where_told_so(suite):
    for setting, want in (("canonical, virtual", "tagged@public.test"),
                          ("generic", "tagged+ext@public.test")):
        with FakeServer() as sink:
            s = relay(suite, sink, propagate_unmatched_extensions=setting)
            s.send(to="a@remote.test", sender="tag+ext@inside.test")
            sender, _, header, _ = arrived(sink)
            assert sender.startswith(f"MAIL FROM:<{want}>")
            assert f"From: {want}" in header


def test_local_delivery_and_reports_keep_the_names(suite):
    with FakeServer(replies={"RCPT": "550 5.1.1 no"}) as sink:
        s = suite(start=False, main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "smtp_generic_maps = inline:{bob@example.test="
                  "outside@public.test}\n")
        s.start()
        s.send(to="x@remote.test", sender="bob@example.test")
        report, = s.wait_messages("bob")
        assert "MAIL FROM:<outside@public.test> SIZE" in sink.commands[1]
        assert b"From: bob@example.test" in report
        assert b"outside@" not in report


def test_a_service_may_have_its_own(suite):
    with FakeServer() as sink:
        s = suite(start=False, main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                  "default_transport = outward\n",
                  master="outward unix - - n - - smtp\n"
                  "  -o { smtp_generic_maps = inline:{bob@example.test="
                  "outside@public.test} }\n")
        s.start()
        s.send(to="x@remote.test", sender="bob@example.test")
        sender, _, header, _ = arrived(sink)
        assert sender.startswith("MAIL FROM:<outside@public.test>")
        assert "From: outside@public.test" in header


def test_a_table_that_fails_defers_before_a_word_is_said(suite):
    with FakeServer() as sink:
        s = relay(suite, sink, smtp_generic_maps="fail:down")
        qid = s.send(to="a@remote.test")
        s.wait_log(rf"{qid}: to=<a@remote.test>, relay=none, .*dsn=4.3.0, "
                   r"status=deferred \(smtp_generic_maps lookup error\)")
        assert sink.connections == 0


def test_rewriting_and_conversion_to_7bit_go_together(suite):
    with FakeServer(("PIPELINING",)) as sink:
        s = relay(suite, sink)
        with s.smtp() as session:
            session.ehlo()
            session.mail("joe@inside.test", ["BODY=8BITMIME"])
            session.rcpt("a@remote.test")
            session.data("From: joe@inside.test\r\nSubject: Käse\r\n\r\n"
                         "Grüße\r\n".encode())
        _, _, header, body = arrived(sink)
        assert "From: joe.smith@public.test\r\n" in header
        assert "Subject: =?" in header
        assert "quoted-printable" in header
        assert body == "Gr=C3=BC=C3=9Fe\r\n"


@pytest.mark.parametrize("count", [499, 500, 501, 1700])
def test_many_addresses(suite, count):
    with FakeServer() as sink:
        s = relay(suite, sink)
        to = ",\r\n ".join(f"n{i}@other.inside.test" for i in range(count))
        with s.smtp() as session:
            s.send_on(session, "alice@example.test", ["a@remote.test"],
                      f"From: alice@example.test\r\nTo: {to}\r\n\r\nx\r\n")
        _, _, header, _ = arrived(sink)
        assert ",\r\n ".join(f"n{i}@public.test" for i in range(count)) \
            in header
        assert "inside" not in header


def test_a_long_header_field_is_rewritten_whole(suite):
    """Longer than one part of what is read at a time."""
    with FakeServer() as sink:
        s = relay(suite, sink, main="header_size_limit = 400000\n")
        to = ",\r\n ".join(f"n{i}@other.inside.test" for i in range(9000))
        with s.smtp() as session:
            s.send_on(session, "alice@example.test", ["a@remote.test"],
                      f"X-Pad: {'x' * 900}\r\nTo: {to}\r\n"
                      "Cc: joe@inside.test\r\n\r\nTo: joe@inside.test\r\n")
        _, _, header, body = arrived(sink)
        assert header.count("@public.test") == 9001
        assert "inside" not in header
        assert body == "To: joe@inside.test\r\n"


def test_lmtp_has_a_setting_of_its_own(suite):
    with FakeServer(lmtp=True) as sink:
        s = relay(suite, sink, relay_domains="store.test",
                  relay_transport=f"lmtp:inet:127.0.0.1:{sink.port}",
                  lmtp_generic_maps="inline:{bob@store.test=b@public.test}")
        s.send(to="bob@store.test", sender="joe@inside.test")
        sender, recipients, _, _ = arrived(sink)
        assert sender.startswith("MAIL FROM:<joe@inside.test>")
        assert recipients == ["RCPT TO:<b@public.test>"]


def test_each_of_many_services_has_tables_of_its_own(suite):
    many = 20
    with FakeServer() as sink:
        s = suite(
            main="transport_maps = inline:{" + ", ".join(
                f"to{n}.test=out{n}:[127.0.0.1]:{sink.port}"
                for n in range(many)) + "}\n",
            master="".join(
                f"out{n} unix - - n - - smtp -o smtp_generic_maps="
                f"inline:{{alice@example.test=name{n}@public.test}}\n"
                for n in range(many)))
        for again in range(2):
            for n in range(many):
                s.send(to=f"x@to{n}.test")
        senders = sorted(m[0].split()[1] for m in sink.wait(2 * many))
        assert senders == sorted(
            2 * [f"FROM:<name{n}@public.test>" for n in range(many)])
