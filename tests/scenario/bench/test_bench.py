# SPDX-License-Identifier: ISC
"""bench/run works: never how fast anything is."""
import importlib.util
import json
import os
import pathlib
import re
import subprocess

import posthaste
import pytest

TOP = posthaste.SOURCE
pytestmark = pytest.mark.skipif(
    not posthaste.AS_ROOT, reason="the bench wants root")


def bench(tmp_path, *arguments):
    """Its tables by title, and what it printed; fails where it fails."""
    out = tmp_path / "out.json"
    done = subprocess.run(
        [TOP / "bench/run", "-q", "-j", out, *arguments], text=True,
        capture_output=True, timeout=280,
        env=dict(os.environ, POSTHASTE_ROOT=str(posthaste.ROOT)))
    skipped = re.search(r"SKIP: .*", done.stdout)
    if skipped:
        pytest.skip(skipped[0])
    assert done.returncode == 0, done.stdout + done.stderr
    tables = {t["title"].split(":")[0]: t["rows"]
              for t in json.loads(out.read_text())}
    return tables, done.stdout


def test_mail_is_measured_and_counted(tmp_path):
    tables, text = bench(tmp_path, "-o", "posthaste", "-k", "4 KB",
                         "accept", "relay")
    for group in ("accept", "relay"):
        for label, row in tables[group].items():
            value = {k: v["posthaste"][0] for k, v in row.items()}
            assert value["taken (1/s)"] > 0, label
            assert 0 < value["p50 (ms)"] <= value["p90 (ms)"] <= \
                value["p99 (ms)"] <= value["max (ms)"], label
            assert value["cpu (ms)"] > 0, label
            # what is accepted is on disk: one flush, or one for several
            assert 0 < value["fsyncs (n)"] <= 2, label
            assert value["system calls (n)"] > 10, label
    assert "our client alone" in text and "disk alone" in text


def test_the_sendmail_command_and_many_recipients_are_measured(tmp_path):
    tables, _ = bench(tmp_path, "-o", "posthaste", "sendmail", "recipients")
    assert set(tables) == {"sendmail", "recipients"}
    for rows in tables.values():
        for label, row in rows.items():
            assert row["cpu (ms)"]["posthaste"][0] > 0, label


@pytest.mark.parametrize("peer", ["postfix", "exim", "opensmtpd"])
def test_a_peer_does_the_same_work(tmp_path, peer):
    # what is not there already is not fetched for this
    at = pathlib.Path(os.environ.get("BENCH_PEERS",
                                     posthaste.ROOT.parent / "peers"))
    if not (at / peer).is_dir():
        pytest.skip(f"no {peer}: bench/run fetches it")
    tables, _ = bench(tmp_path, "-o", peer, "-k", "1 mailbox", "accept")
    for label, row in tables["accept"].items():
        assert row["delivered (1/s)"][peer][0] > 0, label
        assert row["fsyncs (n)"][peer][0] >= 0.9, label


def module(path):
    spec = importlib.util.spec_from_file_location("loaded", TOP / path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def test_a_table_says_who_is_ahead():
    table = module("bench/frame/table.py").Table("t: title")
    for rate, time in ((90, 5), (100, 4), (120, 2)):
        table.add("case", "other", {"a (1/s)": rate, "b (ms)": time})
        table.add("case", "posthaste", {"a (1/s)": 2 * rate, "b (ms)": 8})
    table.add("case", "slow", {"a (1/s)": 1, "b (ms)": 100})
    text = table.text()
    assert re.search(r"a \(1/s\) +200 ±15% +100 ±15% +1 +2\.00$", text, re.M)
    assert re.search(r"b \(ms\) +8 ±0% +4 ±38% +100 +0\.50$", text, re.M)
    assert "| case: a (1/s) | 200 ±15% | 100 ±15% | 1 | 2.00 |" in \
        table.markdown()
