# SPDX-License-Identifier: ISC
"""Logins that are begun and never ended leave nothing behind: CVE-2017-15132."""

import pytest
from posthaste import does_not_leak, wait_for

MAIN = "disable_plaintext_auth = no\n"


def abort(s, count):
    """In each way there is."""
    for n in range(count):
        c = s.imap(user=None)
        c.send("a AUTHENTICATE PLAIN\r\n")
        assert c.line().startswith(b"+")
        if n % 4 == 0:
            c.send("*\r\nb AUTHENTICATE LOGIN\r\n")
            assert c.line().startswith(b"a BAD")
            assert c.line().startswith(b"+")
            c.send("Ym9i\r\n")
            assert c.line().startswith(b"+")
        elif n % 4 == 1:
            c.send("A" * 3000)
        elif n % 4 == 2:
            c.send("====\r\n")
            assert c.line()[:4] in (b"a NO", b"a BA")
        c.close()


@pytest.mark.unsanitized
def test_cost_no_memory(suite):
    s = suite(main=MAIN)
    does_not_leak(s, ("imapd", "auth"), lambda count: abort(s, count), 800)
    wait_for("room", lambda: s.imap()).logout()
