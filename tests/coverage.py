#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""From what llvm-cov exports: lines entered, by folder, and the files with
most lines that no test enters. usage: coverage.py FILE TOP [FOLDER...]"""
import collections
import json
import sys

# what matters most when it fails
WATCHED = ("lib/queue", "qmgr", "cleanup", "local", "lib/store")


def files(path, top):
    with open(path) as f:
        for entry in json.load(f)["data"][0]["files"]:
            name = entry["filename"].removeprefix(top + "/")
            name = name.removeprefix("build-coverage/../")
            if not name.startswith(("/", "tests/", "bench/", "doc/")):
                lines = entry["summary"]["lines"]
                yield name, lines["count"], lines["covered"]


def percent(covered, count):
    return 100.0 * covered / count if count else 100.0


def main():
    found = sorted(files(sys.argv[1], sys.argv[2]))
    watched = sys.argv[3:] or WATCHED
    folders = collections.defaultdict(lambda: [0, 0])
    for name, count, covered in found:
        for key in (name.rpartition("/")[0], "all"):
            folders[key][0] += count
            folders[key][1] += covered
    print("| folder | lines | entered |\n|---|---|---|")
    folders["all"] = folders.pop("all")
    for folder, (count, covered) in folders.items():
        print(f"| {folder} | {count} | {percent(covered, count):.1f} % |")
    left = [(count - covered, name, count, covered)
            for name, count, covered in found
            if name.rpartition("/")[0] in watched]
    print(f"\nMost lines left, in {', '.join(watched)}:\n")
    for lines, name, count, covered in sorted(left, reverse=True)[:20]:
        print(f"{lines:5} of {count:5} {percent(covered, count):5.1f} % {name}")


if __name__ == "__main__":
    main()
