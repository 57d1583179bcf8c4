# SPDX-License-Identifier: ISC
"""The model of a power cut finds out who tells too early: programs that leave
out a step, each caught, and those that leave out none."""
import os
import random
import sys

import pytest

import crasher
import power

BEGIN = """
import os
def made(name, flags=0):
    return os.open(name, os.O_WRONLY | os.O_CREAT | flags, 0o600)
new = b"".join(b"line %d\\n" % n for n in range(2000))
"""
MADE = "f = made('message'); os.write(f, new)\n"
COPIED = "f = made('tmp/1'); os.write(f, new)\n"
RENAMED = "os.rename('tmp/1', 'message')\n"
FLUSHED = "os.fsync(f)\n"
DATA_FLUSHED = "os.fdatasync(f)\n"
WAITED = """
import ctypes
zero = ctypes.c_int64(0)
assert ctypes.CDLL(None).sync_file_range(f, zero, zero, 7) == 0
"""
ALL = "import ctypes; assert ctypes.CDLL(None).syncfs(f) == 0\n"
FOLDER = "os.fsync(os.open('.', os.O_RDONLY))\n"
OPENED = "f = os.open('old', os.O_RDWR)\n"
APPENDED = OPENED + "os.lseek(f, 0, 2); os.writev(f, [new[:7], new[7:]])\n"
MARKED = OPENED + "os.pwrite(f, b'X', 2)\n"
CUT = OPENED + "os.ftruncate(f, 3)\n"
SENT = "g = os.open('old', os.O_RDONLY); f = made('message')\n"
SENT += "os.sendfile(f, g, 0, 100)\n"
RANGE = SENT.replace("sendfile(f, g, 0", "copy_file_range(g, f")
OLD = b"an old file\n" * 600
NEW = b"".join(b"line %d\n" % n for n in range(2000))

# a program, and what is there for sure once it has told; False: it told early
PROGRAMS = {
    "made": (MADE + FLUSHED, {"message": NEW}, True),
    "made-not-flushed": (MADE, {"message": NEW}, False),
    "made-data-flushed": (MADE + DATA_FLUSHED, {"message": NEW}, False),
    "made-flushed-too-early": (
        MADE + FLUSHED + "os.write(f, new)\n", {"message": NEW * 2}, False),
    "made-in-sync": (
        "f = made('message', os.O_SYNC); os.write(f, new)\n" + FLUSHED,
        {"message": NEW}, True),
    "only-the-folder-flushed": (MADE + FOLDER, {"message": NEW}, False),
    "renamed": (COPIED + FLUSHED + RENAMED + FOLDER, {"message": NEW}, True),
    "renamed-then-flushed": (COPIED + RENAMED + FLUSHED, {"message": NEW},
                             True),
    "renamed-file-not-flushed": (COPIED + RENAMED + FOLDER, {"message": NEW},
                                 False),
    "renamed-folder-not-flushed": (COPIED + FLUSHED + RENAMED,
                                   {"message": NEW}, False),
    "renamed-and-either-name-will-do": (
        "f = made('old.tmp'); os.write(f, new)\n" + FLUSHED +
        "os.rename('old.tmp', 'old')\n", {"old": (OLD, NEW)}, True),
    "renamed-over-without-a-flush": (
        "f = made('old.tmp'); os.write(f, new)\n"
        "os.rename('old.tmp', 'old')\n", {"old": (OLD, NEW)}, False),
    "renamed-then-all-flushed": (COPIED + RENAMED + ALL, {"message": NEW},
                                 True),
    "all-flushed-too-early": (COPIED + ALL + RENAMED, {"message": NEW}, False),
    "appended": (APPENDED + DATA_FLUSHED, {"old": OLD + NEW}, True),
    "appended-not-flushed": (APPENDED, {"old": OLD + NEW}, False),
    "appended-and-the-old-stays": (
        APPENDED, {"old": lambda text: text.startswith(OLD)}, True),
    "appended-is-whole-or-not": (APPENDED, {"old": (OLD, OLD + NEW)}, False),
    "written-over": (
        OPENED + "os.write(f, new[:9000])\n",
        {"old": (OLD, NEW[:9000] + OLD[9000:])}, False),
    "marked": (MARKED + DATA_FLUSHED, {"old": b"anXold" + OLD[6:]}, True),
    "marked-not-flushed": (MARKED, {"old": b"anXold" + OLD[6:]}, False),
    "marked-never-torn": (MARKED, {"old": (OLD, b"anXold" + OLD[6:])}, True),
    "cut": (CUT + FLUSHED, {"old": b"an "}, True),
    "cut-not-flushed": (CUT, {"old": b"an "}, False),
    "cut-is-whole-or-not": (CUT, {"old": (OLD, OLD[:3])}, False),
    "cut-zeroes-one-block": (
        CUT, {"old": lambda text: text == OLD[:3] or (
            len(text) == len(OLD) and text[4096:] == OLD[4096:])}, True),
    "cut-between-blocks-is-whole-or-not": (
        OPENED + "os.ftruncate(f, 4096)\n", {"old": (OLD, OLD[:4096])}, True),
    "removed": ("os.unlink('old')\n" + FOLDER, {"old": None}, True),
    "removed-not-flushed": ("os.unlink('old')\n", {"old": None}, False),
    "linked": ("os.link('old', 'message')\n" + FOLDER, {"message": OLD}, True),
    "linked-not-flushed": ("os.link('old', 'message')\n", {"message": OLD},
                           False),
    "in-a-new-folder": (
        "os.mkdir('d'); f = made('d/m'); os.write(f, new)\n" + FLUSHED,
        {"d/m": NEW}, True),
    "sent": (SENT + FLUSHED, {"message": OLD[:100]}, True),
    "sent-not-flushed": (SENT, {"message": OLD[:100]}, False),
    "range": (RANGE + FLUSHED, {"message": OLD[:100]}, True),
    "range-not-flushed": (RANGE, {"message": OLD[:100]}, False),
    "emptied-and-written": (
        "f = made('old', os.O_TRUNC); os.write(f, new)\n",
        {"old": (OLD, NEW)}, False),
}


# with a journal that keeps order; in any state "message" is whole
JOURNAL = {
    "waited-renamed": (COPIED + WAITED + RENAMED,
                       {"message": (None, NEW)}, True),
    "renamed-not-waited-for": (COPIED + RENAMED,
                               {"message": (None, NEW)}, False),
    "renamed-waited-for-later": (COPIED + RENAMED + WAITED,
                                 {"message": (None, NEW)}, False),
    "waited-renamed-flushed": (COPIED + WAITED + RENAMED + FLUSHED,
                               {"message": NEW}, True),
    "waited-renamed-not-flushed": (COPIED + WAITED + RENAMED,
                                   {"message": NEW}, False),
}


OTHER = "g = made('tmp/2'); os.write(g, new); os.fsync(g)\n"
LATER = "for n in range(50): os.chmod('old', 0o600 + n % 2)\n"
REPLACED = "f = made('old.tmp'); os.write(f, new)\n" + FLUSHED + \
    "os.rename('old.tmp', 'old')\n"
EITHER = ("tmp/1", "message")

# on ext4 without a journal
LOOSE = {
    "moved-just-now": (COPIED + FLUSHED + RENAMED, {EITHER: NEW}, True),
    "moved-and-forgotten": (COPIED + FLUSHED + RENAMED + OTHER + LATER,
                            {EITHER: NEW}, False),
    "moved-and-flushed": (COPIED + FLUSHED + RENAMED + FLUSHED + OTHER + LATER,
                          {"message": NEW}, True),
    "moved-and-the-folder-flushed": (
        COPIED + FLUSHED + RENAMED + FOLDER + OTHER + LATER,
        {"message": NEW}, True),
    "moved-and-all-flushed": (COPIED + RENAMED + ALL + OTHER + LATER,
                              {"message": NEW}, True),
    "moved-and-the-old-folder-flushed": (
        COPIED + FLUSHED + RENAMED +
        "os.fsync(os.open('tmp', os.O_RDONLY))\n" + LATER,
        {EITHER: NEW}, False),
    "replaced-and-forgotten": (REPLACED + LATER, {"old": (OLD, NEW)}, False),
    "replaced-and-the-folder-flushed": (REPLACED + FOLDER + LATER,
                                        {"old": NEW}, True),
    "replaced-and-the-file-flushed": (REPLACED + FLUSHED + LATER,
                                      {"old": NEW}, False),
    "folders-made-above": (
        "os.makedirs('d/e'); f = made('d/e/m'); os.write(f, new)\n" + FLUSHED,
        {"d/e/m": NEW}, True),
    "made-before-its-folder-was-moved": (
        "os.mkdir('d'); f = made('d/m'); os.write(f, new)\n" + FLUSHED +
        "os.rename('d', 'tmp/d')\n" + FLUSHED + LATER, {"tmp/d/m": NEW},
        False),
}


def holds(files, path, wanted):
    if isinstance(path, tuple):
        return any(holds(files, p, wanted) for p in path)
    found = files.get(path)
    if callable(wanted):
        return found is not None and wanted(found)
    return found in (wanted if isinstance(wanted, tuple) else (wanted,))


KINDS = {"any": (PROGRAMS, power.NAMES),
         "journal": (JOURNAL, power.NAMES[:1]),
         "no-journal": ({**PROGRAMS, **LOOSE}, ("apart",))}


@pytest.mark.parametrize("kind,name", [
    (kind, name) for kind, (programs, _) in KINDS.items()
    for name in programs])
def test_told_too_early(tmp_path, kind, name):
    programs, names = KINDS[kind]
    program, wanted, good = programs[name]
    folder = tmp_path / "disk"
    (folder / "tmp").mkdir(parents=True)
    (folder / "old").write_bytes(OLD)
    (tmp_path / "program").write_text(BEGIN + program)
    recorder = power.Recorder(tmp_path / "record", folder)
    recorder.do(f"cd {folder}; {sys.executable} {tmp_path}/program", name)
    disk = recorder.end()
    disk.ordered, disk.names = kind == "journal", names
    told = disk.told("sh", f"done {name}.".encode())
    bad = []
    for n in range(120):
        chance = random.Random(f"{crasher.SEED} {name} {n}")
        image = disk.image(told, *power.ways(chance, disk), chance)
        files = {str(p.relative_to(folder)): text
                 for p, text in image.files().items()}
        if not all(holds(files, *each) for each in wanted.items()):
            bad.append(image)
    assert (not bad) == good, bad and bad[0].about()


def test_what_is_laid_out_is_the_image(tmp_path):
    folder = tmp_path / "disk"
    (folder / "d").mkdir(parents=True)
    (folder / "d/f").write_bytes(OLD)
    os.link(folder / "d/f", folder / "l")
    (folder / "s").symlink_to("d/f")
    os.chmod(folder / "d/f", 0o640)
    recorder = power.Recorder(tmp_path / "record", folder)
    recorder.do(f"cd {folder}; mkdir e; mv d/f e/g; chmod 600 e/g; rm s", "x")
    disk = recorder.end()
    before = disk.image(0, "journal", "whole", random.Random(1))
    before.lay_out()
    assert not before.is_there() and disk.whole().is_there()
    assert (folder / "l").samefile(folder / "d/f")
    assert (folder / "l").stat().st_mode & 0o777 == 0o640
    assert os.readlink(folder / "s") == "d/f"
    disk.whole().lay_out()
    assert not disk.whole().is_there()
    assert (folder / "e/g").stat().st_mode & 0o777 == 0o600
