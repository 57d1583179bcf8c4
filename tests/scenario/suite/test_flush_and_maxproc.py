# SPDX-License-Identifier: ISC
"""posthaste flush tries deferred mail; maxproc bounds a service's sessions."""
from peers import Dialogue, FakeServer
from posthaste import DEADLINE, MASTER_CF, wait_for


def test_flush_tries_deferred_mail(suite):
    with FakeServer(replies={"RCPT": ["451 4.3.0 not now"]}) as server:
        s = suite(main=f"relayhost = [127.0.0.1]:{server.port}\n"
                       "minimal_backoff_time = 1000s\n")
        s.send(to="x@relay.test")
        wait_for("a deferred message", lambda: s.queue("deferred"))
        s.posthaste("flush")
        server.wait()
        s.wait_empty()


def test_sessions_beyond_maxproc_wait_for_a_place(suite):
    master = MASTER_CF.replace("{smtp} inet n - n - 200", "{smtp} inet n - n - 2")
    s = suite(master_cf=master)
    served = [Dialogue(s.ports["smtp"]) for _ in range(2)]
    for d in served:
        assert d.reply().startswith("220")
    third = Dialogue(s.ports["smtp"])
    third.socket.settimeout(0.5)
    try:
        said = third.line()
    except TimeoutError:
        said = None
    assert said is None
    served[0].script("C: QUIT\nS: 221")
    served[0].close()
    third.socket.settimeout(DEADLINE)
    assert third.reply().startswith("220")
    for d in (served[1], third):
        d.close()
