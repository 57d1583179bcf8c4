# SPDX-License-Identifier: ISC
"""A service user that was taken over leaves links where root comes by: none
of root's commands follows one (CVE-2020-28007, CVE-2020-28008,
CVE-2020-28014)."""
import os
import shutil

import pytest

from posthaste import AS_ROOT, wait_for

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="about root's commands")
COMMANDS = [("postsuper",), ("postsuper", "-p"), ("postsuper", "-s"),
            ("postsuper", "-h", "ALL"), ("postsuper", "-H", "ALL"),
            ("postsuper", "-r", "ALL"), ("postsuper", "-d", "ALL"),
            ("postsuper", "-d", "ALL", "deferred"), ("postqueue", "-p"),
            ("postqueue", "-j"), ("postqueue", "-f")]
ACTIONS = ["set-permissions", "check", "start", "status", "flush", "reload",
           "set-permissions", "stop", "start", "abort"]


def snapshot(folder):
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        st = path.lstat()
        found[str(path)] = (st.st_mode, st.st_uid, st.st_gid, st.st_size,
                            st.st_nlink, st.st_mtime_ns,
                            path.read_bytes() if path.is_file() else b"")
    return found


def places_of_others(s):
    """Directories in which somebody else than root can put what he wants."""
    for top in ("spool", "data", "log"):
        for folder, _, _ in os.walk(s.root / top):
            st = os.lstat(folder)
            if st.st_uid != 0 or st.st_mode & 0o022:
                yield s.root / folder


@pytest.mark.parametrize("files", [False, True])
def test_root_follows_none(suite, files):
    """In the place of each entry, and under the names of queue files."""
    s = suite(main="relayhost = [127.0.0.1]:9\n"
              "minimal_backoff_time = 1000s\n")
    queue_id = s.send(to="x@relay.test")
    wait_for("deferral", lambda: s.queue("deferred") == [queue_id])
    s.stop()
    s.posthaste("set-permissions")
    victim = s.root / "victim"
    for name in ("precious", queue_id, f"0/{queue_id}", f"D/{queue_id}"):
        (victim / name).parent.mkdir(parents=True, exist_ok=True)
        (victim / name).write_text("root:x:0:0\n")
        (victim / name).chmod(0o600)
        os.utime(victim / name, (1, 1))
    before = snapshot(victim)
    places = list(places_of_others(s))
    assert len(places) > 5
    for place in places:
        if not place.is_dir() or place.is_symlink():
            continue  # it is below one that is a link now
        for entry in list(place.iterdir()):
            target = victim / "precious"
            if entry.is_dir() and not files:
                target = victim
            elif entry.is_dir():
                continue
            shutil.rmtree(entry) if entry.is_dir() and \
                not entry.is_symlink() else entry.unlink()
            entry.symlink_to(target)
        for name in (queue_id, queue_id[:-1] + "Z", "0", "D", "mail.log.1"):
            if not os.path.lexists(place / name):
                (place / name).symlink_to(victim / name if (
                    victim / name).exists() else victim / "precious")
    s.may_crash = False
    for action in ACTIONS:
        s.posthaste(action, check=False)
        s.started = action in ("start", "reload")
        assert snapshot(victim) == before, action
        for command in COMMANDS:
            s.command(*command, check=False)
            assert snapshot(victim) == before, (action, command)
