# SPDX-License-Identifier: ISC
"""tests/deep fails with what it runs: a copy of it, whose make is ours."""
import os
import pathlib
import shutil
import subprocess

import pytest

DEEP = pathlib.Path(__file__).parents[2] / "deep"
MAKE = """\
#!/bin/sh
case "$*" in
*check-valgrind*|*' check CHECK_BENCH=no') {does} ;;
esac
"""


# what the suite tries in part; this file is none of those that tests/deep finds
FULL = "_".join(("POSTHASTE", "FULL"))
LONG = f"""\
import os
def test_it():
    assert os.environ.get("{FULL}") == "1"
    print("points: 7 tried, 5 ended it")
"""


def deep(top, does="exit 0", check="check-deep", more=(), **environment):
    programs = {**dict(more), "bin/make": MAKE.format(does=does),
                "bin/valgrind": "#!/bin/sh\n",
                "bin/cppcheck": "#!/bin/sh\necho it ran\n",
                "configure": "#!/bin/sh\ntouch Makefile\n"}
    for name, text in programs.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
        (top / name).chmod(0o755)
    (top / "tests").mkdir(exist_ok=True)
    shutil.copy(DEEP, top / "tests")
    path = f"{top / 'bin'}:{os.environ['PATH']}"
    return subprocess.run([top / "tests/deep", check], text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env={**os.environ, "PATH": path, **environment})


@pytest.mark.parametrize("part", ["memcheck", "other_sign"])
@pytest.mark.parametrize("does,fine", [
    ("echo PASS: a; echo PASS: b", True),
    ("echo PASS: a; echo FAIL: b; exit 2", False),
    ("echo PASS: a; echo 'b.c: no such type' >&2; exit 2", False),
    ("exit 0", False)], ids=["good", "failed", "not compiled", "none"])
def test_units(tmp_path, part, does, fine):
    done = deep(tmp_path, does, PARTS=part)
    assert f"{does.count('PASS')} unit tests passed\n" in done.stdout
    assert ("FAILED: unit tests: " in done.stdout) != fine
    assert (done.returncode == 0) == fine, done.stdout


def test_a_part_that_is_none_is_named_before_any_runs(tmp_path):
    done = deep(tmp_path, PARTS="analysers memchek")
    assert done.returncode == 2
    assert 'PARTS: there is no "memchek": analysers' in done.stdout
    assert "it ran" not in done.stdout


@pytest.mark.parametrize("part,file", [("crash", "crash/test_a.py"),
                                       ("full", "imapd/test_b.py")])
@pytest.mark.parametrize("fine", [True, False])
def test_what_the_suite_tries_in_part_is_tried_whole(tmp_path, part, file, fine):
    text = LONG if fine else LONG + "    assert False\n"
    done = deep(tmp_path, PARTS=part, JOBS="1",
                more={f"tests/scenario/{file}": text})
    assert ("1 passed" if fine else "1 failed") in done.stdout, done.stdout
    assert (done.returncode == 0) == fine, done.stdout
    if part == "crash" and fine:
        assert "7 points tried in 1 tests: 5 ended a program" in done.stdout


def test_a_crash_that_ends_nothing_is_no_test(tmp_path):
    done = deep(tmp_path, PARTS="crash", JOBS="1", more={
        "tests/scenario/crash/test_a.py": "def test_it():\n    pass\n"})
    assert done.returncode != 0 and "FAILED: no points" in done.stdout


def test_usage(tmp_path):
    done = deep(tmp_path, check="deep")
    assert done.returncode == 2 and "usage: tests/deep CHECK" in done.stdout
    assert done.stdout.endswith(" is named and skipped.\n")
