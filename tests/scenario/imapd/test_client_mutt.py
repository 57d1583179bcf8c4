# SPDX-License-Identifier: ISC
"""mutt reads, files, flags and deletes over IMAP; with a header cache it comes
back by what it knew, with QRESYNC and without."""
import shutil

import pytest
from imap_people import WIRE, look, message
from terminal import on_terminal

RC = """\
set certificate_file={root}/etc/cert.pem
set ssl_force_tls=yes
set ssl_verify_host=no
set ssl_verify_dates=no
set imap_user=bob
set imap_pass=posthaste
set folder=imaps://localhost:{port}/
set spoolfile=+INBOX
set confirmcreate=no
set confirmappend=no
set delete=yes
set quit=yes
set move=no
set copy=no
set mark_old=no
set resolve=no
set timeout=5
set sleep_time=0
set wait_key=no
set record=''
set imap_check_subscribed=no
set imap_condstore={condstore}
set imap_qresync={qresync}
set header_cache='{cache}'
"""


@pytest.fixture(params=["plain", "cache", "condstore", "qresync"])
def mutt(suite, tmp_path, request):
    if not shutil.which("mutt"):
        pytest.skip("mutt is not installed")
    s = suite()
    cache = tmp_path / "cache"
    if request.param != "plain":
        cache.mkdir()

    def run(keys, folder="INBOX"):
        rc = tmp_path / "muttrc"
        rc.write_text(RC.format(
            root=s.root, port=s.ports["imaps"],
            cache=cache if request.param != "plain" else "",
            condstore="yes" if request.param == "condstore" else "no",
            qresync="yes" if request.param == "qresync" else "no") +
            f"push '{keys}'\n")
        return on_terminal(
            ["mutt", "-n", "-F", str(rc), "-f",
             f"imaps://localhost:{s.ports['imaps']}/{folder}"],
            tmp_path, {"TERM": "xterm", "HOME": str(tmp_path),
                       "LC_ALL": "C.UTF-8"}, timeout=300)

    run.suite = s
    return run


def test_a_mailbox_over_days(mutt):
    s = mutt.suite
    c = s.imap(tls="implicit")
    c.ok(f'CREATE "{WIRE}"')
    for n in range(1, 6):
        c.append("INBOX", message(f"number {n}"))
    shown = mutt("<first-entry><delete-message><quit>")
    assert b"number 5" in shown
    mutt("<first-entry><flag-message><next-entry><delete-message><quit>")
    assert set(look(s)) == {"number 2", "number 4", "number 5"}
    assert "\\flagged" in look(s)["number 2"]

    # meanwhile elsewhere: one goes, one comes, one is marked
    c.ok("SELECT INBOX")
    c.ok("STORE 2 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    c.ok("STORE 1 -FLAGS (\\Flagged)")
    c.append("INBOX", message("number 6"))
    shown = mutt("<last-entry><display-message><exit>"
                 "<copy-message>=Entwürfe/日本<enter><quit>")
    assert b"number 6" in shown and b"number 4" not in shown
    assert set(look(s)) == {"number 2", "number 5", "number 6"}
    assert set(look(s, WIRE)) == {"number 6"}

    # saving moves: copied there, deleted here
    mutt("<first-entry><save-message>=Saved<enter><quit>")
    assert set(look(s)) == {"number 5", "number 6"}
    assert set(look(s, "Saved")) == {"number 2"}
