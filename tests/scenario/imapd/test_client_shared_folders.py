# SPDX-License-Identifier: ISC
"""imaplib and mbsync on a folder that somebody else shares."""
import imaplib
import ssl
import subprocess

from imap_people import message
from sharing import ALL, BOB
from test_client_imaplib import ok

MAIN = "mail_special_folders =\nmail_shared_prefix = shared\n"
CONF = """\
IMAPAccount far
Host localhost
Port {port}
User alice
Pass posthaste
SSLType IMAPS
CertificateFile {root}/etc/cert.pem

IMAPStore far
Account far

MaildirStore near
Path {near}/
Inbox {near}/INBOX

Channel work
Far ":far:{bob}/Work"
Near :near:Work
Create Near
Expunge Both
SyncState *
"""


def connect(s, user):
    context = ssl.create_default_context(cafile=str(s.root / "etc/cert.pem"))
    c = imaplib.IMAP4_SSL("localhost", s.ports["imaps"], ssl_context=context)
    c.login(user, "posthaste")
    return c


def work(suite, rights):
    s = suite(main=MAIN)
    bob = connect(s, "bob")
    ok(bob.create("Work"))
    for n in range(3):
        ok(bob.append("Work", None, None, message(f"mail {n}")))
    ok(bob.setacl("Work", "alice@example.test", rights))
    return s, bob


def test_imaplib(suite):
    s, bob = work(suite, "lrswita")
    alice = connect(s, "alice")
    assert ok(alice.namespace()) == [b'(("" "/")) (("shared/" "/")) NIL']
    name = f"{BOB}/Work"
    assert name.encode() in b"".join(ok(alice.list()))
    assert ok(alice.myrights(name)) == [f"{name} lrswitad".encode()]
    assert ok(alice.getacl(name)) == [
        f"{name} bob@example.test {ALL}cd alice@example.test lrswitad"
        .encode()]
    assert ok(alice.status(name, "(MESSAGES)")) == [
        f"{name} (MESSAGES 3)".encode()]
    assert ok(alice.select(name)) == [b"3"]
    ok(alice.store("1", "+FLAGS", r"(\Deleted)"))
    assert alice.expunge()[0] == "NO"
    ok(alice.copy("1:2", "INBOX"))
    ok(alice.subscribe(name))
    assert name.encode() in ok(alice.lsub())[0]
    ok(alice.close())
    assert ok(alice.select("INBOX")) == [b"2"]
    ok(bob.select("Work"))
    assert b"\\Deleted" in ok(bob.fetch("1", "(FLAGS)"))[0]
    assert ok(bob.expunge()) == [b"1"]
    alice.logout()
    bob.logout()


def test_mbsync(suite, tmp_path):
    s, bob = work(suite, "lrswite")
    near = tmp_path / "near"
    near.mkdir()
    rc = tmp_path / "rc"
    rc.write_text(CONF.format(port=s.ports["imaps"], root=s.root, near=near,
                              bob=BOB))

    def sync():
        done = subprocess.run(["mbsync", "-c", str(rc), "-a"],
                              capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        return [p for part in ("new", "cur")
                for p in (near / "Work" / part).iterdir()]

    files = sync()
    assert len(files) == 3
    files[0].unlink()
    files[1].rename(near / "Work/cur" /
                    (files[1].name.partition(":2,")[0] + ":2,F"))
    (near / "Work/new/mine").write_bytes(
        message("from alice").replace(b"\r\n", b"\n"))
    sync()
    assert ok(bob.select("Work")) == [b"3"]
    assert ok(bob.search(None, "FLAGGED"))[0].split() != []
    assert len(ok(bob.search(None, "SUBJECT", '"from alice"'))[0].split()) == 1
    ok(bob.append("Work", None, None, message("mail 4")))
    assert len(sync()) == 4
    bob.logout()
