# SPDX-License-Identifier: ISC
"""The same commands on the same files, ours and Postfix's, and what in their
complaints is the same although it is worded otherwise."""
import os
import re
import subprocess

import postfix_peer
from posthaste import ROOT

# wording that says the same
SAME = [(re.compile(pattern), same) for pattern, same in [
    (rb"(?m)^(postmap|postalias): warning: .*(macro (name|reference)).*\n",
     rb""),
    (rb"out-of-range", rb"out of range"),
    (rb"out of range replacement index \"\d+\"", rb"out of range"),
    (rb"( -- |: )(ignoring|skipping) this (line|rule)", rb""),
    (rb"(?<=query error).*", rb""),
    (rb"no closing regexp delimiter \".\"", rb"no closing delimiter"),
    (rb"unsupported dictionary type: (\w+)( \(|\.).*",
     rb"unsupported dictionary type: \1"),
    (rb"(regexp|texthash):m map requires O_RDONLY access mode",
     rb"table \1:m: delete operation is not supported"),
    (rb"(open database|open|read|cidr map) (/\S*?)(: read error)?: Is a dir",
     rb"\2: Is a dir"),
    (rb"(hash|btree|lmdb|cdb):m\.(db|lmdb|cdb):", rb"\1:m:"),
    (rb"\.cdb", rb".db"),
    (rb"(lmdb:m|m\.db|m\.lmdb|m): duplicate", rb"m: duplicate"),
    (rb"[\x80-\xff]", rb"?"),
    # for "query error" above it is said what the error is
    (rb"(?m)^postmap: warning: .*: key \".*\": non-UTF-8 value .*\n", rb""),
    (rb'(?m)bad address pattern: "\[?(.*?)\]?"$', rb'bad address pattern: "\1"'),
    # of some wrong $ of one result: how many of them
    (rb"(?m)^(.*line \d+: (?:out of range|non-numeric).*\n)"
     rb"(?:.*line \d+: (?:out of range|non-numeric).*\n)+"
     rb"(?=.*bad replacement syntax)", rb"\1"),
    # blanks at the end of a line that is shown
    (rb"(?m)[ ?]+([\"'])$", rb"\1"),
]]
# postalias adds these for NIS and Sendmail; a key "@" is none of ours
FOREIGN = re.compile(rb"(?m)^(@|YP_LAST_MODIFIED|YP_MASTER_NAME):\t.*\n")


class Both:
    """Runs a case's commands with each, in folders below "folder"."""

    def __init__(self, folder):
        self.folder = folder
        self.peer = postfix_peer.Postfix(folder / "peer")
        (folder / "ours").mkdir()
        (folder / "ours/main.cf").write_text(
            "compatibility_level = 3.6\nmyhostname = host.example.test\n")
        (folder / "cases").mkdir()

    def ours(self, folder, program, *arguments, stdin=None):
        done = subprocess.run(
            [f"{ROOT}/sbin/{program}", *map(os.fsencode, arguments)],
            input=stdin or b"", cwd=folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C",
                 "MAIL_CONFIG": str(self.folder / "ours")},
            capture_output=True, timeout=300)
        return done.returncode, done.stdout, done.stderr

    def theirs(self, folder, *command, stdin=None):
        return self.peer.run(*command, stdin=stdin, cwd=folder)

    def results(self, name, files, commands):
        """Of [(command, standard input)], ours and theirs: for each the
        command, exit status, output and complaints."""
        folder = self.folder / "cases" / name
        return (_results(self.ours, folder / "ours", files, commands),
                _results(self.theirs, folder / "peer", files, commands))


def _results(run, folder, files, commands):
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_bytes(text)
        # long at rest, or Postfix reads it again for each key
        os.utime(folder / name, (1.6e9, 1.6e9))
    outcome = []
    for command, stdin in commands:
        code, out, err = run(folder, *command, stdin=stdin)
        if "-s" in command:
            out = b"".join(sorted(FOREIGN.sub(b"", out).splitlines(True)))
        for pattern, same in SAME:
            err = pattern.sub(same, err)
        if code == 1 and b": query error" in err:
            out = b""  # theirs forgets what it has not written yet
        outcome.append((b" ".join(map(os.fsencode, command)), code, out, err))
    return outcome


def lines(keys):
    return b"".join(k + b"\n" for k in keys)
