# SPDX-License-Identifier: ISC
"""LMTP: an answer for each recipient."""
from peers import FakeServer


def test_each_recipient_has_its_answer(suite):
    with FakeServer(lmtp=True, replies={
            ".": ["250 2.1.5 first", "452 4.2.2 full", "550 5.2.0 gone"]}) \
            as store:
        s = suite(main="relay_domains = store.test\n"
                  f"relay_transport = lmtp:inet:127.0.0.1:{store.port}\n")
        qid = s.send(to=[f"{u}@store.test" for u in "abc"])
        s.wait_log(rf"lmtp\[\d+\]: {qid}: to=<a@store.test>, .*"
                   "status=sent .250 2.1.5 first")
        s.wait_log(rf"{qid}: to=<b@store.test>, .*dsn=4.2.2, "
                   "status=deferred .*said: 452 4.2.2 full .in reply to end "
                   "of DATA command")
        s.wait_log(rf"{qid}: to=<c@store.test>, .*dsn=5.2.0, status=bounced")
        assert store.commands[0] == "LHLO mx.example.test"
        assert len(store.messages) == 1


def test_mail_waits_for_a_store_that_is_down(suite):
    s = suite(main="relay_domains = store.test\n"
              "relay_transport = lmtp:inet:127.0.0.1:9\n")
    s.send(to="a@store.test")
    s.wait_log("dsn=4.4.1, status=deferred .connect to 127.0.0.1"
               r"\[127.0.0.1\]:9: Connection refused")
