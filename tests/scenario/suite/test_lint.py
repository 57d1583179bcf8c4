# SPDX-License-Identifier: ISC
"""tests/lint finds nothing in the project, and would: each of its rules sees
what offends it in a small tree where else all is well."""
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from posthaste import AS_ROOT, SOURCE

TOP = pathlib.Path(SOURCE)
RULES = re.search(r'^rules="([^"]*)"', (TOP / "tests/lint").read_text(),
                  re.M)[1].split()
OURS = ("tests/lint", "tests/lint.words", "tests/attacks", ".clang-format",
        "doc/HACKING.md")
SPDX = "/* SPDX-License-Identifier: ISC */\n"
HASH = "# SPDX-License-Identifier: ISC\n"

# What comes near to each rule, and breaks none.
CLEAN = {
    "lib/base/near.h": SPDX + """\
#ifndef LIB_BASE_NEAR_H
#define LIB_BASE_NEAR_H

/*
 * strcpy() and gets() are not used here, and comments may say so.
 */

#include <stddef.h>

struct near;

typedef void near_visit(void *with, const struct near *n);
typedef int (*many)(void);
extern const char *const near_names[];

size_t near_length(const struct near *n);

#endif
""",
    "lib/conf/near_conf.c": SPDX + """\
#include "lib/base/near.h"

#include <string.h>

#include "lib/conf/near_conf.def"
#include "lib/log/near_log.h"

const char *const near_names[] = { "one", NULL };
static int count;

/* the library's, which its version 1 changed */
#if LIBRARY_MAJOR < 1
static int more;
#endif

static const char place[] = "https://example.test/";

/* strtok() would change it: see https://example.test/ */
static int
fgets_many(struct near *n, const char *line)
{
	return strcmp(line, "yes") > 0 || count + more > (n != NULL);
}
""",
    "lib/base/compat_any.c": SPDX + "#ifdef __linux__\n#endif\n",
    "lib/log/near_log.h": SPDX,
    "pop3d/main.c": SPDX + """\
/*
 * SECURITY: none.
 */
#include "lib/log/near_log.h"
#include "pop3d/verbs.h"

int
main(void)
{
	return 0;
}
""",
    "pop3d/verbs.h": SPDX,
    "pop3d/short.c": SPDX + """\
#define WANTED 1
#include "lib/log/near_log.h"
#include <stdio.h>

static int
long_one(int n)
{
	if (n == 0)
		goto out;
""" + 55 * "\tn++;\n" + """\
	goto out;
out:
	return n;
}
""",
    "tests/scenario/smtpd/near_peer.py": HASH + '''\
import time


def wait():
    """What hangs, or looks, or says why it waits."""
    while looks():
        time.sleep(0.1)
    # for a second to pass
    time.sleep(1.1)
    time.sleep(2)  # parked
    time.sleep(SEEN)
    time.sleep(60)


def slowly():
    time.sleep(1)


def after_a_moment():
    """A moment."""
    time.sleep(0.01)
''',
    "tests/unit/pop3d/verbs_test.c": SPDX + """\
#include "lib/log/near_log.h"
#include "pop3d/verbs.h"

#include <stdio.h>

#include "lib/base/near.h"

static void
long_one(int n)
{
	int64_t until = clock_ms() + 5000;

	for (int i = 0; clock_ms() < until; i++)
		usleep(10);
	while (!seen() && clock_ms() < until)
		(void)poll(NULL, 0, 5);
	/* the clock's tick */
	usleep(20000);
""" + 61 * "\tn++;\n" + "}\n",
    "auth/state.c": SPDX + """\
#include <openssl/crypto.h>
#include <string.h>

int
is_it(const char *service, const char *digest, const char *wanted)
{
	return strcmp(service, "smtp") == 0 &&
	    CRYPTO_memcmp(digest, wanted, 32) == 0;
}
""",
    "tests/unit/lib/base/near_test.c": SPDX,
    "tests/unit/lib/base/more_test.c": SPDX,
    "tests/fuzz/near_fuzz.c": SPDX,
    "lib/base/local.mk": HASH + """\
near_tests = tests/unit/lib/base/more_test \\
	tests/unit/pop3d/verbs_test \\
	tests/unit/lib/base/near_test
TESTS += $(near_tests) tests/fuzz/near_fuzz
""",
    "tests/scenario/smtpd/test_near.py": HASH + '''\
"""Tests of one name in two files are two tests."""
import os

import pytest

FULL = False


def test_it():
    assert True


@pytest.mark.parametrize("n", [1])
@pytest.mark.skipif(not FULL, reason="long")
@pytest.mark.unsanitized
def test_long(n):
    assert n


@pytest.mark.parametrize("n", [
    1, pytest.param(2, marks=pytest.mark.skipif(
        not os.environ.get("POSTHASTE''' '''_FULL"), reason="long"))])
def test_rows(n):
    assert n


def test_short():
    assert True


COUNT = 100 if os.environ.get("POSTHASTE''' '''_FULL") else 1


def several():
    return range(COUNT)


def test_sampled():
    assert list(several())
''',
    "tests/scenario/pop3d/test_near.py": HASH + "def test_it(): pass\n",
    "man/near.1": r""".\" SPDX-License-Identifier: ISC
.Dd November 21, 2026
.Dt NEAR 1
.Os
.Sh NAME
.Nm near
.Nd comes near
.Sh DESCRIPTION
It does.
""",
    "tests/attacks.def": HASH + """
[Framing]

1 CVE-1, Elsewhere
	what went wrong
	scenario smtpd/test_near.py test_it
	fuzz near
	lint words
""",
}


def in_c(body):
    """A function that has it."""
    return SPDX + f"static void\nf(void)\n{{\n\t{body}\n}}\n"


WRONG = "rec" "ieve"

# rule, file, its text, what is said
OFFENDERS = [
    ("form", "lib/base/bad.c", SPDX + "int f( void ) { return 0; }\n",
     "lib/base/bad.c: not in form"),
    *[("form", file, "x \ny\n", f"{file}:1: ends with a blank")
      for file in ("a.md", "man/a.5", "tests/scenario/smtpd/near.py")],
    ("form", ".clang-format", "BasedOnStyle: Nobody\n", "clang-format"),
    ("layers", "lib/log/bad.c", SPDX + '#include "lib/conf/x.h"\n',
     "lib/log/bad.c:2: lib/conf/x.h is not of a layer below"),
    ("layers", "lib/task/bad.c", SPDX + '#include "lib/log/near_log.h"\n',
     "lib/log/near_log.h is not of a layer below"),
    ("layers", "lib/base/bad.h", SPDX + '# include <lib/log/near_log.h>\n',
     "lib/base/bad.h:2: lib/log/near_log.h is not of a layer below"),
    ("layers", "lib/login/bad.c", SPDX + '#include "lib/elsewhere/x.h"\n',
     "lib/elsewhere/x.h is not of a layer below"),
    ("layers", "lib/base/bad.c", SPDX + '#include "pop3d/verbs.h"\n',
     "pop3d/verbs.h is no library"),
    ("layers", "imapd/bad.c", SPDX + '#include "pop3d/verbs.h"\n',
     "pop3d/verbs.h is another program's"),
    ("layers", "pop3d/bad.c", SPDX + '#include "verbs.h"\n',
     "verbs.h is another program's"),
    ("layers", "lib/more/bad.c", SPDX + '#include "lib/base/near.h"\n',
     "lib/more is not in the drawing of doc/HACKING.md"),
    *[("includes", file, SPDX + "".join(
        f"#include {header}\n" for header in headers.split()), expected)
      for file, headers, expected in (
          ("lib/base/near.c", '<stdio.h> "lib/base/near.h"',
           "lib/base/near.c:2: stdio.h: its own header comes first"),
          ("lib/base/near.c", '"lib/log/near_log.h" "lib/base/near.h"',
           "near.c:2: lib/log/near_log.h: its own header comes first"),
          ("lib/base/near.c",
           '"lib/base/near.h" "lib/log/near_log.h" <stdio.h>',
           "near.c:4: stdio.h: the system's come before ours"),
          ("pop3d/bad.h", '"pop3d/verbs.h" "lib/base/near.h" <stdio.h>',
           "pop3d/bad.h:4: stdio.h: the system's come before ours"),
          ("tests/unit/bad.c",
           '"lib/base/near.h" <stdio.h> "pop3d/verbs.h" <cmocka.h>',
           "tests/unit/bad.c:5: cmocka.h: the system's come before ours"),
          ("tests/unit/near.c", '"near.h"', "near.h is not there"))],
    ("headers", "lib/base/bad.h", SPDX + "size_t f(void);\n",
     "unknown type name"),
    *[("headers", "lib/base/bad.h", SPDX + text,
       "lib/base/bad.h:2: before it says what it is for") for text in (
           "struct bad;\n/* of bad ones */\n", "int bad(void);\n")],
    ("headers", "pop3d/bad.h", SPDX + '#include "nowhere.h"\n', "nowhere.h"),
    ("names", "pop3d/badName.c", SPDX, "badName.c: not in lower_snake"),
    ("names", "tests/scenario/smtpd/test-bad.py", HASH, "not in lower_snake"),
    ("names", "pop3d/near.c", SPDX, "pop3d/near.c: lib/base/ has that stem"),
    ("names", "imapd/verbs.h", SPDX, "pop3d/verbs.h: imapd/ has that stem"),
    ("names", "pop3d/bad.h", SPDX + "#ifndef BAD_H\n",
     "pop3d/bad.h:2: BAD_H is POP3D_BAD_H"),
    *[("names", "lib/base/bad.h", SPDX + text + "\n", said)
      for text, said in (
          ("int many_bad(struct near *n,\n    int more);", "bad.h:2: many_bad"),
          ("struct near *table_new(void);", "bad.h:2: table_new begins with"),
          ("noreturn void badly(void);", "bad.h:2: badly begins with"),
          ("extern const char *const rows[];", "bad.h:2: rows begins with"))],
    ("functions", "pop3d/bad.c", SPDX + "static int\nlong_one(int n)\n{\n" +
     61 * "\tn++;\n" + "}\n", "pop3d/bad.c:4: long_one has 61 lines"),
    ("functions", "pop3d/bad.c", SPDX + 1000 * "int x;\n",
     "pop3d/bad.c: more than 1,000 lines"),
    ("functions", "tests/unit/bad.c", SPDX +
     "void\nf(void)\n{\nagain:\n\tx();\n\tif (y)\n\t\tgoto again;\n}\n",
     "tests/unit/bad.c:8: goes back to again:"),
    *[("words", file, in_c(body), f"{file}:5:") for file, body in (
        ("lib/base/bad.c", "strcpy(to, from);"),
        ("lib/base/bad.c", "strcat(to, from);"),
        ("pop3d/bad.c", "sprintf(to, format);"),
        ("pop3d/bad.c", "n = vsprintf(to, format, list);"),
        ("pop3d/bad.h", "char *p = strtok(to, from);"),
        ("bench/load/bad.c", "gets(line);"),
        ("pop3d/bad.def", "(void)gets (line);"),
        ("tests/unit/bad.h", "*p = alloca(n);"),
        ("pop3d/bad.c", "p = __builtin_alloca(n);"),
        ("pop3d/bad.c", "/* whole */ strcpy(to, from);"),
        ("tests/fuzz/bad.c", "char *(*f)(char *, const char *) = strcpy;"))],
    *[("words", "pop3d/bad.c", in_c(body), "bad.c:5:") for body in (
        "x(); // later", "// x();")],
    ("words", "pop3d/bad.c", SPDX + "#include <uthash.h>\n",
     "hash_table.h has the key"),
    *[("words", file, f"x\n# {word}: later\n", f"{file}:2:") for file, word in
      (("a.py", "TO" "DO"), ("a.mk", "FIX" "ME"), ("man/a.5", "X" "XX"))],
    ("words", "lib/base/bad.h", SPDX + "typedef struct bad {\n",
     "typedefs are for functions"),
    *[("conditions", file, SPDX + f"\n{condition}\nint x;\n#endif\n",
       f"{file}:3:") for file, condition in (
           ("pop3d/bad.c", "#if DEBUG"), ("pop3d/bad.h", "#ifdef DEBUG"),
           ("tests/unit/bad.c", "#ifndef NDEBUG"), ("bench/x.c", "# if 0"))],
    *[("variables", file, SPDX + text + "\n", f"{file}:2:") for file, text in (
        ("pop3d/bad.c", "int count;"), ("lib/base/bad.c", "bool is_on = true;"),
        ("pop3d/bad.c", "struct near *all[8];"),
        ("pop3d/bad.c", "char text[] = {"),
        ("pop3d/bad.h", "extern int count;"))],
    *[("licences", file, "x\n", f"{file}: no SPDX") for file in (
        "pop3d/bad.c", "pop3d/bad.h", "tools/bad.py", "pop3d/local.mk",
        "doc/bad.sh", "conf/program")],
    *[("yes", "pop3d/bad.c", in_c(body), "pop3d/bad.c:5: ") for body in (
        'if (strcmp(value, "yes") == 0)', 'x = strcasecmp(v(c), "no") != 0;',
        'x = strcmp(value,\n\t    "yes") == 0;', 'if (!strcmp(v, "no"))')],
    *[("secrets", file, in_c(body), f"{file}:5: ") for file, body in (
        ("auth/bad.c", "x = memcmp(digest, wanted, 32) == 0;"),
        ("keyd/bad.c", "if (strcmp(a->name, a->secret) == 0)"),
        ("lib/sasl/bad.c", "x = strncmp(f(g(t), 1),\n\t    t->token, 8);"),
        ("lib/login/bad.c", "return strcasecmp(password, typed) != 0;"))],
    ("security", "imapd/main.c", SPDX + "int\nmain(void)\n{\n}\n",
     "imapd/main.c: no SECURITY paragraph"),
    ("unrun", "tests/unit/pop3d/bad_test.c", SPDX,
     "tests/unit/pop3d/bad_test.c: not in TESTS"),
    ("unrun", "tests/fuzz/near_as_well_fuzz.c", SPDX, "not in TESTS"),
    ("unrun", "tests/scenario/smtpd/test_bad.py",
     "def test_it(): pass\ndef test_it(): pass\n",
     "tests/scenario/smtpd/test_bad.py:2: def test_it is there twice"),
    ("unrun", "tests/scenario/smtpd/bad_test.py", "def test_it(): pass\n",
     "only test_*.py is run"),
    *[("sleeps", file, text, f"{file}:{n}: sleeps, and says not why")
      for file, n, text in (
          ("tests/scenario/near.py", 2, "def test_it():\n    time.sleep(1)\n"),
          ("tests/scenario/near.py", 4,
           "def test_change():\n    x()\n\n    time.sleep(2.5)\n"),
          ("tests/scenario/near.py", 3, "while x():\n    pass\nsleep(0.5)\n"),
          ("tests/scenario/near.py", 3,
           "while x():\n    if y():\n        sleep(0.5)\n"),
          ("tests/unit/near.c", 5, in_c("usleep(100 * 1000);")),
          ("tests/unit/near.c", 5, in_c("(void)poll(NULL, 0, 10);")),
          ("tests/unit/near.h", 7, in_c("while (x())\n\t\t;\n\tsleep(1);")))],
    *[("spelling", file, f"{text} {WRONG}\n", f"{file}:1: {WRONG}")
      for file, text in (
          ("lib/base/bad.c", "/*"), ("pop3d/bad.def", ""), ("a.md", ""),
          ("man/a.5", ".Nd"), ("tests/unit/bad.h", "/*"),
          ("tests/scenario/smtpd/test_bad.py", "#"), ("conf/main.cf", "#"))],
    ("manuals", "man/bad.8", ".Dd November 21, 2026\n.Dt BAD 8\n.Os\n.Xq bad\n",
     "unknown macro: .Xq bad"),
    *[("attacks", "tests/attacks.def", f"1 CVE-1\n\tit\n\t{test}\n",
       f"tests/attacks.def:{said}") for test, said in (
           ("scenario smtpd/test_near.py test_gone",
            "3: row 1: scenario smtpd/test_near.py: test_gone is not there"),
           ("unit lib/base/gone", "3: row 1: unit lib/base/gone: it is not"),
           ("fuzz near seed", "3: row 1: fuzz near: seed is not there"),
           ("lint has", "3: row 1: lint has: it is not there"),
           ("nothing", "row 1: not whole"))],
]


def git(top, *arguments):
    subprocess.run(["git", "-C", top, *arguments], check=True, timeout=60,
                   capture_output=True)


def tree(top, files):
    """A checkout with lint, what is clean, and these."""
    for name in OURS:
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, top / name)
    for name, text in (CLEAN | files).items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(text)
    if "conf/program" in files:
        (top / "conf/program").chmod(0o755)
    git(top, "init", "-q")
    git(top, "add", "-A")


def lint(top, *arguments, **environment):
    done = subprocess.run([top / "tests/lint", *arguments], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=300, env={**os.environ, **environment})
    return done.returncode, done.stdout


def judged(top, rule):
    code, said = lint(top, rule)
    if said.startswith("SKIP: "):
        pytest.skip(said.strip())
    return code, said


@pytest.mark.parametrize("rule", RULES)
def test_nothing_offends(rule):
    if not (TOP / ".git").exists():
        pytest.skip("no git checkout")
    assert judged(TOP, rule) == (0, "")


@pytest.mark.parametrize("rule", RULES)
def test_a_clean_tree_is_clean(tmp_path, rule):
    tree(tmp_path, {})
    assert judged(tmp_path, rule) == (0, "")


@pytest.mark.parametrize("rule,file,text,expected", OFFENDERS, ids=[
    f"{n}-{rule}-{file}" for n, (rule, file, *_) in enumerate(OFFENDERS)])
def test_offender_is_seen(tmp_path, rule, file, text, expected):
    tree(tmp_path, {file: text})
    code, said = judged(tmp_path, rule)
    assert (code, expected in said) == (1, True), said


def test_every_rule_has_an_offender():
    assert {rule for rule, *_ in OFFENDERS} == set(RULES)


def test_all_rules_are_asked(tmp_path):
    """Of two that are broken both are heard, whatever stands between."""
    tree(tmp_path, {"pop3d/bad.c": SPDX + '#include "imapd/x.h"\nint x;\n'})
    code, said = lint(tmp_path)
    assert code == 1
    assert "imapd/x.h is another program's" in said
    assert "pop3d/bad.c:3:int x;: visible outside its file" in said


def test_a_missing_tool_is_named_and_no_failure(tmp_path):
    tree(tmp_path / "tree", {})
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in os.listdir("/usr/bin"):
        if name.split("-")[0] not in ("clang", "gcc", "codespell", "mandoc"):
            (tools / name).symlink_to(f"/usr/bin/{name}")
    code, said = lint(tmp_path / "tree", PATH=str(tools))
    assert code == 0, said
    assert said.splitlines() == [f"SKIP: {name} is not installed" for name in (
        "clang-format", "gcc", "codespell", "mandoc")]


def test_another_version_is_named_and_no_failure(tmp_path):
    """What it would say of what is clean here is not known."""
    tree(tmp_path / "tree", {})
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, said in (("clang-format", "clang-format version 140.0.6"),
                       ("codespell", "12.2.2"), ("mandoc", ""),
                       ("dpkg-query", "1.14.60-1")):
        (tools / name).write_text(
            f'#!/bin/sh\necho "{said or "it does not tell"}"\n')
        (tools / name).chmod(0o755)
    code, said = lint(tmp_path / "tree", "form", "spelling", "manuals",
                      PATH=f"{tools}:{os.environ['PATH']}")
    assert code == 0, said
    assert said.splitlines() == [f"SKIP: {tool} is not version {number}"
                                 for tool, number in (
                                     ("clang-format", "14"),
                                     ("codespell", "2.2.2"),
                                     ("mandoc", "1.14.6"))]


@pytest.mark.parametrize("rule", ["layers", "words", "conditions"])
def test_colours_change_nothing(tmp_path, rule):
    tree(tmp_path / "tree", {})
    (tmp_path / ".gitconfig").write_text("[color]\n\tui = always\n")
    assert lint(tmp_path / "tree", rule, HOME=str(tmp_path)) == (0, "")


@pytest.mark.skipif(not AS_ROOT, reason="whose is a checkout of root's?")
def test_a_checkout_may_be_somebody_elses(tmp_path):
    tree(tmp_path, {})
    for path in [tmp_path, *tmp_path.rglob("*")]:
        os.chown(path, 1, 1)
    assert lint(tmp_path, "words", "attacks") == (0, "")


def test_form_is_mended(tmp_path):
    if not shutil.which("clang-format"):
        pytest.skip("clang-format is not installed")
    tree(tmp_path, {"pop3d/bad.c": SPDX + "static int f( void ) "
                    "{ return 0; }\n"})
    assert judged(tmp_path, "form")[0] == 1
    assert lint(tmp_path, "-f", "form") == (0, "")
    assert (tmp_path / "pop3d/bad.c").read_text() == \
        SPDX + "static int\nf(void)\n{\n\treturn 0;\n}\n"


def test_what_is_no_checkout_or_no_rule_is_refused(tmp_path):
    tree(tmp_path, {})
    code, said = lint(tmp_path, "forms")
    assert code == 2 and 'there is no "forms": form layers' in said
    shutil.rmtree(tmp_path / ".git")
    code, said = lint(tmp_path, "words")
    assert code == 2 and "is not the top of a git checkout" in said


def test_what_a_usual_run_leaves_out_does_not_count_as_tested(tmp_path):
    tree(tmp_path, {"tests/attacks.def": CLEAN["tests/attacks.def"] + """\
2 CVE-2, Elsewhere
	what went wrong
	scenario smtpd/test_near.py test_it test_long test_rows test_short
3 CVE-3, Elsewhere
	what went wrong
	scenario smtpd/test_near.py test_it test_sampled
"""})
    said = subprocess.run([tmp_path / "tests/attacks"], check=True, timeout=60,
                          capture_output=True, text=True).stdout
    assert "\n  1 tested CVE-1" in said
    assert "\n  2 rare   CVE-2" in said
    assert "(POSTHASTE" "_FULL: test_long test_rows)\n" in said
    # one that does more with it is tested, and whole on demand
    assert "\n  3 sample CVE-3" in said
    assert "(whole with POSTHASTE" "_FULL: test_sampled)\n" in said
    assert "\n   1 tested\n   1 sample\n   1 rare\n" in said
