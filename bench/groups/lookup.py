# SPDX-License-Identifier: ISC
"""Tables: what it takes to build one of a million entries, to ask it with the
command that both have (postmap -q -), and to ask it through the running suite,
where each RCPT of a client is looked up in it; in tables of patterns and of
networks as well. And what the way of a question within Posthaste costs: to a
file through its lookup, to PostgreSQL through lookup and the process that speaks
to servers. The last two are asked by a client in Python, which takes a good part
of the time for itself; their difference is what counts.
"""
import glob
import importlib.util
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import time

from frame import TOP, measure, smtp
from frame.group import Case

NAME = "lookup"
HELP = "tables: build, postmap -q, through the running suite"
NEEDS = frozenset({"table"})
OPTIONS = {"relay_recipient_maps": "hash:$config_directory/keys",
           # a client that is refused again and again is not what is measured
           "smtpd_soft_error_limit": "1000000",
           "smtpd_hard_error_limit": "1000000"}
SITE = {"sessions": 20, "options": {"posthaste": OPTIONS, "postfix": OPTIONS}}


def keys(peer, count):
    """A table's text: k0@relay.test, k1@relay.test, ... in any order."""
    path = peer.site.root.parent / f"keys-{count}"
    if not path.exists():
        numbers = list(range(count))
        random.Random(1).shuffle(numbers)
        path.write_text("".join(
            f"k{n}@{peer.site.relay_domain} found{n}\n" for n in numbers))
    here = peer.site.root / "etc/keys"
    if not here.exists():
        shutil.copyfile(path, here)
        # Postfix waits while a text file is of this second
        os.utime(here, (time.time() - 100,) * 2)
    return here


def postmap(peer, *arguments, stdin=None):
    """Seconds of the clock and of the processor of one run, and what it
    said."""
    argv, environment = peer.command("postmap", *arguments)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(argv, env=environment, input=stdin,
                          capture_output=True, text=True)
    took = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, (after.ru_utime - before.ru_utime
                  + after.ru_stime - before.ru_stime), done


def built(peer, count):
    """The table of keys as a file of its own, in use: (path, seconds, of the
    processor, bytes)."""
    path = keys(peer, count)
    took, used, done = postmap(peer, f"hash:{path}")
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-400:])
    # what opened the table before there was one is not asked
    peer.restart()
    return path, took, used, sum(f.stat().st_size for f in files_of(path))


def files_of(path):
    return list(path.parent.glob(f"{path.name}.*"))


def there(peer, count):
    """The table's path; an instance behind a case that failed has none yet."""
    path = keys(peer, count)
    if not files_of(path):
        built(peer, count)
    return path


def build(peer, case):
    _, took, used, size = built(peer, case.count)
    return {"build (s)": took, "build, cpu (s)": used,
            "file (MB)": size / 1e6}


def ask(peer, table, asked, count):
    """postmap -q - with so many keys; each of them must be found."""
    short, _, _ = postmap(peer, "-q", "-", table, stdin=asked[0] + "\n")
    took, used, done = postmap(peer, "-q", "-", table,
                               stdin="\n".join(asked) + "\n")
    found = done.stdout.count("\n")
    if found != count:
        raise RuntimeError(f"{table}: {found} of {count} keys found: "
                           f"{done.stderr[-400:]}")
    rate = {"keys (1/s)": count / (took - short)} if took > short else {
        "lacks": "too quick, or the machine too busy, for a rate"}
    return {**rate, "to open it (ms)": short * 1e3,
            "cpu of 1,000 keys (ms)": used * 1e6 / count}


def query(peer, case):
    chance = random.Random(2)
    asked = [f"k{chance.randrange(case.more['of'])}@"
             f"{peer.site.relay_domain}" for _ in range(case.count)]
    path = there(peer, case.more["of"])
    return ask(peer, f"{case.more['kind']}:{path}", asked, case.count)


def patterns(peer, case):
    """The rule that matches is any of them."""
    path = peer.site.root / "etc/patterns"
    path.write_text("".join(
        rf"/^user{n}\+.*@(mail|mx)\.example\.test$/ found{n}" "\n"
        for n in range(case.more["of"])))
    chance = random.Random(3)
    asked = [f"user{chance.randrange(case.more['of'])}+x@mx.example.test"
             for _ in range(case.count)]
    return ask(peer, f"regexp:{path}", asked, case.count)


def networks(peer, case):
    path = peer.site.root / "etc/networks"
    rows = [(n >> 8, n & 255) for n in range(case.more["of"])]
    path.write_text("".join(f"10.{a}.{b}.0/24 found\n" for a, b in rows))
    chance = random.Random(4)
    asked = ["10.%d.%d.%d" % (*chance.choice(rows), chance.randrange(256))
             for _ in range(case.count)]
    return ask(peer, f"cidr:{path}", asked, case.count)


def recipients(peer, case):
    def load(count, seconds):
        return measure.load("rcpt_load", "-d", seconds, peer.port("smtp"), case.more["mode"],
                            f"k%d@{peer.site.relay_domain}", case.sessions,
                            count, case.more["of"])
    there(peer, case.more["of"])
    load(case.sessions * 100, 2)
    with measure.Over(peer) as over:
        said = load(case.count, smtp.seconds(peer, case))
    return {"recipients (1/s)": said["count"] / said["seconds"],
            **{f"{p} (ms)": said[p] for p in smtp.PERCENTILES},
            **over.each(said["count"])}


def null(case):
    """Against a sink that takes every recipient."""
    with smtp.sink() as server:
        said = measure.load("rcpt_load", "-d", 1, server.port, "taken",
                            "k%d@relay.test", case.sessions, case.count,
                            case.more["of"])
    return {"recipients (1/s)": said["count"] / said["seconds"],
            **{f"{p} (ms)": said[p] for p in smtp.PERCENTILES}}


# The way of a question within Posthaste

def each(question, count):
    """Median and quickest hundredth of one question, in microseconds."""
    took = []
    for n in range(count):
        start = time.perf_counter()
        question(n)
        took.append((time.perf_counter() - start) * 1e6)
    took.sort()
    return statistics.median(took), took[len(took) // 100]


def hop(peer, case):
    sys.path.insert(1, str(TOP / "tests/scenario/lookup"))
    import databases
    from lookup_client import FOUND, Lookup
    etc = pathlib.Path(peer.site.root, "etc")
    names = [f"u{n}@example.test" for n in range(1000)]
    (etc / "names").write_text("".join(f"{n} bob@example.test\n"
                                       for n in names))
    server = databases.Postgres()
    try:
        server.sql("create table a (name text primary key, result text);"
                   "grant select on a to mail; insert into a select "
                   "'u' || i || '@example.test', 'bob@example.test' "
                   "from generate_series(0, 999) i; analyze a")
        (etc / "sql.cf").write_text(server.settings(
            query="SELECT result FROM a WHERE name = '%s'"))
        tables = {"file": f"texthash:{etc}/names",
                  "PostgreSQL": f"pgsql:{etc}/sql.cf"}
        with open(etc / "main.cf", "a") as f:
            f.write(f"virtual_alias_maps = {', '.join(tables.values())}\n")
        peer.restart()
        lookup = Lookup(peer.site)
        figures = {}
        for name, table in tables.items():
            def question(n):
                if lookup.query(table, names[n % 1000])[0] != FOUND:
                    raise RuntimeError(f"{table}: not found")
            question(0)
            with measure.Over(peer) as over:
                median, quickest = each(question, case.count)
            figures.update({f"{name}, median (us)": median,
                            f"{name}, quickest hundredth (us)": quickest,
                            **over.each(case.count, name)})
        return figures
    finally:
        server.close()


def hops(quick):
    """Of Posthaste alone; where there is a PostgreSQL, and what tests start one
    with."""
    if not glob.glob("/usr/lib/postgresql/*/bin/initdb") or \
            importlib.util.find_spec("pytest") is None:
        print("SKIP: lookup: a question's way within: no PostgreSQL, or no "
              "pytest")
        return []
    return [Case("a question's way within", NEEDS, hop,
                 only=frozenset({"posthaste"}),
                 site={"users": 2}, count=200 if quick else 3000)]


def cases(quick):
    million = 2000 if quick else 1_000_000
    many = 1000 if quick else 500_000
    few = 200 if quick else 20_000
    rcpts = 2000 if quick else 10_000_000

    def case(label, run, count, **options):
        more = {"of": million, **options.pop("more", {})}
        return Case(label, NEEDS, run, site=SITE, count=count, more=more,
                    **{"counted": False, **options})

    def rcpt(label, sessions, mode="taken", **options):
        return case(label, recipients, rcpts, sessions=sessions, counted=True,
                    more={"mode": mode}, **options)
    return [
        case(f"build of {million:,} entries, hash", build, million),
        case(f"postmap -q of {many:,} keys, hash", query, many,
             more={"kind": "hash"}),
        case(f"postmap -q of {many:,} keys, texthash", query, many,
             more={"kind": "texthash"}),
        case(f"postmap -q of {few:,} keys, regexp of 300", patterns, few,
             more={"of": 300}),
        case(f"postmap -q of {few:,} keys, cidr of 5,000", networks, few,
             more={"of": 5000}),
        rcpt("RCPT, 1 session", 1, null=null),
        rcpt("RCPT, 20 sessions", 20, null=null),
        rcpt("RCPT refused, 20 sessions", 20, "refused"),
        *hops(quick)]
