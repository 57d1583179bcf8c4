# SPDX-License-Identifier: ISC
"""alpine on a terminal: reads, saves, deletes, and leaves."""
from imap_people import look, message
from terminal import Terminal

PINERC = """\
inbox-path={far}INBOX
folder-collections=Mail {far}[]
user-domain=example.test
personal-name=Bob
feature-list=quit-without-confirm,expunge-without-confirm,
    expunge-without-confirm-everywhere,quell-folder-internal-msg
last-version-used=9.99
sort-key=Arrival
new-version-threshold=99
"""


def test_a_session(suite, tmp_path):
    s = suite()
    c = s.imap(tls="implicit")
    for n in range(1, 5):
        c.append("INBOX", message(f"number {n}", f"Body of {n}\r\n"))
    rc = tmp_path / "pinerc"
    rc.write_text(PINERC.format(
        far=f"{{localhost:{s.ports['imaps']}/ssl/novalidate-cert/user=bob}}"))
    t = Terminal(["alpine", "-p", str(rc), "-i"], tmp_path,
                 {"TERM": "xterm", "HOME": str(tmp_path),
                  "LC_ALL": "C.UTF-8"})
    t.until("PASSWORD").keys("posthaste\r").until("next login").keys("n")
    t.until("number 4").keys("1").keys("\r")
    t.keys("\r").until("Body of 1").keys("d").until("Body of 2")
    t.keys("s").until("SAVE").keys("Kept").keys("\r").until("N No")
    t.answer("y", "DEL")
    t.keys("q")
    t.end()
    assert set(look(s, "Kept")) == {"number 2"}
    assert set(look(s)) == {"number 3", "number 4"}
