# SPDX-License-Identifier: ISC
"""What a power cut leaves on a disk, out of a record of what was changed there
(tests/crash/record.h): a Disk is the folders as they were and all that was
changed, image() one of the many states in which they may be found.

What is assumed, and no more (doc/DURABILITY.md, "The power"):

- fsync(2) of a file or directory: its bytes are there, its length, owners,
  mode and times, the names it had got or lost until then, and if it is a
  directory the names in it. fdatasync(2), and a write to O_DSYNC: bytes and
  length.
- A block that a file has got since was written, or is a hole.
- rename(2) is whole: the one name or the other, and what the name meant before
  or what it means now.
- What was done to one inode, or to one name, is there in its order: names,
  owners, mode, times, cuts; not bytes.
- A file that is cut may have its old length and zeros from there to the end of
  that block; what is behind the block is as it was until the length is new.

Of ext4 and XFS also that sync_file_range(2), when it has waited, has the bytes
on disk; their length is there with the next name that the file gets. (There,
names are "journal" alone.)

On ext4 without a journal ("Without a journal" there) each directory and each
inode is on disk as it was at a moment of its own, not before it was flushed
last. fsync of a file that has got a name flushes the folder of that name, and
what is above it as far as that is new, too; a name over another's is no new one.
What has no name that is on disk is lost; a name whose file was never written,
or was removed there, is taken away by e2fsck, and so is a folder's second one.
What is done to the device within some milliseconds of a rename
(doc/DURABILITY.md says what that leaves) is not asked about: a file that was
renamed less than GRACE events ago has one of the two names, and what it has
replaced is there. (An inode is not used again for a minute and more.)

Of all else each change may be there or not:

	names	journal	all up to some change not before the last fsync of
			anything, none behind it (ext4, XFS)
		flushed	those that some fsync was for, with what they rest on
			(Btrfs)
		some	those, and others by chance, with what they rest on
		apart	each directory for itself (ext4 without a journal)
	data	nothing	of what was not flushed
		whole	all of it
		prefix	what was written first, torn in the middle of a write
		zeros	the new length, zeros where bytes were to come
		parts	blocks, by chance, zeros between them; lengths as well
		mixed	for each file another of these
	cuts	all that was written, and of cuts that are not there the zeros,
		by chance (only where a test asks for it)

This is for whole programs, as their users see them: few images in a second, of
any tree of files, by all protocols. tests/unit/lib/store/power_cut_test.c has
the same model for one account, within one process: each moment of a session,
and what no client is told (modification sequences, a clean index)."""
import os
import shutil
import stat
import subprocess
import typing

import crasher

NAMES = ("journal", "flushed", "some")
GRACE = 30
DATA = ("nothing", "whole", "prefix", "zeros", "parts")
BLOCK, SECTOR = 4096, 512
BOOT_ID = "/proc/sys/kernel/random/boot_id"
AWAY = 100 * 10**9  # ns
OTHER_BOOT = b"00000000-0000-4000-8000-00000000b007"


class Event(typing.NamedTuple):
    """A line of the record; inodes as numbers of the file system, and in a
    Disk as those of its nodes."""
    what: str
    node: int
    to: int
    name: str
    origin: int
    old_name: str
    at: int
    mode: int
    uid: int
    gid: int
    mtime: int
    bytes: bytes

    def __str__(self):
        if self.what == "told":
            return f"told by {self.name}: {self.bytes[:60]!r}"
        words = [self.what, f"#{self.node}"]
        if self.what == "wrote":
            words += [f"{len(self.bytes)} bytes at {self.at}"]
        elif self.what in ("sized", "synced"):
            words += [str(self.at)]
        elif self.name:
            words += [f"{self.old_name and self.old_name + ' to '}{self.name}"]
        return " ".join(words)


# what is there in its order, if it is there
IS_NAME = {"made", "linked", "renamed", "removed", "meta", "sized"}
IS_DATA = {"wrote", "sized"}


def read_record(path):
    with open(path, "rb") as f:
        while line := f.readline():
            cells = line.decode("utf-8", "surrogateescape").rstrip(
                "\n").split("\t")
            what, inode, to, name, origin, old_name, at, mode = cells[:8]
            yield Event(what, int(inode), int(to), name, int(origin),
                        old_name, int(at), int(mode, 8),
                        *map(int, cells[8:11]), f.read(int(cells[11])))


class Node(typing.NamedTuple):
    """A file or directory as it was when the record began, or was made."""
    meta: tuple  # mode, uid, gid, mtime
    data: bytes  # of a symbolic link: where it points to


def node_of(path):
    st = path.lstat()
    data = b""
    if stat.S_ISREG(st.st_mode):
        data = path.read_bytes()
    elif stat.S_ISLNK(st.st_mode):
        data = os.fsencode(os.readlink(path))
    return Node((st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns), data)


def is_kept(mode):
    return stat.S_IFMT(mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class Disk:
    """Folders as they are now, and what is changed in them from now on."""

    def __init__(self, *folders):
        self.nodes = []
        self.entries = {}  # {directory: {name: node}} at the beginning
        self.events = []
        self.ordered = all(map(is_ordered, folders))
        self.names = NAMES
        if self.ordered:
            self.names = NAMES[:1]
        elif any(map(is_loose, folders)):
            self.names = (*NAMES, "apart", "apart", "apart")
        self.inodes = {}  # {number in the file system: node}
        self.folders = {self.take(folder): folder for folder in folders}

    def take(self, path):
        number = path.lstat().st_ino
        if number in self.inodes:
            return self.inodes[number]
        self.nodes.append(node_of(path))
        node = self.inodes[number] = len(self.nodes) - 1
        if path.is_dir() and not path.is_symlink():
            self.entries[node] = {
                p.name: self.take(p) for p in path.iterdir()
                if is_kept(p.lstat().st_mode)}
        return node

    def add(self, record):
        """All that was recorded since; of these folders alone."""
        self.events += filter(None, map(self.translated, read_record(record)))
        self.rest = self.what_each_rests_on()

    def translated(self, e):
        if e.what == "told":
            return e
        to = self.directory(e.to)
        origin = self.directory(e.origin)
        if e.what == "made":
            self.inodes.pop(e.node, None)
            if to is None:
                return None
            self.nodes.append(Node((e.mode, e.uid, e.gid, e.mtime), e.bytes))
            self.inodes[e.node] = len(self.nodes) - 1
        node = self.inodes.get(e.node)
        if e.what == "renamed":
            assert (to is None) == (origin is None), f"from elsewhere: {e}"
        if e.what == "all":
            return e
        if node is None or (e.what in ("linked", "renamed", "removed") and
                            to is None):
            return None
        return e._replace(node=node, to=to, origin=origin)

    def directory(self, number):
        node = self.inodes.get(number)
        if node is None or not stat.S_ISDIR(self.nodes[node].meta[0]):
            return None
        return node

    # what rests on what

    def what_each_rests_on(self):
        """For each change of a name those just before it without which it
        cannot be: of the same inode, of the same name, of the directories."""
        last, rest = {}, []
        for i, e in enumerate(self.events):
            if e.what not in IS_NAME:
                rest.append(())
                continue
            about = [e.node, (e.to, e.name), (e.origin, e.old_name)]
            rest.append([last[key] for key in (*about, e.to, e.origin)
                         if key in last])
            for key in about:
                last[key] = i
        return rest

    def with_rest(self, chosen):
        found, left = set(), list(chosen)
        while left:
            i = left.pop()
            if i not in found:
                found.add(i)
                left += self.rest[i]
        return found

    def flushed(self, cut):
        """Changes of names that some fsync was for."""
        synced, chosen, every = set(), [], False
        for i in range(cut - 1, -1, -1):
            e = self.events[i]
            every |= e.what == "all"
            if e.what == "synced" and e.at:
                synced.add(e.node)
            elif e.what in IS_NAME and (
                    every or synced & {e.node, e.to, e.origin}):
                chosen.append(i)
        return self.with_rest(chosen)

    def journal(self, cut, chance):
        synced = [i for i in range(cut) if self.events[i].what == "all" or
                  (self.events[i].what == "synced" and self.events[i].at)]
        first = synced[-1] if synced else 0
        end = chance.choice((first, cut, chance.randint(first, cut)))
        return {i for i in range(end) if self.events[i].what in IS_NAME}

    def chosen(self, cut, names, chance):
        if names == "journal":
            return self.journal(cut, chance)
        chosen = self.flushed(cut)
        if names == "some":
            chosen |= self.with_rest(
                i for i in range(cut) if self.events[i].what in IS_NAME and
                chance.random() < 0.3)
        return chosen

    # images

    def image(self, cut, names, data, chance):
        """As it may be when only the first so many events have happened."""
        if names == "apart":
            return Apart(self, cut, data, chance)
        return Image(self, cut, self.chosen(cut, names, chance), data, chance)

    def whole(self):
        """As it is when all of them have."""
        every = {i for i, e in enumerate(self.events) if e.what in IS_NAME}
        return Image(self, len(self.events), every, "whole", None)

    def told(self, program, words):
        """Where this was told: how many events had happened; or None."""
        for i, e in enumerate(self.events):
            if e.what == "told" and e.name == program and words in e.bytes:
                return i + 1
        return None

    def cuts(self):
        """After how many events the power may go: where it changes anything;
        those that are next to a flush, a rename or a word more likely."""
        found = []
        for i in range(1, len(self.events) + 1):
            near = self.events[max(0, i - 1):i + 1]
            if all(e.what == "told" for e in near):
                continue
            weight = 1 + 3 * any(e.what in ("synced", "all", "renamed", "removed")
                                 for e in near)
            found += [i] * weight
        return found


class Image:
    """One of the states that a disk may be found in."""

    def __init__(self, disk, cut, there, data, chance):
        self.disk, self.cut, self.data, self.chance = disk, cut, data, chance
        self.there = there
        self.entries = {d: dict(names) for d, names in disk.entries.items()}
        self.meta = {}
        for i in sorted(there):
            self.apply(disk.events[i])

    def apply(self, e):
        self.meta[e.node] = (e.mode, e.uid, e.gid, e.mtime)
        if e.what in ("meta", "sized"):
            return
        if e.what == "renamed":
            self.entries[e.origin].pop(e.old_name, None)
        if e.what == "removed":
            self.entries[e.to].pop(e.name, None)
            return
        self.entries.setdefault(e.to, {})[e.name] = e.node
        if stat.S_ISDIR(e.mode):
            self.entries.setdefault(e.node, {})

    def has(self, directory, name, node):
        """Is what this name means there?"""
        del self, directory, name, node
        return True

    def names_in(self, directory):
        return [(name, node) for name, node in self.entries[directory].items()
                if self.has(directory, name, node)]

    def meta_of(self, node):
        return self.meta.get(node, self.disk.nodes[node].meta)

    def flush_of(self, mine):
        """The last event of a file by which all bytes before it are there."""
        named = max((i for i, e in mine if e.what in IS_NAME and
                     i in self.there), default=-1)
        return max((i for i, e in mine if e.what in ("synced", "all") or (
            e.what == "waited" and self.disk.ordered and i < named)),
            default=-1)

    def unflushed(self, i, e):
        """What parts() is to know of a change that was not flushed."""
        if e.what == "wrote":
            return e
        return e if i in self.there else e._replace(what="begun")

    def bytes_of(self, node):
        """What is in a file."""
        if stat.S_ISLNK(self.meta_of(node)[0]):
            return self.disk.nodes[node].data
        mine = [(i, e) for i, e in enumerate(self.disk.events[:self.cut])
                if e.node == node or e.what == "all"]
        flush = self.flush_of(mine)
        flushed = [e for i, e in mine if e.what in IS_DATA and i < flush]
        changes = [self.unflushed(i, e) for i, e in mine
                   if i > flush and e.what in IS_DATA]
        text = bytearray(self.disk.nodes[node].data)
        whole(text, flushed, None)
        data = self.data
        if data == "mixed":
            data = self.chance.choice(DATA)
        LEFT[data](text, changes, self.chance)
        return bytes(text)

    def files(self):
        """{path: bytes} of all in these folders."""
        found = {}

        def look(directory, path):
            for name, node in self.names_in(directory):
                if node in self.entries:
                    look(node, path / name)
                else:
                    found[path / name] = self.bytes_of(node)

        for node, path in self.disk.folders.items():
            look(node, path)
        return found

    def lay_out(self):
        """The folders are as in this image, found by another boot."""
        with open(BOOT_ID, "rb") as f:
            boot = f.read().strip()
        places = {}

        def put(directory, path):
            for name, node in self.names_in(directory):
                below = path / name
                mode, uid, gid, mtime = self.meta_of(node)
                if node in places:
                    os.link(places[node], below)
                    continue
                places[node] = below
                if stat.S_ISLNK(mode):
                    below.symlink_to(os.fsdecode(self.bytes_of(node)))
                    continue
                if stat.S_ISDIR(mode):
                    below.mkdir()
                    put(node, below)
                else:
                    put_bytes(below, self.bytes_of(node).replace(
                        boot, OTHER_BOOT))
                os.chown(below, uid, gid)
                os.chmod(below, stat.S_IMODE(mode))
                # it took its time to come up again
                os.utime(below, ns=(mtime - AWAY, mtime - AWAY))

        for node, path in self.disk.folders.items():
            for entry in path.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
            put(node, path)

    def is_there(self):
        """Are the folders as in this image? What differs."""
        found = {path / p: node_of(path / p) for path in
                 self.disk.folders.values() for p in path.rglob("*")
                 if is_kept((path / p).lstat().st_mode) and
                 not (path / p).is_dir()}
        mine = self.files()
        return [path for path in {*found, *mine}
                if path not in found or found[path].data != mine.get(path)]

    def about(self):
        """For who wants to know what went wrong: what is lost, and what was
        done last."""
        events = self.disk.events
        lost = [f"{i} {e}" for i, e in enumerate(events[:self.cut])
                if e.what in IS_NAME and i not in self.there]
        last = [f"{i} {e}" for i, e in enumerate(events)
                if self.cut - 12 <= i < self.cut]
        return "\n".join([f"cut after {self.cut} of {len(events)}",
                          "names lost:", *lost[-20:], "done last:", *last])


class Flushes:
    """What ext4 without a journal has flushed of each inode, and of the names
    in it: how many events of the record."""

    def __init__(self, disk, cut):
        self.disk, self.every = disk, 0
        self.inodes, self.names = {}, {}
        self.unflushed_name, self.home = set(), {}
        names = {(d, name): node for d, there in disk.entries.items()
                 for name, node in there.items()}
        for i, e in enumerate(disk.events[:cut]):
            if e.what in ("made", "linked", "renamed"):
                if names.get((e.to, e.name)) is None:
                    self.unflushed_name.add(e.node)
                self.home[e.node] = e.to
                names[e.to, e.name] = e.node
            if e.what in ("renamed", "removed"):
                gone = (e.origin, e.old_name) if e.what == "renamed" else \
                    (e.to, e.name)
                names.pop(gone, None)
            if e.what == "all":
                self.every = i + 1
                self.unflushed_name.clear()
            elif e.what == "synced" and e.at:
                self.flush(e.node, i + 1)

    def flush(self, node, upto):
        self.inodes[node] = self.names[node] = upto
        while node in self.unflushed_name:
            self.unflushed_name.discard(node)
            node = self.home[node]
            self.inodes[node] = self.names[node] = upto

    def of(self, known, node):
        return max(self.every, known.get(node, 0))


class Apart(Image):
    """One of ext4 without a journal: each directory, and each inode, as it was
    at a moment of its own."""

    def __init__(self, disk, cut, data, chance):
        flushes = Flushes(disk, cut)

        def moment(known, node):
            least = flushes.of(known, node)
            return chance.choice((least, cut, chance.randint(least, cut)))

        self.written = {n: moment(flushes.names, n)
                        for n in range(len(disk.nodes))}
        self.inode_at = {n: moment(flushes.inodes, n)
                         for n in range(len(disk.nodes))}
        self.spare(disk, cut)
        there = {i for i, e in enumerate(disk.events[:cut])
                 if e.what in IS_NAME and i < self.inode_at[e.node] and
                 i < min(self.written.get(e.to, cut),
                         self.written.get(e.origin, cut))}
        super().__init__(disk, cut, (), data, chance)
        self.there = there
        self.kept = {}  # {node: how many names it has by its inode}
        for names in disk.entries.values():
            for node in names.values():
                self.count(node, 1)
        now = {(d, name): node for d, names in self.entries.items()
               for name, node in names.items()}
        for i, e in enumerate(disk.events[:cut]):
            if e.what in IS_NAME:
                self.apply_apart(i, e)
            if e.what == "renamed":
                self.replaced(i, now.get((e.to, e.name)))
                now.pop((e.origin, e.old_name), None)
            if e.what in ("made", "linked", "renamed"):
                now[e.to, e.name] = e.node
            elif e.what == "removed":
                now.pop((e.to, e.name), None)
        self.one_name_for_folders()

    def spare(self, disk, cut):
        """Files that were renamed just now have one of their names."""
        named = {e.node: (i, e.to) for i, e in enumerate(disk.events[:cut])
                 if e.what in ("made", "renamed") and stat.S_ISDIR(e.mode)}
        for i, e in enumerate(disk.events[:cut]):
            if e.what != "renamed" or cut - i > GRACE or e.to == e.origin:
                continue
            if self.written[e.to] <= i < self.written[e.origin]:
                self.written[e.to] = cut
            if i < self.written[e.origin]:
                self.find(e.to, named)

    def find(self, folder, named):
        """A folder that is new has its name, too."""
        while folder in named:
            i, above = named[folder]
            self.inode_at[folder] = max(self.inode_at[folder], i + 1)
            self.written[above] = max(self.written[above], i + 1)
            folder = above

    def count(self, node, n):
        self.kept[node] = self.kept.get(node, 0) + n

    def replaced(self, i, node):
        if node is not None and i < self.inode_at[node] and \
                self.cut - i > GRACE:
            self.count(node, -1)

    def apply_apart(self, i, e):
        if i < self.inode_at[e.node]:
            self.meta[e.node] = (e.mode, e.uid, e.gid, e.mtime)
            self.count(e.node, {"made": 1, "linked": 1, "removed": -1}.get(
                e.what, 0))
        if e.what == "made" and stat.S_ISDIR(e.mode):
            self.entries.setdefault(e.node, {})
        if e.what == "renamed" and i < self.written[e.origin] and \
                self.entries[e.origin].get(e.old_name) == e.node:
            del self.entries[e.origin][e.old_name]
        if e.what == "removed" and i < self.written[e.to]:
            self.entries[e.to].pop(e.name, None)
        elif e.what in ("made", "linked", "renamed") and \
                i < self.written[e.to]:
            self.entries[e.to][e.name] = e.node

    def has(self, directory, name, node):
        return self.kept.get(node, 0) > 0

    def one_name_for_folders(self):
        seen = set(self.disk.folders)
        places = [(d, name) for d, names in self.entries.items()
                  for name, node in names.items() if node in self.entries]
        self.chance.shuffle(places)
        for d, name in places:
            node = self.entries[d][name]
            if node in seen:
                del self.entries[d][name]
            seen.add(node)


def put_bytes(path, text):
    """Blocks of zeros become holes, as those that were never written are."""
    with open(path, "wb") as f:
        for at in range(0, len(text), BLOCK):
            block = text[at:at + BLOCK]
            if block.strip(b"\0"):
                f.seek(at)
                f.write(block)
        f.truncate(len(text))


def write(text, e):
    if e.what == "begun":  # a cut that is not there
        return
    size(text, e.at if e.what == "sized" else max(len(text), e.at))
    text[e.at:e.at + len(e.bytes)] = e.bytes


def size(text, n):
    del text[n:]
    text.extend(bytes(n - len(text)))


def nothing(text, changes, chance):
    del text, changes, chance


def whole(text, changes, chance):
    del chance
    for e in changes:
        write(text, e)


def prefix(text, changes, chance):
    n = chance.randint(0, len(changes))
    whole(text, changes[:n], chance)
    if n < len(changes) and changes[n].what == "wrote":
        e = changes[n]
        write(text, e._replace(
            bytes=e.bytes[:chance.randint(0, len(e.bytes))]))


def zeros(text, changes, chance):
    kept = bytes(text)
    whole(text, changes, chance)
    kept = kept[:len(text)]
    text[:] = kept + bytes(len(text) - len(kept))


def parts(text, changes, chance):
    old, new = bytes(text), bytearray(text)
    lengths = [len(old)]
    for e in changes:
        write(new, e)
        lengths.append(len(new))
    done = chance.choice((len(changes), chance.choice(range(len(lengths)))))
    n = lengths[done]
    new[:] = old
    for i, e in enumerate(changes):
        begun = e.what == "begun" or (e.what == "sized" and i >= done)
        if begun and e.at < len(new):
            end = min(-(-e.at // BLOCK) * BLOCK, len(new))
            new[e.at:end] = bytes(end - e.at)
        else:
            write(new, e)
    size(text, n)
    size(new, n)
    first_new = -(-len(old) // BLOCK) * BLOCK
    at = 0
    while at < n:  # a new block was written or not, of others each sector
        end = at + (SECTOR if at < first_new else BLOCK)
        if chance.random() < 0.5:
            text[at:end] = new[at:end]
        at = end


def cuts(text, changes, chance):
    for e in changes:
        write(text, e)
        at = e.at if e.what == "begun" else len(text)
        end = min(-(-at // BLOCK) * BLOCK, len(text))
        while at < end:
            after = min(at - at % SECTOR + SECTOR, end)
            if chance.random() < 0.7:
                text[at:after] = bytes(after - at)
            at = after


LEFT = {f.__name__: f for f in (nothing, whole, prefix, zeros, parts, cuts)}


def is_ordered(folder):
    """A journal that has lengths before names, and both in their order?"""
    kind = subprocess.run(["stat", "-f", "-c", "%t", folder], check=True,
                          capture_output=True).stdout.strip()
    return kind == b"58465342" or (kind == b"ef53" and has_journal(folder))


def is_loose(folder):
    """ext4 without a journal?"""
    kind = subprocess.run(["stat", "-f", "-c", "%t", folder], check=True,
                          capture_output=True).stdout.strip()
    return kind == b"ef53" and not has_journal(folder)


def has_journal(folder):
    """As lib/base/file_system.c asks: the kernel's thread of it has a number,
    without one there is "<none>"."""
    device = os.stat(folder).st_dev
    try:
        name = os.path.basename(os.readlink(
            f"/sys/dev/block/{os.major(device)}:{os.minor(device)}"))
        with open(f"/sys/fs/ext4/{name}/journal_task", encoding="ascii") as f:
            return f.read(1).isdigit()
    except OSError:
        return False


def ways(chance, disk):
    """Names and data: how what was not flushed may be lost."""
    return (chance.choice(disk.names),
            chance.choice((*DATA, "mixed")))


class Recorder:
    """A shell, all that comes of it, and what that changes."""

    def __init__(self, record, *folders):
        self.record = record
        self.disk = Disk(*folders)
        self.crasher = crasher.Crasher(
            "/bin/sh", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.crasher.ask(f"record {record}")
        self.crasher.until("recording")
        self.crasher.ask("run")

    def do(self, command, token):
        """Runs it; that it succeeded is told with the token."""
        shell = self.crasher.tool
        shell.stdin.write(f"{command} && echo done {token}.\n".encode())
        shell.stdin.flush()
        line = shell.stdout.readline()
        assert line == f"done {token}.\n".encode(), (command, line)

    def end(self, mapped=()):
        """The disk with all that has happened; and nothing runs any more. Files
        of these names are written as memory, which is in no record."""
        self.crasher.tool.stdin.close()
        self.crasher.until("ended")
        self.crasher.ask("recorded")
        count = int(self.crasher.until("recorded"))
        self.crasher.tool.stdout.close()
        self.crasher.close()
        self.disk.add(self.record)
        os.unlink(self.record)
        assert count > 0
        differs = [p for p in self.disk.whole().is_there()
                   if p.name not in mapped]
        assert not differs, f"not all is in the record: {differs}"
        return self.disk
