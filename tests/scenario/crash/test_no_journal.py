# SPDX-License-Identifier: ISC
"""An ext4 in a file, with and without a journal, that stops: what it has on
disk when the next message has been taken is repaired by e2fsck, and each
message is there, under a name that somebody looks at."""
import os

import pytest

from device import ext4, run
from peers import FakeServer
from posthaste import is_uncut, wait_for


@pytest.fixture(params=["has_journal", "^has_journal"],
                ids=["journal", "no-journal"])
def device(request):
    with ext4(request.param) as d:
        yield d


@pytest.fixture
def site(device, suite):
    """Queue and mail on the device, which outlives the suite; far servers take
    nothing."""
    with FakeServer() as server:
        server.replies["RCPT"] = "451 4.7.1 later"
        s = suite(root=device.path, main="virtual_maildir_form = crlf\n"
                  "disable_plaintext_auth = no\nmail_flags_flush = no\n"
                  f"relayhost = [127.0.0.1]:{server.port}\n")
        s.sync = lambda: run("sync", "-f", device.path)
        # folders that are made meanwhile would be flushed with their names
        put_off(s, "before")
        deliver(s, "before")
        s.sync()
        yield s


def send(s, token, to):
    return s.send([to], subject=token, body=f"{token} " * 100)


def put_off(s, token):
    name = send(s, token, "x@far.test")
    wait_for("put off", lambda: name in s.queue("deferred"))
    return name


def deliver(s, token):
    s.wait_log(f"{send(s, token, 'bob@example.test')}: removed")


def is_there(found, token):
    body = f"{token} ".encode() * 100
    return [p for part in ("spool/incoming", "spool/deferred", "spool/hold",
                           "mail") for p in (found / part).rglob("*")
            if p.is_file() and body.strip() in p.read_bytes()]


def flush(site, folder):
    run("sync", site.root / folder)


def test_put_off(site, device):
    put_off(site, "late")
    deliver(site, "next")
    assert is_there(device.stopped(), "late")


def test_held_and_released(site, device):
    name = put_off(site, "late")
    (path,) = (site.root / "spool/deferred").rglob(name)
    site.sync()
    site.command("postsuper", "-h", name)
    flush(site, path.parent)
    assert is_there(device.stopped(), "late")
    site.sync()
    site.command("postsuper", "-H", name)
    flush(site, "spool/hold")
    assert is_there(device.stopped(), "late")


def test_moved_into_a_maildir(site, device):
    deliver(site, "moved")
    (path,) = is_there(device.stopped(), "moved")[-1:]
    assert (path.parent.name == "incoming") == device.has_journal, \
        "with a journal the rename needs no flush, and has none"
    put_off(site, "next")
    assert is_there(device.stopped(), "moved")


@pytest.mark.parametrize("feature, options", [
    ("has_journal", "loop,data=writeback"), ("^has_journal", "loop")],
    ids=["writeback", "no-journal"])
def test_moved_is_flushed_where_cuts_free_early(suite, feature, options):
    """What the cut of a moved file frees is the next file's at once: the disk has
    the new name and the cut before qmgr is told."""
    with ext4(feature, options=options) as d:
        s = suite(root=d.path, main="virtual_maildir_form = crlf\n")
        deliver(s, "early")
        path = is_there(d.stopped(), "early")[-1]  # and its old name, perhaps
        assert path.parent.name == "new"
        assert not is_uncut(path, path.read_bytes())
        s.stop()


@pytest.mark.parametrize("moved", [True, False], ids=["moved", "not-moved"])
def test_given_to_its_owner_and_not_cut(site, device, moved):
    """The power went amid a delivery: where that can leave a file both its names,
    the one in the queue goes; no other file is taken for such a one."""
    name = put_off(site, "late")
    site.stop()
    (path,) = (site.root / "spool/deferred").rglob(name)
    kept = site.maildir("bob") / "new/late"
    if moved:
        os.link(path, kept)
    whole = path.read_bytes()
    os.chmod(path, 0o660)
    os.chown(path, site.uid, -1)
    os.utime(path, (0, 0))  # it is due
    begun = f"{name}: from=<"
    before = site.log().count(begun)
    site.start()
    if moved and not device.has_journal:
        site.wait_log(f'{name}: is in a mailbox: its name in queue "deferred"')
        wait_for("its end there", lambda: not path.exists())
        assert kept.read_bytes() == whole
        assert site.log().count(begun) == before
    else:
        wait_for("another attempt", lambda: site.log().count(begun) > before)
        assert is_there(site.root, "late")
        assert "is in a mailbox" not in site.log()


def test_taken_from_new_to_cur(site, device):
    deliver(site, "taken")
    site.sync()
    session = site.pop3(tls=None)
    assert session.stat()[0] == 2
    deliver(site, "next")
    flush(site, site.maildir("bob") / "new")
    assert is_there(device.stopped(), "taken")
    session.quit()


@pytest.mark.parametrize("protocol", ["pop3", "imap"])
def test_flags(site, device, protocol):
    """Where that may cost the message both its names, they are on the disk when
    that is told."""
    deliver(site, "read")
    session = getattr(site, protocol)(tls=None)
    site.sync()
    if protocol == "imap":
        session.ok("SELECT INBOX")
        session.ok("STORE 1:* +FLAGS (\\Seen)")
    else:
        session.retr(2)
        session.quit()
    found = is_there(device.stopped(), "read")
    # the name in new may be there too, if that was not written since
    assert found
    assert device.has_journal or any(p.name.endswith("S") for p in found)
