# SPDX-License-Identifier: ISC
"""Files beyond all measure: seconds, not too much memory, one message."""
import resource
import subprocess

import pytest
from posthaste import ROOT

pytestmark = pytest.mark.unsanitized
HEAD = "myhostname = h.test\n"


def limited():
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


@pytest.fixture
def postconf(tmp_path):
    def run(main, *arguments, master=""):
        (tmp_path / "main.cf").write_text(main)
        (tmp_path / "master.cf").write_text(master)
        return subprocess.run(
            [ROOT / "sbin/postconf", "-c", tmp_path, *arguments],
            capture_output=True, text=True, timeout=60, preexec_fn=limited)

    return run


@pytest.mark.parametrize("opened,closed", [
    ("${x:", "}"), ("$(x:", ")"), ("${{", "}=={a}}"), ("${x:{", "}}"),
    ("${x?{a}:{", "}}"), ("{", "}")], ids=str)
def test_ten_thousand_deep(postconf, opened, closed):
    text = opened * 10000 + "a" + closed * 10000
    done = postconf(HEAD + f"relayhost = {text}\n", "-x", "relayhost")
    if opened == "{":
        assert done.stdout == f"relayhost = {text}\n"
        return
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("fatal: ") == 1
    assert "unreasonable macro call nesting" in done.stderr
    assert len(done.stderr) < 10000


def test_ten_names_in_a_circle(postconf):
    main = HEAD + "".join(f"n{i} = $n{(i + 1) % 10}\n" for i in range(10))
    done = postconf(main + "relayhost = $n0\n", "-x", "relayhost")
    assert done.returncode == 1
    assert "unreasonable macro call nesting" in done.stderr


@pytest.mark.parametrize("value", [
    "${mydomain?{mail.$mydomain}:{x}}", "${mydomain:x}y", "$mydomain",
    "${myhostname?{a}}", "${mydomain?{${mynetworks?{$myhostname}}}}"])
def test_defaults_found_out_in_a_circle(postconf, value):
    """The default of mydomain comes from myhostname."""
    done = postconf(f"myhostname = {value}\n", "-x", "myhostname", "mydomain")
    assert done.returncode in (0, 1)
    assert done.stdout or "unreasonable macro call nesting" in done.stderr


def test_names_that_double_each_time(postconf):
    main = HEAD + "n0 = aa\n" + "".join(
        f"n{i} = $n{i - 1}$n{i - 1}\n" for i in range(1, 23))
    done = postconf(main + "relayhost = $n22\n", "-x", "relayhost")
    assert done.returncode == 1 and "becomes too long" in done.stderr


def test_services_own_names_in_a_circle(postconf):
    """Each of them twice: that would be 2 to the depth."""
    own = " ".join(f"-o {{ n{i} = $n{(i + 1) % 9}$n{(i + 1) % 9} }}"
                   for i in range(9))
    done = postconf(HEAD, "-Px", master="smtp inet n - n - - smtpd "
                    f"-o relayhost=$n0 {own}\n")
    assert done.returncode == 1
    assert "unreasonable macro call nesting" in done.stderr


def test_a_very_long_line(postconf):
    done = postconf(HEAD + "relayhost = " + "a" * (15 << 20) + "\n", "-n")
    assert done.returncode == 1
    assert "main.cf, line 2: the line is longer than 1048576 bytes" in \
        done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_of_a_hundred_megabytes(postconf):
    done = postconf(HEAD + "relayhost = " + "a" * (100 << 20) + "\n", "-n")
    assert done.returncode == 1 and "main.cf: " in done.stderr
    assert done.stderr.count("\n") == 1 and len(done.stderr) < 500


def test_a_million_lines(postconf):
    lines = HEAD + "".join(f"a{i:x}=$a0\n" for i in range(1000000))
    done = postconf(lines, "-nqh", "myhostname")  # a million are unused
    assert done.returncode == 0 and done.stdout == "h.test\n"
    done = postconf(lines, "-e", "a5=new")
    assert done.returncode == 0, done.stderr


def test_a_million_times_the_same_name(postconf):
    done = postconf(HEAD + "relayhost = a\n" * 1000000, "-nh", "relayhost")
    assert done.returncode == 0 and done.stdout == "a\n"
