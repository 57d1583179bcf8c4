# SPDX-License-Identifier: ISC
"""The server has the message: no table of the site's may make that unknown,
or mail is sent twice."""
import time

from peers import FakeServer
from wire_servers import Socketmap, netstring


def relay(suite, sink, **settings):
    s = suite(main=f"relayhost = [127.0.0.1]:{sink.port}\n"
                   "smtp_tls_security_level = none\n"
                   "queue_run_delay = 1s\nminimal_backoff_time = 1s\n"
                   "maximal_backoff_time = 1s\n", start=False)
    s.set(**settings)
    s.start()
    return s


def only_before_the_end(key):
    return None if "taken" in key else netstring(b"NOTFOUND ")


def test_filter_of_replies_fails_at_the_last(suite):
    with FakeServer(replies={".": "250 2.0.0 taken"}) as sink:
        filter = Socketmap(only_before_the_end)
        s = relay(suite, sink, smtp_reply_filter=filter.spec())
        s.send(to="x@remote.test")
        s.wait_log(r"status=sent \(250 2\.0\.0 taken\)")
        s.wait_empty()
        assert any("taken" in key for key in filter.asked)
        assert sink.commands.count("DATA") == 1
        filter.close()


def test_filter_of_outcomes_hangs_at_the_last(suite):
    def hang(key):
        time.sleep(60)
        return netstring(b"NOTFOUND ")

    with FakeServer(replies={".": "250 2.0.0 taken"}) as sink:
        filter = Socketmap(hang)
        s = relay(suite, sink, smtp_delivery_status_filter=filter.spec())
        begun = time.monotonic()
        s.send(to="x@remote.test")
        s.wait_log(r"status=sent \(250 2\.0\.0 taken\)")
        s.wait_empty()
        assert filter.asked
        assert time.monotonic() - begun < 30
        assert sink.commands.count("DATA") == 1
        filter.close()
