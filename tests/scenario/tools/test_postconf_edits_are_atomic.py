# SPDX-License-Identifier: ISC
"""Whatever happens while postconf changes a file (but its end:
tests/scenario/crash/test_tables.py), the old or the new one is
there, whole, with its owner and mode; and no change is lost."""
import os
import shutil
import stat
import subprocess
import threading

import pytest
from posthaste import AS_ROOT, ROOT

MAIN = ("# top\nmyhostname = h.test\nrelayhost = [a]:25,\n  # why\n  [b]\n"
        "# end\n" + "".join(f"x{i} = {'v' * 70}\n" for i in range(1000)))
MASTER = ("# services\nsmtp inet n - n - - smtpd\n# o\n  -o a=b\n"
          "pickup unix n - n 60 1 pickup\n")
# file, change, a text that only the new one has, one that stays
CHANGES = {
    "main.cf": (["-e", "relayhost=[new]"], "relayhost = [new]\n", "  # why\n"),
    "master.cf": (["-Pe", "smtp/inet/a=new"], "-o a=new", "# o\n"),
}


def postconf(folder, *arguments, before=(), **more):
    return subprocess.run(
        [*before, ROOT / "sbin/postconf", "-c", folder, *arguments],
        capture_output=True, text=True, timeout=60, **more)


@pytest.fixture
def etc(tmp_path):
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "main.cf").write_text(MAIN)
    (folder / "master.cf").write_text(MASTER)
    for name in CHANGES:
        os.chmod(folder / name, 0o640)
        if AS_ROOT:
            os.chown(folder / name, 12, 34)
    return folder


def rights(path):
    st = path.stat()
    return stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid


@pytest.mark.skipif(not AS_ROOT, reason="mounting wants root")
@pytest.mark.parametrize("name", CHANGES)
def test_full_disk(etc, tmp_path, name):
    small = tmp_path / "small"
    small.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs",
                           small], capture_output=True)
    if done.returncode != 0:
        pytest.skip(f"cannot mount: {done.stderr}")
    try:
        for file in CHANGES:
            shutil.copy2(etc / file, small / file)
        with open(small / "filler", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                pass
        arguments, new, _ = CHANGES[name]
        done = postconf(small, *arguments)
        assert done.returncode == 1 and "No space left" in done.stderr
        assert (small / name).read_text() == (etc / name).read_text()
        assert not (small / f"{name}.tmp").exists()
        os.unlink(small / "filler")
        assert postconf(small, *arguments).returncode == 0
        assert new in (small / name).read_text()
    finally:
        subprocess.run(["umount", "-l", small], check=False)


@pytest.mark.parametrize("name", CHANGES)
def test_many_at_once_lose_nothing(etc, name):
    def change(i):
        done = postconf(etc, *([f"n{i}=1"] if name == "main.cf" else
                               ["-P", f"smtp/inet/n{i}=1"]))
        assert done.returncode == 0, done.stderr

    threads = [threading.Thread(target=change, args=(i,)) for i in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    text = (etc / name).read_text()
    for i in range(20):
        assert (f"n{i} = 1\n" if name == "main.cf" else f"-o n{i}=1\n") in text
    assert sorted(p.name for p in etc.iterdir()) == sorted(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_symbolic_link_stays_one(etc, tmp_path, name):
    """Postfix puts a file of its own in the link's place: then what the site
    keeps elsewhere is not what counts any more."""
    real = tmp_path / "elsewhere"
    shutil.move(etc / name, real)
    (etc / name).symlink_to(real)
    before = rights(real)
    arguments, new, stays = CHANGES[name]
    assert postconf(etc, *arguments).returncode == 0
    assert (etc / name).is_symlink() and rights(real) == before
    assert new in real.read_text() and stays in real.read_text()


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("make", [
    lambda path: os.mkfifo(path), lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.mkdir()], ids=["FIFO", "/dev/zero", "folder"])
def test_what_is_no_file(etc, name, make):
    (etc / name).unlink()
    make(etc / name)
    for arguments in CHANGES[name][0], ["-M"], ["-n"], ["relayhost"]:
        done = postconf(etc, *arguments)
        assert done.returncode == 1, arguments
        assert f"{name}: not a regular file" in done.stderr
        assert done.stdout == ""
    assert not (etc / f"{name}.tmp").exists()
