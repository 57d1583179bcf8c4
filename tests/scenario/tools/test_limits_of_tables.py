# SPDX-License-Identifier: ISC
"""Tables that are too large, never end, or take any time: bounded time and
memory, one message that names them, and nobody else waits."""
import concurrent.futures
import os
import resource
import subprocess
import sys
import time

import pytest

from posthaste import ROOT, wait_for

pytestmark = pytest.mark.unsanitized
MB = 1 << 20
SECONDS = 20  # for what takes a part of one on an idle machine


def processor_time():
    """Of programs that have ended, whatever else the machine did meanwhile."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def limited(tmp_path, *command, memory=200 * MB, stdin=""):
    """Exit status, output and complaints, with so much memory."""
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = host.example.test\n")
    began = processor_time()
    done = subprocess.run(
        [f"{ROOT}/sbin/{command[0]}", *command[1:]], cwd=tmp_path, text=True,
        input=stdin, capture_output=True, timeout=120,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C",
             "MAIL_CONFIG": str(tmp_path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS,
                                              (memory, memory)))
    assert processor_time() - began < SECONDS
    return done.returncode, done.stdout, done.stderr


def sparse(path, size):
    with open(path, "w") as f:
        f.truncate(size)


READ = ["texthash", "regexp", "pcre", "cidr", "hash"]


@pytest.mark.parametrize("table", READ)
@pytest.mark.parametrize("name, why", [
    ("/dev/zero", "File too large"),
    ("fifo", "not a regular file"),
    ("folder", "Is a directory"),
    ("sparse", "File too large"),
    ("socket", "No such device or address"),
])
def test_what_is_no_table(tmp_path, table, name, why):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    os.mknod(tmp_path / "socket", 0o140600)
    sparse(tmp_path / "sparse", 1100 * MB)
    code, out, err = limited(tmp_path, "postmap", "-q", "a", f"{table}:{name}")
    assert (code, out) == (1, "")
    assert why in err and name in err and len(err.splitlines()) == 1, err


@pytest.mark.parametrize("name, why", [
    ("/dev/zero", "File too large"), ("fifo", "not a regular file"),
    ("folder", "Is a directory"), ("sparse", "File too large")])
@pytest.mark.parametrize("program", ["postmap", "postalias"])
def test_nothing_is_built_of_it(tmp_path, program, name, why):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    sparse(tmp_path / "sparse", 1100 * MB)
    code, out, err = limited(tmp_path, program, f"hash:{name}")
    assert (code, out) == (1, "")
    assert f"{name}: {why}" in err and len(err.splitlines()) == 1, err
    assert not [p for p in tmp_path.iterdir() if ".cdb" in p.name]


@pytest.mark.parametrize("table", READ)
def test_line_of_100_mb(tmp_path, table):
    """It is left out, and what is around it counts."""
    rule = {"regexp": b"/^%s$/ found\n", "pcre": b"/^%s$/ found\n",
            "cidr": b"192.0.2.%s found\n"}.get(table, b"%s found\n")
    with open(tmp_path / "m", "wb") as f:
        f.write(rule % b"1")
        f.write(b"x" * (100 * MB))
        f.write(b"\n" + rule % b"2")
    keys = ["192.0.2.1", "192.0.2.2"] if table == "cidr" else ["1", "2"]
    code, out, err = limited(tmp_path, "postmap", "-q", "-", f"{table}:m",
                             memory=400 * MB, stdin="\n".join(keys) + "\n")
    assert (code, out) == (0, "".join(f"{k}\tfound\n" for k in keys))
    assert [line for line in err.splitlines()
            if "m, line 2: line is too long" in line] == err.splitlines(), err
    assert err.count("\n") <= 2  # where two syntaxes are tried


def test_value_of_hundreds_of_megabytes(tmp_path):
    """All zeros but its key; memory for the text alone."""
    with open(tmp_path / "m", "wb") as f:
        f.write(b"a ")
        f.truncate(300 * MB)
        f.seek(0, os.SEEK_END)
        f.write(b"\nb 2\n")
    code, _, err = limited(tmp_path, "postmap", "hash:m", memory=900 * MB)
    assert code == 0 and "m, line 1: line is too long" in err, err
    assert limited(tmp_path, "postmap", "-q", "b", "cdb:m") == (0, "2\n", "")
    # and is not read by those who read the text itself
    code, _, err = limited(tmp_path, "postmap", "-q", "b", "texthash:m")
    assert code == 1 and "m: File too large" in err, err


def many_names(count):
    return "^(" + "|".join(rf"domain{i:04d}\.example"
                           for i in range(count)) + ")$"


DEEP = "more than 100 parentheses within each other"
LARGE = "too large: compiled it would take more than 512 MB"
ANCHORS = "too many anchors"
X3 = "((x{255}){255}){255}"
HUNGRY = {
    "many parentheses": ("(" * 50000 + "a" + ")" * 50000, DEEP),
    "repeated repetitions": ("((((a{1,100}){1,100}){1,100}){1,100})", LARGE),
    "pluses": ("(" * 80 + "a" + ")+" * 80, LARGE),
    "names": (many_names(10_000), LARGE),
    "loops of anchors": ("(^|b)*" * 20, ANCHORS),
    "in a class": ("[[=]=][]" + X3, LARGE),
    "in an element": ("[[.].][]" + X3, LARGE),
    "in a class of characters": ("[^][:alpha:]]" + X3, LARGE),
}


# A process is charged with what its parent had when it was made: the parent
# is a small one.
MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
with open("peak", "w") as f:
    f.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(done.returncode)
"""


def with_peak(tmp_path, *command):
    """Output, complaints and the most memory that was used, which nothing
    but the program itself bounds."""
    (tmp_path / "main.cf").write_text(
        "compatibility_level = 3.6\nmyhostname = host.example.test\n")
    with open(tmp_path / "out", "w+") as out, \
            open(tmp_path / "err", "w+") as err:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, f"{ROOT}/sbin/{command[0]}",
             *command[1:]], cwd=tmp_path, stdin=subprocess.DEVNULL,
            stdout=out, stderr=err, env={
                "PATH": "/usr/bin:/bin", "LC_ALL": "C",
                "MAIL_CONFIG": str(tmp_path)})
        out.seek(0)
        err.seek(0)
        assert done.returncode == 0, err.read()
        return (out.read(), err.read(),
                int((tmp_path / "peak").read_text()) * 1024)


@pytest.mark.parametrize("name", HUNGRY)
def test_pattern_that_takes_all_memory(tmp_path, name):
    """Said by the estimate: nothing else keeps the C library from it."""
    pattern, why = HUNGRY[name]
    (tmp_path / "m").write_text(f"/{pattern}/ x\n/a/ y\n")
    out, err, peak = with_peak(tmp_path, "postmap", "-q", "a", "regexp:m")
    assert out == "y\n" and peak < 50 * MB
    assert f"regexp map m, line 1: {why}" in err and err.count("\n") == 1, err


@pytest.mark.parametrize("name", ["many parentheses", "repeated repetitions"])
def test_pattern_that_is_too_large_for_pcre(tmp_path, name):
    (tmp_path / "m").write_text(f"/{HUNGRY[name][0]}/ x\n/a/ y\n")
    out, err, peak = with_peak(tmp_path, "postmap", "-q", "a", "pcre:m")
    assert out == "y\n" and peak < 50 * MB
    assert "pcre map m, line 1: error in regex" in err, err


@pytest.mark.parametrize("pattern, key", [
    (many_names(1300), "domain1299.example"),
    ("^.{20001,}$", "x" * 20001),
    ("^(" + "[a-z0-9]+" * 2500 + ")$", "x" * 2500),
    ("^(x{255}){255}$", "x" * 255 * 255),
], ids=["names", "length", "pluses", "repetitions"])
def test_large_pattern_is_obeyed(tmp_path, pattern, key):
    """As Postfix does."""
    (tmp_path / "m").write_text(f"/{pattern}/ REJECT\n")
    out, err, peak = with_peak(tmp_path, "postmap", "-q", key, "regexp:m")
    assert (out, err) == ("REJECT\n", "") and peak < 300 * MB


@pytest.mark.parametrize("inline", [False, True])
def test_rule_that_is_left_out_is_an_error_of_check(suite, inline):
    s = suite(start=False)
    rule = f"/{X3}/ REJECT"
    table = f"{{{{{rule}}}}}" if inline else s.write("large", f"{rule}\n")
    s.set(transport_maps=f"regexp:{table}")
    done = s.posthaste("check", check=False)
    assert done.returncode == 1, done
    assert "transport_maps" in done.err and f"line 1: {LARGE}" in done.err
    assert "would not be obeyed" in done.err


def test_a_million_rules(tmp_path):
    with open(tmp_path / "m", "w") as f:
        f.writelines(f"10.{i >> 16 & 255}.{i >> 8 & 255}.{i & 255} {i}\n"
                     for i in range(1_000_000))
    last = f"10.{999_999 >> 16 & 255}.{999_999 >> 8 & 255}.{999_999 & 255}"
    code, out, err = limited(tmp_path, "postmap", "-q", "-", "cidr:m",
                             memory=600 * MB,
                             stdin=f"{last}\n" * 20 + "192.0.2.1\n" * 20)
    assert (code, err) == (0, "") and out == f"{last}\t999999\n" * 20


def test_a_million_rows_of_text(tmp_path):
    with open(tmp_path / "m", "w") as f:
        f.writelines(f"user{i}@example.test {i}\n" for i in range(1_000_000))
    code, out, err = limited(
        tmp_path, "postmap", "-q", "-", "texthash:m", memory=600 * MB,
        stdin="".join(f"user{i}@example.test\n" for i in range(0, 10 ** 6, 9)))
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "user999999@example.test\t999999"


def test_slow_match_is_for_later_and_holds_up_nobody(suite):
    """Who chooses the address cannot step over a rule, nor buy our time."""
    s = suite(start=False)
    slow = s.write("slow", "/^(a+)+[xy]@example/ REJECT\n/./ DUNNO\n")
    s.set(smtpd_recipient_restrictions=f"check_recipient_access pcre:{slow}, "
          "permit")
    s.start()

    def rcpt(address):
        with s.smtp() as c:
            c.ehlo()
            c.mail("alice@example.test")
            began = time.monotonic()
            return *c.rcpt(address), time.monotonic() - began

    assert rcpt("bob@example.test")[0] == 250
    with concurrent.futures.ThreadPoolExecutor(9) as pool:
        slow_ones = [pool.submit(rcpt, "a" * 60 + "@example.test")
                     for _ in range(8)]
        assert pool.submit(rcpt, "bob@example.test").result()[0] == 250
        for f in slow_ones:
            code, _, seconds = f.result()
            assert code == 451 and seconds < SECONDS
    wait_for("the warning", lambda: f"{slow}, line 1: match limit exceeded" in s.log())


def test_table_that_grows_while_it_is_read(suite):
    """An answer of the old text or of the new one, never of half a line, and
    no program that reads for ever."""
    s = suite(start=False)
    table = s.write("grows", "bob@example.test OK\n")
    s.set(smtpd_recipient_restrictions=f"check_recipient_access "
          f"texthash:{table}, reject")
    s.start()
    codes = set()
    with open(table, "a") as f, s.smtp() as c:
        c.ehlo()
        c.mail("alice@example.test")
        for i in range(300):
            f.write(f"user{i}@example.test REJECT\nhalf{i}@exam")
            f.flush()
            codes.add(c.rcpt("bob@example.test")[0])
            time.sleep(0.01)  # half a line is there to be read
            f.write("ple.test REJECT\n")
            f.flush()
    assert codes == {250}
    wait_for("the last line", lambda: rejected(s, "half299@example.test"))


def rejected(s, address):
    with s.smtp() as c:
        c.ehlo()
        c.mail("alice@example.test")
        return c.rcpt(address)[0] == 554
