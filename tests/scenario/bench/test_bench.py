# SPDX-License-Identifier: ISC
"""bench/run works: never how fast anything is."""
import contextlib
import importlib
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import time
import types

import posthaste
import pytest

TOP = posthaste.SOURCE
sys.path.append(str(TOP / "bench"))  # behind: it has "peers", too
from frame import measure, peer as frame_peer, smtp as frame_smtp  # noqa: E402
from frame.book import Book  # noqa: E402
from frame.group import Case  # noqa: E402
from frame.peer import TooSlow, deadline, wait_for  # noqa: E402
from frame.table import ALONE, Table  # noqa: E402

pytestmark = pytest.mark.skipif(
    not posthaste.AS_ROOT, reason="the bench wants root")


def bench(tmp_path, *arguments):
    """Its tables by group, and what it printed; fails where it fails."""
    out = tmp_path / "out.json"
    done = subprocess.run(
        [TOP / "bench/run", "-q", "-j", out, *arguments], text=True,
        capture_output=True, timeout=280,
        env=dict(os.environ, POSTHASTE_ROOT=str(posthaste.ROOT)))
    skipped = re.search(r"SKIP: [a-z]+: .*", done.stdout)
    if skipped:
        pytest.skip(skipped[0])
    assert done.returncode == 0, done.stdout + done.stderr
    book = Book()
    book.read(out)
    return ({group: table.rows for group, table in book.tables().items()},
            done.stdout)


# of a message at most: what is accepted is on disk, by a flush of its own or one
# for several; a move into a Maildir has two more where the file system keeps no
# order (ext4 without a journal)
FLUSHES = {"accept": 3, "relay": 2}


def test_mail_is_measured_and_counted(tmp_path):
    tables, text = bench(tmp_path, "-o", "posthaste", "-k", "4 KB",
                         "accept", "relay")
    for group in ("accept", "relay"):
        for label, row in tables[group].items():
            value = {k: v["posthaste"][0] for k, v in row.items()
                     if "posthaste" in v}
            assert value["taken (1/s)"] > 0, label
            told = [value[f"{p} (ms)"] for p in frame_smtp.PERCENTILES
                    if f"{p} (ms)" in value]
            assert len(told) > 1 and 0 < told[0], label
            assert told == sorted(told), label
            assert value["cpu (ms)"] > 0, label
            assert 0 < value["fsyncs (n)"] <= FLUSHES[group], label
            assert value["system calls (n)"] > 10, label
            assert value["memory, most (MB)"] > 1, label
    assert "client alone" in text and "disk alone" in text


# a figure that says that the group did its work
OTHERS = {"sendmail": "cpu (ms)", "recipients": "cpu (ms)",
          "backlog": "flushed (1/s)", "idle": "held (sessions/s)",
          "pop3": "max (ms)", "imap": "warm (ms)",
          "tls": "connections (1/s)", "lookup": "max (ms)",
          "footprint": "memory (MB)"}


# what takes minutes, or is a command: processor time is all that is counted
UNCOUNTED = re.compile("build of|postmap -q|.*deferred|.*in IDLE|at rest|"
                       "[0-9]+ sessions$")


@pytest.mark.parametrize("group", OTHERS)
def test_a_group_is_measured(tmp_path, group):
    tables, _ = bench(tmp_path, "-o", "posthaste", group)
    assert set(tables) == {group}
    found = [row[OTHERS[group]]["posthaste"] for row in tables[group].values()
             if OTHERS[group] in row]
    assert found and all(value > 0 for values in found for value in values)
    for label, row in tables[group].items():
        assert any("cpu" in figure for figure in row), label
        for figure in measure.COUNTED:
            there = [values["posthaste"][0] for name, values in row.items()
                     if name.endswith(figure)]
            assert bool(there) != bool(UNCOUNTED.match(label)), label
            assert all(value > 0 for value in there) or \
                figure != "system calls (n)", label


def test_a_table_is_made_for_whoever_asks_it_first(tmp_path):
    """Behind a case that failed there is a new instance, without one."""
    tables, _ = bench(tmp_path, "-o", "posthaste", "-k", "RCPT, 1", "lookup")
    assert tables["lookup"]["RCPT, 1 session"]["recipients (1/s)"][
        "posthaste"][0] > 0


def test_no_group_is_forgotten():
    said = subprocess.run([TOP / "bench/run", "-l"], text=True, check=True,
                          capture_output=True).stdout
    groups = {line.split()[0] for line in said.splitlines()[:-1]}
    assert groups == {"accept", "relay", *OTHERS}


# one tiny case for each: (group, text of its label, a rate, flushes of one)
OF_PEERS = {"postfix": ("accept", "TLS", "delivered (1/s)", 0.9),
            "exim": ("accept", "TLS", "delivered (1/s)", 0.9),
            "opensmtpd": ("accept", "1 mailbox", "delivered (1/s)", 0.9),
            **{peer: ("imap", "log in", "logins (1/s)", 0)
               for peer in ("dovecot", "cyrus", "courier")}}


@pytest.mark.unsanitized  # nothing of ours runs in it
@pytest.mark.parametrize("peer", OF_PEERS)
def test_a_peer_does_the_same_work(tmp_path, peer):
    """bench/run fetches it where it is not there yet, into a folder that stays
    for the next run; where no mirror has it, that is the reason to skip."""
    group, text, rate, flushes = OF_PEERS[peer]
    tables, _ = bench(tmp_path, "-o", peer, "-k", text, group)
    rows = {label: row for label, row in tables[group].items()
            if peer in row[rate]}
    assert rows
    for label, row in rows.items():
        assert row[rate][peer][0] > 0, label
        assert row["system calls (n)"][peer][0] > 10, label
        assert row["fsyncs (n)"][peer][0] >= flushes, label


def test_all_peers_are_tried():
    assert set(OF_PEERS) == {
        path.stem for path in (TOP / "bench/peers").glob("[a-z]*.py")
    } - {"posthaste"}


def test_a_peer_that_cannot_be_fetched_is_skipped_with_the_reason(tmp_path):
    apt = tmp_path / "bin/apt-get"
    apt.parent.mkdir()
    apt.write_text("#!/bin/sh\nprintf '%s\\n' 'E: no mirror answers' "
                   "'E: Some files failed' >&2; exit 100\n")
    apt.chmod(0o755)
    done = subprocess.run(
        [TOP / "bench/run", "-q", "-o", "exim", "footprint"], text=True,
        capture_output=True, timeout=60,
        env=dict(os.environ, POSTHASTE_ROOT=str(posthaste.ROOT),
                 BENCH_PEERS=str(tmp_path / "peers"),
                 PATH=f"{apt.parent}:{os.environ['PATH']}"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIP: exim: its packages cannot be fetched: E: no mirror answers" \
        in done.stdout


def test_a_table_says_who_is_ahead():
    table = Table("t: title")
    for rate, time in ((90, 5), (100, 4), (120, 2)):
        table.add("case", "postfix", {"a (1/s)": rate, "b (ms)": time})
        table.add("case", "posthaste", {"a (1/s)": 2 * rate, "b (ms)": 8})
    table.add("case", "exim", {"a (1/s)": 1, "b (ms)": 100})
    table.add("case", "client", {"a (1/s)": 5000, "of no server (n)": 1})
    text = table.text()
    assert re.search(r"a \(1/s\) +200 ±15% +100 ±15% +1 +5000 +2\.00$", text,
                     re.M)
    assert re.search(r"b \(ms\) +8 ±0% +4 ±38% +100 +0\.50$", text, re.M)
    assert "| case: a (1/s) | 200 ±15% | 100 ±15% | 1 | 5000 | 2.00 |" in \
        table.markdown()
    assert "of no server" not in text


def test_a_run_that_was_interrupted_is_read(tmp_path):
    """Up to its last whole line; a later run's values stand for a case."""
    path = tmp_path / "all.json"
    for run, rate in (("1", 100), ("2", 700)):
        book = Book(path, run)
        book.add(about=f"machine of run {run}")
        book.add(group="relay", title="relay: a title")
        book.add(group="relay", label="case", peer="posthaste",
                 figures={"a (1/s)": rate})
        if run == "1":
            book.add(group="relay", label="case", peer="postfix",
                     figures={"a (1/s)": 10})
            book.add(group="relay", label="case", peer="exim",
                     failed="TooSlow: not done in 9 s")
        with open(path, "a") as f:
            f.write('{"run": "2", "group": "relay", "label": "case", "pe')
    done = subprocess.run([TOP / "bench/run", "-m", "--from", path, "relay"],
                          text=True, check=True, capture_output=True)
    text = done.stdout
    assert "machine of run 1" in text and "## relay: a title" in text
    assert "| case: a (1/s) | 700 | 10 | 70.00 |" in text
    assert "- case: exim FAILED: TooSlow: not done in 9 s" in text
    # behind the first the second run began a line of its own
    assert re.findall(r":(\d+): left out", done.stderr) == ["6", "10"]


def groups_of(book, run, seconds, *cases):
    """This run's cases (label, server or what was alone, rate) of a group."""
    book.run = run
    book.add(about=f"machine, {run}")
    book.add(peer="posthaste", version=f"of {run}")
    book.add(group="relay", title="relay: a title")
    for label, who, rate in cases:
        of = "alone" if who in ALONE else "peer"
        book.add(group="relay", label=label, **{of: who},
                 figures={"a (1/s)": rate})
    if seconds is not None:
        book.add(group="relay", seconds=seconds)


def test_a_run_of_which_nothing_is_left_is_not_told(tmp_path):
    path = tmp_path / "all.json"
    book = Book(path)
    groups_of(book, "2026-01-01 00:00:01", 6000, ("a", "posthaste", 1),
              ("b", "posthaste", 1))
    groups_of(book, "2026-01-02 00:00:01", 60, ("a", "posthaste", 2))
    groups_of(book, "2026-01-03 00:00:01", 120, ("b", "posthaste", 2))
    text = subprocess.run([TOP / "bench/run", "--from", path, "relay"],
                          text=True, check=True, capture_output=True).stdout
    assert "took 3.0 minutes" in text
    assert "2026-01-01" not in text
    assert "machine, 2026-01-02" in text and "machine, 2026-01-03" in text
    assert "posthaste: of 2026-01-03" in text and "interrupted" not in text


def test_a_group_that_was_cut_off_says_so():
    book = Book()
    groups_of(book, "2026-01-01 00:00:01", 60, ("a", "posthaste", 1),
              ("b", "postfix", 1))
    groups_of(book, "2026-01-02 00:00:01", None, ("b", "posthaste", 2))
    foot = book.tables()["relay"].foot()
    assert foot[-2].startswith("interrupted: the run of 2026-01-02 00:00 ")
    assert foot[-1] == "took 1.0 minutes"
    # one that came to nothing is told where there is nothing else
    book = Book()
    groups_of(book, "2026-01-03 00:00:01", None)
    assert book.tables()["relay"].foot()[0].startswith("interrupted: ")


def test_figures_of_several_runs_are_said_to_be():
    """What was measured alone as well: a ratio would be of two machines."""
    book = Book()
    groups_of(book, "2026-01-01 00:00:01", 1, *(
        (label, who, 9) for label in "ab"
        for who in ("posthaste", "exim", "disk", "client")))
    assert not [line for line in book.tables()["relay"].foot()
                if "several" in line]
    groups_of(book, "2026-01-02 00:00:01", 1, ("b", "exim", 1),
              ("b", "client", 9))
    assert [line for line in book.tables()["relay"].foot()
            if "several" in line] == [
        "b: of several runs: posthaste, disk alone of 2026-01-01 00:00; "
        "exim, client alone of 2026-01-02 00:00"]


def test_what_the_client_limits_is_told_and_put_in_brackets():
    table = Table("t")
    for label, ours in (("near", 80), ("far", 60)):
        table.add(label, "posthaste", {"a (1/s)": ours, "b (ms)": 1,
                                       "cpu (ms)": 1})
        table.add(label, "exim", {"a (1/s)": 20, "b (ms)": 4, "cpu (ms)": 2})
        table.add(label, "client", {"a (1/s)": 100, "b (ms)": 1})
    ahead = {line[0]: line[-1] for line in table.lines()}
    assert ahead == {"": "ahead", "near: a (1/s)": "(4.00)",
                     "near: b (ms)": "(4.00)", "near: cpu (ms)": "2.00",
                     "far: a (1/s)": "3.00", "far: b (ms)": "4.00",
                     "far: cpu (ms)": "2.00"}
    limited, = table.foot()
    assert limited.startswith("near: posthaste: near to what the client does")


def test_each_missing_figure_has_its_reason():
    """A "-" without a line below the table tells nothing."""
    said = {"run": "1", "group": "g"}
    table = Table("t")
    table.take({**said, "title": "t"})
    for label in "abcd":
        table.take({**said, "label": label, "peer": "posthaste",
                    "figures": {"a (1/s)": 1, "b (ms)": 1}})
    for label, more in (
            ("a", {"lacks": "no b"}), ("a", {"figures": {"a (1/s)": 1}}),
            ("b", {"note": "is known"}), ("b", {"figures": {"a (1/s)": 1}}),
            ("c", {"failed": "E"})):
        table.take({**said, "peer": "exim", "label": label, **more})
    foot = table.foot()
    assert foot[:5] == [
        "b: exim: is known", "a: exim: no b",
        "b: exim: some figures are missing: the run was interrupted",
        "d: exim: not measured: the run was interrupted",
        "c: exim FAILED: E"]
    assert foot[5].startswith("interrupted") and len(foot) == 6
    table.take({**said, "seconds": 60})
    assert table.foot()[2:4] == ["b: exim: some figures are missing",
                                 "d: exim: not measured"]


def test_what_is_of_another_load_or_scope_is_told(run, tmp_path):
    tls = importlib.import_module("groups.tls")
    peer = frame_peer.Peer()
    peer.opening = 4
    case = Case("c", None, None, sessions=5)
    assert "no more than 4" in frame_smtp.few_at_a_time(peer, case)["note"]
    case.sessions = 4
    assert not frame_smtp.few_at_a_time(peer, case)
    assert "full ones" in tls.half_resumed(49.9)["note"]
    assert not tls.half_resumed(0.5)
    book = Book()
    run.run_group("footprint", [], types.SimpleNamespace(
        q=True, s=False, k="", rounds=1), tmp_path, book)
    assert book.tables()["footprint"].foot()[0].startswith("posthaste is one")


def test_a_word_on_a_case_is_no_figure(run, tmp_path):
    """Of the round that counts no figure but what is counted, of any part."""
    case = Case("c", frozenset(), lambda *_: {
        "MOVE (ms)": 1, "MOVE, fsyncs (n)": 2, "fsyncs (n)": 3,
        "note": "known", "lacks": "it has no COPY"}, group="g")
    peer, book = Nobody(), Book()
    peer.counted = True
    run.one_case(peer, case, book)
    assert book.records == [{"run": "", "group": "g", "label": "c",
                             "peer": "posthaste", "figures": {
                                 "MOVE, fsyncs (n)": 2, "fsyncs (n)": 3}}]
    peer.counted = False
    run.one_case(peer, case, book)
    table = book.tables()["g"]
    assert table.rows["c"]["MOVE (ms)"] == {"posthaste": [1]}
    assert table.foot() == ["c: posthaste: known",
                            "c: posthaste: it has no COPY"]


def test_counts_of_a_later_run_leave_the_times():
    book = Book()
    counts = {"fsyncs (n)": 1, "writes waited for (n)": 0}
    for run, figures in (("2026-01-01 00:00:01", {"a (1/s)": 5}),
                         ("2026-01-01 00:00:01", counts),
                         ("2026-01-02 00:00:01", {**counts, "fsyncs (n)": 3})):
        book.records.append({"run": run, "group": "relay", "label": "c",
                             "peer": "posthaste", "figures": figures})
    table = book.tables()["relay"]
    assert table.rows["c"] == {
        "a (1/s)": {"posthaste": [5]}, "fsyncs (n)": {"posthaste": [3]},
        "writes waited for (n)": {"posthaste": [0]}}
    assert table.foot() == [
        "c: of several runs: posthaste of 2026-01-01 00:00; what was counted "
        "of posthaste of 2026-01-02 00:00"]
    assert [line[0] for line in table.lines()] == [
        "", "c: a (1/s)", "c: fsyncs (n)"]
    book.records.append({"run": "2026-01-03 00:00:01", "group": "relay",
                         "label": "c", "peer": "posthaste", "failed": "E",
                         "counted": True})
    table = book.tables()["relay"]
    assert table.rows["c"]["a (1/s)"] == {"posthaste": [5]}
    assert not any(table.rows["c"]["fsyncs (n)"].values())
    assert "c: posthaste FAILED: E" in table.foot()


def test_what_is_said_of_several_is_one_line():
    table = Table("t")
    for label in "abc":
        for who in "exim", "dovecot":
            table.add(label, who, {"a (n)": 1})
            table.notes[label, who] = "the same"
    table.notes["a", "exim"] = "another"
    assert table.foot() == ["a: exim: another", "all: dovecot: the same",
                            "b; c: exim: the same"]
    del table.notes["a", "exim"], table.notes["a", "dovecot"]
    assert table.foot() == ["b; c: exim, dovecot: the same"]


def test_what_failed_gives_way_to_what_a_later_run_measured():
    """And the other way round: one run's word stands for a case."""
    table, said = Table("a title"), {"label": "case", "peer": "exim"}

    def values():
        return table.rows["case"]["a (1/s)"].get("exim")
    table.take({"run": "0", **said, "failed": "at first"})
    table.take({"run": "1", **said, "figures": {"a (1/s)": 1}})
    assert values() == [1] and not table.failed
    table.take({"run": "2", **said, "failed": "why"})
    assert not values() and table.failed == {("case", "exim"): "why"}
    table.take({"run": "3", **said, "figures": {"a (1/s)": 3}})
    table.take({"run": "3", **said, "figures": {"a (1/s)": 5}})
    assert values() == [3, 5] and not table.failed
    # a failure in a run that has values already leaves them
    table.take({"run": "3", **said, "failed": "later"})
    assert values() == [3, 5] and table.failed
    table.take({"run": "1", **said, "figures": {"a (1/s)": 1}})
    assert values() == [1] and not table.failed


@pytest.mark.parametrize("more", [["-q"], ["-s"], ["-r", "2"], ["-k", "x"],
                                  ["-o", "exim"], ["-j", "y"]],
                         ids=lambda more: more[0])
def test_what_was_measured_is_not_measured_anew(tmp_path, more):
    done = subprocess.run(
        [TOP / "bench/run", "--from", tmp_path / "none", *more], text=True,
        check=False, capture_output=True)
    assert done.returncode == 2
    assert f"{more[0]} is for what is measured" in done.stderr


def test_a_case_ends_when_its_time_is_up():
    """And says how far it was."""
    with pytest.raises(TooSlow, match=r"not done in 0\.2 s: 3 of 4 arrived"):
        with deadline(0.2):
            wait_for(lambda: "3 of 4 arrived", lambda: False)
    with deadline(60):
        assert wait_for("an event", lambda: True)


def test_of_settings_with_one_name_the_last_one_stands():
    """Postfix warns of two, in each of its processes."""
    text = frame_peer.with_options("a = 1\nb_c =\nb = 2\n",
                                   {"b_c": "3", "d": "4"})
    assert text == "a = 1\nb = 2\nb_c = 3\nd = 4\n"


def test_a_server_has_the_same_descriptors_whoever_starts_it():
    def allowed(number):
        return subprocess.run(
            ["sh", "-c", "ulimit -n; ulimit -Hn"], check=True, text=True,
            capture_output=True,
            preexec_fn=lambda: frame_peer.open_many(number)).stdout.split()
    assert allowed(100) == ["100", "100"]
    # not above what a machine allows at all
    most = allowed(1 << 40)
    assert most[0] == most[1] != "100"


def test_a_note_stands_below_the_table_of_its_run():
    table, said = Table("a title"), {"label": "case", "peer": "exim"}
    table.take({"run": "1", **said, "note": "why"})
    table.take({"run": "1", **said, "figures": {"a (1/s)": 1}})
    table.take({"run": "1", **said, "label": "other", "note": "why"})
    assert table.foot() == ["case; other: exim: why"]
    table.take({"run": "2", **said, "figures": {"a (1/s)": 1}})
    assert table.foot() == ["other: exim: why"]


def test_no_more_sessions_are_tried_than_can_be_held(monkeypatch):
    idle = importlib.import_module("groups.idle")
    peer = frame_peer.Peer()
    monkeypatch.setattr(idle, "available", lambda: idle.KEPT + 5_000_000)
    assert idle.fit(peer, 10_000) == (10_000, "")
    peer.most = 4000, "why"
    assert idle.fit(peer, 4000) == (4000, "")
    assert idle.fit(peer, 4001) == (4000, "why")
    peer.session_room = 1_000_000
    tried, why = idle.fit(peer, 10_000)
    assert tried == 5 and "memory" in why
    assert idle.fit(peer, 3) == (3, "")


def test_what_was_not_held_is_told():
    idle = importlib.import_module("groups.idle")
    case = Case("c", None, None, sessions=9, more={"opening": 7})
    said = {"untried": 0, "held": 8}
    assert not idle.note(9, "", said, case)
    assert idle.note(5, "why", said, case)["note"] == "5 sessions tried: why"
    said["untried"] = 1
    assert "8 sessions after 7 s" in idle.note(9, "", said, case)["note"]


@pytest.fixture
def run():
    loader = importlib.machinery.SourceFileLoader("bench_run",
                                                  str(TOP / "bench/run"))
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("bench_run", loader))
    loader.exec_module(module)
    return module


class Nobody(frame_peer.Peer):
    """Does nothing, and keeps what was asked of it."""

    name = "posthaste"

    def __init__(self):
        super().__init__()
        self.asked = []

    def begin(self, site):
        self.site = site
        self.asked.append("begin")

    def end(self):
        pass

    def restart(self):
        self.asked.append("restart")


def test_a_counted_case_begins_with_the_memory_of_none_before(run, tmp_path):
    cases = [Case(label, frozenset(), lambda *_: {"fsyncs (n)": 1}, group="g")
             for label in ("first", "second", "third")]
    for counted, asked in ((True, ["begin", "restart", "restart"]),
                           (False, ["begin"])):
        peer, book = Nobody(), Book()
        assert not run.one_round(peer, cases, tmp_path, counted, book)
        assert peer.asked == asked


def test_a_server_that_does_not_come_back_fails_the_next_case_alone(
        run, tmp_path):
    ran = []
    cases = [Case(label, frozenset(), lambda _, case: ran.append(case.label)
                  or {"fsyncs (n)": 1}, group="g")
             for label in ("first", "second", "third")]
    peer = Nobody()
    peer.restart = lambda: 1 / (len(ran) - 1)
    assert run.one_round(peer, cases, tmp_path, True, Book()) == {"second"}
    assert ran == ["first", "third"]


def test_load_programs_are_of_what_is_there(run, tmp_path, monkeypatch):
    """Older ones are not measured with, whoever built them; what is new is
    left alone, for others may be at work there."""
    (tmp_path / "Makefile").write_text(
        ".PHONY: bench-programs\nbench-programs: load\n"
        "load: library\n\techo made >> load\n")
    load, library = tmp_path / "load", tmp_path / "library"
    library.touch()
    monkeypatch.setattr(run, "BUILD", tmp_path)
    for made, later in ((1, 0), (1, 0), (2, 9)):
        at = time.time() + later
        os.utime(library, (at - 5, at - 5))
        run.build()
        assert load.read_text().count("made") == made
        os.utime(load)


def test_what_a_server_cannot_do_is_told(run):
    peer, book = Nobody(), Book()
    peer.can, peer.cannot = frozenset({"smtp"}), {"starttls": "why not"}
    run.say_what_lacks(
        [Case(label, frozenset(needs), None, group="g") for label, needs in (
            ("can", {"smtp"}), ("cannot", {"smtp", "starttls"}),
            ("another's work", {"imap"}))], [peer], book)
    assert book.tables()["g"].foot() == [
        "cannot: posthaste: why not", "another's work: posthaste: it does no imap"]
    # of a group of which it does nothing no more than why it cannot
    book = Book()
    run.say_what_lacks(
        [Case(label, frozenset(needs), None, group="g") for label, needs in (
            ("cannot", {"starttls"}), ("another's work", {"imap"}))],
        [peer], book)
    assert book.tables()["g"].foot() == ["cannot: posthaste: why not"]


def test_a_case_may_be_for_some_servers_only(run):
    peer = Nobody()
    peer.can = frozenset({"imap"})
    for only, fits in ((frozenset(), True), ({"posthaste", "exim"}, True),
                       ({"exim"}, False)):
        case = Case("c", frozenset({"imap"}), None, only=frozenset(only))
        assert run.fits(case, peer) == fits
    assert not run.fits(Case("c", frozenset({"smtp"}), None), peer)


def test_the_disk_is_asked_once_a_round(run, tmp_path, monkeypatch):
    asked, book = [], Book()

    def limit(folder, *what):
        asked.append(what)
        return {"rate": len(asked)}
    monkeypatch.setattr(run.measure, "disk_limit", limit)
    cases = [Case(label, frozenset(), None, group="g", disk="a (1/s)",
                  size=size) for label, size in (("a", 1), ("b", 1), ("c", 2))]
    for case in cases:
        book.add(group="g", label=case.label, peer="exim",
                 figures={"a (1/s)": 1})
    quick = types.SimpleNamespace(q=True)
    for number in range(2):
        run.disk_alone(cases, number, quick, tmp_path, book)
    assert asked == [(1, 1, 0.3), (1, 2, 0.3)] * 2
    rows = book.tables()["g"].rows
    assert [rows[label]["a (1/s)"]["disk"] for label in "abc"] == [
        [1, 3], [1, 3], [2, 4]]


def test_what_is_counted_as_warm_was_done_before(monkeypatch):
    imap = importlib.import_module("groups.imap")
    done = []

    @contextlib.contextmanager
    def over(_):
        done.append("counting")
        yield types.SimpleNamespace(each=lambda *what: what)
    monkeypatch.setattr(imap.measure, "Over", over)
    monkeypatch.setattr(imap, "times", lambda peer, user, *commands:
                        done.append(commands))
    assert imap.counts(Nobody(), 1, "part", "A", "B", "A") == (3, "part")
    assert done == [("SELECT INBOX", "A", "B"), "counting",
                    ("SELECT INBOX", "A", "B", "A")]


def test_a_backlog_says_how_far_it_was(monkeypatch):
    backlog = importlib.import_module("groups.backlog")

    def sent(*_):
        raise TooSlow("not done in 9 s")
    monkeypatch.setattr(backlog, "load", sent)
    peer = Nobody()
    peer.group = types.SimpleNamespace(memory=lambda: 0, used=lambda: 0)
    peer.ports = {"smtp": 1}
    with pytest.raises(TooSlow, match="9 s: not past .*memory before"):
        backlog.run(peer, Case("c", None, None))


def test_cases_of_one_instance_share_what_it_needs_at_rest(monkeypatch):
    footprint = importlib.import_module("groups.footprint")
    looked = []
    monkeypatch.setattr(footprint, "looked_at", lambda peer, case:
                        looked.append(peer.site.root) or {"a (n)": 1})
    peer = Nobody()
    cases = footprint.cases(False)
    for root in "a", "b":
        peer.site = types.SimpleNamespace(root=root)
        for case in cases:
            assert footprint.idle(peer, case) == {"a (n)": 1}
    assert looked == ["a", "b"]


def test_a_failure_is_not_the_other_cases(run, tmp_path, capfd):
    """What follows it has an instance of its own, and its values; why it was
    stands in the server's log."""
    def fails(peer, case):
        (peer.site.root / "mail.log").write_text("x" * 5000 + "the reason")
        raise TooSlow("not done")

    cases = [Case(label, frozenset(), what, group="g") for label, what in (
        ("first", lambda *_: {"a (1/s)": 1}), ("second", fails),
        ("third", lambda *_: {"a (1/s)": 3}))]
    peer, book = Nobody(), Book()
    peer.logs = "mail.log", "not there"
    assert run.one_round(peer, cases, tmp_path, False, book) == {"second"}
    assert "x" * 100 + "the reason" in capfd.readouterr().err
    table = book.tables()["g"]
    assert table.rows == {label: {"a (1/s)": {"posthaste": [value]}}
                          for label, value in (("first", 1), ("third", 3))}
    assert table.failed == {("second", "posthaste"): "TooSlow: not done"}
    assert peer.asked == ["begin", "begin"]
