#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""What a question to a table costs, by the way it takes: one to a file through
lookup, one to PostgreSQL from one process (postmap -q -), and one to PostgreSQL
through lookup and lookup-server, which is that hop more.

POSTHASTE_ROOT=/installed/suite bench/lookup_hop.py [questions]"""
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parents[1] / "tests/scenario"
sys.path[:0] = [str(HERE), str(HERE / "lookup")]
import databases  # noqa: E402
from lookup_client import FOUND, Lookup  # noqa: E402
from posthaste import Instance  # noqa: E402


def each(ask, times):
    """Median and quickest hundredth of one question, in microseconds."""
    took = []
    for i in range(times):
        start = time.perf_counter()
        ask(i)
        took.append((time.perf_counter() - start) * 1e6)
    took.sort()
    return statistics.median(took), took[len(took) // 100]


def main():
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    server = databases.Postgres()
    s = Instance()
    try:
        server.sql("create table a (name text primary key, result text);"
                   "grant select on a to mail; insert into a select "
                   "'u' || i || '@example.test', 'bob@example.test' "
                   "from generate_series(0, 999) i; analyze a")
        s.write("virtual", "".join(f"u{i}@example.test bob@example.test\n"
                                   for i in range(1000)))
        path = s.write("sql.cf", server.settings(
            query="SELECT result FROM a WHERE name = '%s'"))
        files, sql = f"texthash:{s.root}/etc/virtual", f"pgsql:{path}"
        s.set(virtual_alias_maps=f"{files}, {sql}")
        s.start()
        lookup = Lookup(s)

        def asked(table):
            def ask(i):
                assert lookup.query(
                    table, f"u{i % 1000}@example.test")[0] == FOUND
            ask(0)
            return ask
        print("file through lookup: median %.0f us, quickest %.0f us"
              % each(asked(files), times))
        print("pgsql through lookup and lookup-server: median %.0f us, "
              "quickest %.0f us" % each(asked(sql), times))
        keys = "".join(f"u{i % 1000}@example.test\n" for i in range(times))

        def direct(number):
            start = time.perf_counter()
            text = "".join(keys.splitlines(True)[:number])
            s.command("postmap", "-q", "-", sql, stdin=text)
            return time.perf_counter() - start
        print("pgsql from one process, quickest of seven runs: %.0f us"
              % ((min(direct(times) for _ in range(7)) -
                  min(direct(1) for _ in range(7))) * 1e6 / (times - 1)))
    finally:
        s.close()
        server.close()


main()
