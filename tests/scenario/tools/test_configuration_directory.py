# SPDX-License-Identifier: ISC
"""Which configuration set-gid commands let their caller choose."""
import os
import shutil
import stat
import subprocess

import pytest

from posthaste import AS_ROOT, ROOT

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="needs two users")


@pytest.fixture
def program(suite):
    """A tree of its own: bin/postqueue (set-gid) and etc/main.cf."""
    s = suite(start=False)
    tree = s.root / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "etc").mkdir()
    shutil.copy(ROOT / "sbin/postqueue", tree / "bin/postqueue")
    shutil.chown(tree / "bin/postqueue", "root", "posthaste-drop")
    os.chmod(tree / "bin/postqueue", 0o2755)
    shutil.copy(s.root / "etc/main.cf", tree / "etc/main.cf")
    return tree


def run(program, user="nobody", **env):
    done = subprocess.run([program / "bin/postqueue", "-p"], user=user,
                          group="nogroup", extra_groups=[], cwd="/",
                          env={"PATH": "/usr/bin:/bin", **env},
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_somebody_elses_directory_is_refused(program):
    other = program.parent / "other"
    other.mkdir()
    shutil.copy(program / "etc/main.cf", other / "main.cf")
    code, text = run(program, MAIL_CONFIG=str(other))
    assert code == 77
    assert f"unauthorized configuration directory name: {other}" in text
    with open(program / "etc/main.cf", "a") as f:
        f.write(f"alternate_config_directories = {other}\n")
    code, text = run(program, MAIL_CONFIG=str(other))
    assert "unauthorized" not in text
    # root needs no permission
    code, text = run(program, user="root", MAIL_CONFIG="/nonexistent")
    assert "unauthorized" not in text and "/nonexistent/main.cf" in text


def test_files_beside_a_hard_link_are_not_believed(program):
    """Whoever can link the command elsewhere does not choose its main.cf."""
    place = program.parent / "place"
    (place / "bin").mkdir(parents=True)
    (place / "etc").mkdir()
    (place / "etc/main.cf").write_text("mydomain = evil.example\n")
    for path in (place, place / "bin", place / "etc", place / "etc/main.cf"):
        shutil.chown(path, "nobody")
    os.link(program / "bin/postqueue", place / "bin/postqueue")
    assert (place / "bin/postqueue").stat().st_mode & stat.S_ISGID
    _, text = run(place)
    assert str(place) not in text
    # not even to allow more of them
    (place / "etc/main.cf").write_text(
        f"alternate_config_directories = {place}/etc\n")
    code, text = run(place, MAIL_CONFIG=f"{place}/etc")
    assert code == 77 and "unauthorized" in text
