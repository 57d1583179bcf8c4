# SPDX-License-Identifier: ISC
"""postmap, postalias and newaliases: what they build, print and return."""
import os
import subprocess

import pytest

from posthaste import AS_ROOT, ROOT


@pytest.fixture
def s(suite):
    made = suite(start=False)
    made.write("map", "Key value\nother two words\n")
    return made


def run(s, *arguments, **options):
    done = s.command(*arguments, check=False, **options)
    return done.returncode, done.out, done.err


def test_build_query_and_exit_codes(s):
    m = f"hash:{s.root}/etc/map"
    assert run(s, "postmap", m) == (0, "", "")
    assert (s.root / "etc/map.cdb").exists()
    assert run(s, "postmap", "-q", "KEY", m) == (0, "value\n", "")
    assert run(s, "postmap", "-q", "nothing", m) == (1, "", "")
    assert run(s, "postmap", "-fq", "KEY", m) == (1, "", "")
    assert run(s, "postmap", "-q", "-", m, stdin="other\nno\nkey\n") == (
        0, "other\ttwo words\nkey\tvalue\n", "")
    assert run(s, "postmap", "-q", "-", m, stdin="no\n") == (1, "", "")


def test_failures_are_said_and_exit_1(s):
    for arguments in (["postmap"], ["postmap", "-x", "hash:a"],
                      ["postmap", f"hash:{s.root}/nowhere"],
                      ["postmap", "pcre:/x"], ["postmap", "nosuch:/x"],
                      ["postmap", "-q", "a", f"cdb:{s.root}/nowhere"],
                      ["postmap", "-q", "a", "nosuch:/x"],
                      ["postmap", "-q", "a", "-d", "b", "hash:/x"]):
        code, out, err = run(s, *arguments)
        assert (code, out) == (1, ""), arguments
        assert "fatal: " in err or "error: " in err, arguments


def test_default_type_and_config_directory(s):
    s.set(default_database_type="cdb")
    assert run(s, "postmap", f"{s.root}/etc/map")[0] == 0
    assert run(s, "postmap", "-c", s.root / "etc", "-q", "key",
               f"{s.root}/etc/map") == (0, "value\n", "")


def test_list_delete_and_add(s):
    m = f"hash:{s.root}/etc/map"
    run(s, "postmap", m)
    assert run(s, "postmap", "-s", m)[1] == "key\tvalue\nother\ttwo words\n"
    assert run(s, "postmap", "-s", f"texthash:{s.root}/etc/map") == (
        0, "key\tvalue\nother\ttwo words\n", "")
    assert run(s, "postmap", "-d", "other", m)[0] == 0
    assert run(s, "postmap", "-d", "other", m)[0] == 1
    assert run(s, "postmap", "-i", m, stdin="new one\n")[0] == 0
    assert run(s, "postmap", "-s", m)[1] == "key\tvalue\nnew\tone\n"
    assert run(s, "postmap", "-d", "-", m, stdin="new\nkey\n")[0] == 0
    assert run(s, "postmap", "-s", m)[1] == ""


def test_equal_keys(s):
    s.write("map", "a 1\na 2\n")
    m = f"hash:{s.root}/etc/map"
    code, _, err = run(s, "postmap", m)
    assert code == 0 and 'duplicate entry: "a"' in err
    assert run(s, "postmap", "-q", "a", m)[1] == "1\n"
    assert run(s, "postmap", "-w", m) == (0, "", "")
    assert run(s, "postmap", "-q", "a", m)[1] == "1\n"
    assert run(s, "postmap", "-r", m) == (0, "", "")
    assert run(s, "postmap", "-q", "a", m)[1] == "2\n"


def test_bad_lines_are_named(s):
    s.write("map", "good one\nlonely\nroot: bob\n")
    code, _, err = run(s, "postmap", f"hash:{s.root}/etc/map")
    assert code == 0
    assert "line 2: expected format: key whitespace value" in err
    assert 'line 3: record is in "key: value" format' in err


def test_aliases(s):
    s.write("aliases", "Root: bob,\n  alice\n\"a b\": |\"/bin/x y\"\n")
    s.set(alias_database="hash:$config_directory/aliases")
    assert run(s, "newaliases") == (0, "", "")
    a = f"hash:{s.root}/etc/aliases"
    assert run(s, "postalias", "-q", "root", a) == (0, "bob, alice\n", "")
    assert run(s, "postalias", "-q", "A b", a)[1] == "|\"/bin/x y\"\n"
    s.write("aliases", "root: carol\n")
    assert run(s, "sendmail", "-bi") == (0, "", "")
    assert run(s, "postalias", "-q", "root", a)[1] == "carol\n"
    s.set(alias_database="hash:/no/where/aliases")
    code, _, err = run(s, "newaliases")
    assert code != 0 and "/no/where/aliases" in err


def test_mode_of_the_source_is_kept(s):
    path = s.root / "etc/map"
    for mode, options, expected in ((0o640, [], 0o640),
                                    (0o600, [], 0o600),
                                    (0o600, ["-p"], 0o644)):
        os.chmod(path, mode)
        run(s, "postmap", *options, f"hash:{path}")
        assert os.stat(f"{path}.cdb").st_mode & 0o777 == expected


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_root_writes_with_the_rights_of_the_owner(s):
    folder = s.root / "his"
    folder.mkdir()
    (folder / "map").write_text("a b\n")
    os.chown(folder, 4321, 4321)
    code, _, err = run(s, "postmap", f"hash:{folder}/map")
    assert code == 1 and "belongs to another user" in err
    os.chown(folder / "map", 4321, 4321)
    assert run(s, "postmap", f"hash:{folder}/map") == (0, "", "")
    assert os.stat(folder / "map.cdb").st_uid == 4321


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
@pytest.mark.parametrize("kind, suffix", [("hash", "cdb"), ("lmdb", "lmdb")])
def test_a_database_alone_is_changed_with_the_rights_of_its_owner(
        s, kind, suffix):
    folder = s.root / "his"
    folder.mkdir()
    (folder / "map").write_text("a b\nc d\n")
    for path in (folder, folder / "map"):
        os.chown(path, 4321, 4321)
    assert run(s, "postmap", f"{kind}:{folder}/map") == (0, "", "")
    (folder / "map").unlink()
    assert run(s, "postmap", "-d", "a", f"{kind}:{folder}/map") == (0, "", "")
    assert os.stat(folder / f"map.{suffix}").st_uid == 4321
    assert run(s, "postmap", "-s", f"{kind}:{folder}/map")[1] == "c\td\n"


@pytest.mark.skipif(not AS_ROOT, reason="needs root")
def test_root_leaves_its_groups_behind(s):
    """The owner of a source may not write where root's groups may."""
    folder = s.root / "ours"
    folder.mkdir()
    os.chown(folder, 0, 4444)
    folder.chmod(0o775)
    (folder / "one").write_text("a b\n")
    os.chown(folder / "one", 4321, 4321)
    made = subprocess.run(
        [ROOT / "sbin/postmap", "-c", s.root / "etc", f"hash:{folder}/one"],
        extra_groups=[4444], capture_output=True, text=True)
    assert made.returncode == 1 and "Permission denied" in made.stderr
    assert not (folder / "one.cdb").exists()
