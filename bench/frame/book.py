# SPDX-License-Identifier: ISC
"""What was measured, one record after the other, and the tables made of it.

A record is a dict of JSON. "run" says which run it is of (its start), "group"
and "label" which case. Then it is one of

    peer, figures       one round's figures of a server
    peer, failed        it gave none, and why; with "counted", none of those
    peer, note          what is to be known of its figures
    peer, lacks         why it has none, or not all
    alone, figures      what "disk" or "client" did without a server
    title, remarks      of the group; written when it begins
    seconds             what the group took; written when it ends
    about               the machine, and how the run was asked for
    peer, version       below all tables
    missing, why        a server that could not be had

A file of them is a line each, written as soon as it is known: a run that was
interrupted is read like one that ended, but for a line that it left torn.
Several runs may share a file; what a later run measured of a case and server
takes the place of what was there, and a run of which nothing is left is in no head.
"""
import json
import sys

from .table import Table


def at_a_line(path):
    """A file to append records to, behind a torn line as well."""
    file = open(path, "ab+")
    if file.tell():
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            file.write(b"\n")
    return file


class Book:
    def __init__(self, path=None, run=""):
        self.file = at_a_line(path) if path else None
        self.run = run
        self.records = []

    def add(self, **record):
        record = {"run": self.run, **record}
        self.records.append(record)
        if self.file is not None:
            self.file.write(json.dumps(record).encode() + b"\n")
            self.file.flush()

    def read(self, path):
        """Takes up what another run has written; names lines that are torn."""
        with open(path, "rb") as f:
            for number, line in enumerate(f, 1):
                try:
                    self.records.append(json.loads(line))
                except ValueError:
                    print(f"{path}:{number}: left out, for it is torn",
                          file=sys.stderr)

    def all_of(self, key):
        return [r for r in self.records if key in r]

    def tables(self):
        """{group: Table}, in the order in which groups came first."""
        found = {}
        for record in self.records:
            if "group" not in record:
                continue
            table = found.setdefault(record["group"], Table(record["group"]))
            table.take(record)
        return found
