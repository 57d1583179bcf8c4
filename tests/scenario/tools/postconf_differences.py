# SPDX-License-Identifier: ISC
"""Random main.cf, master.cf and postconf commands, and whether ours and
Postfix's postconf agree on them.

As a program: postconf_differences.py FIRST COUNT tries the seeds from FIRST
on and prints what differs; POSTHASTE_ROOT is the installed suite."""
import concurrent.futures
import pathlib
import pprint
import random
import re
import shutil
import sys
import tempfile

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

from postconf_peer import comments, entries, results

# Postfix ends with a second of sleep where it refuses: many wait at once
AT_ONCE = 40

NAMES = ["relayhost", "mydomain", "mynetworks", "mydestination", "alias_maps",
         "smtpd_banner", "a", "b", "c", "mine", "x_y", "1a", "a-b", "a.b",
         "smtpd_client_restrictions", "smtpd_restriction_classes",
         "smtp_destination_concurrency_limit", "myt_time_limit",
         "myt_initial_destination_concurrency", "foo_server_host",
         "foo_query", "stress", "process_name", "mail_name2"]
DEFAULTS = {"alias_maps": "hash:/etc/aliases", "mynetworks": "127.0.0.0/8"}
WORDS = ["a", "b", "permit", "reject", "1", "10", "02", "3.6", "x,", ",", "yes",
         "ldap:foo", "mysql:foo", "hash:/etc/a", "c=d",
         "proxy:ldap:foo", "pipemap:{ldap:foo,mysql:a}", "ldap:/n/x.cf",
         "sqlite:x:y", "=", "==", "#", "a#b",
         "[a]:25", "::1", "100%", '"q q"', "'", "\\", "\xe9", "!", "-o", "a/b"]
OPERATORS = ["==", "!=", "<", "<=", ">", ">=", "==level", "<level", "=", "",
             ">=level", "~", "===", "< ", "<=levels"]
BLANKS = ["", "", "", " ", "  ", "\t", " \t "]


class Text:
    """Texts of one seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def odd(self, chance):
        return self.random.random() < chance

    def blank(self):
        return self.pick(BLANKS)

    def braced(self, depth):
        inside = self.blank() + self.value(depth) + self.blank()
        if self.odd(0.04):
            return self.pick(["{" + inside, inside + "}", inside, "{}"])
        return "{" + inside + "}"

    def condition(self, depth):
        return (self.braced(depth) + self.blank() +
                self.pick(OPERATORS[:9] if self.odd(0.9) else OPERATORS) +
                self.blank() + self.braced(depth))

    def branches(self, depth):
        b = self.blank
        bare = b() + self.value(depth, False)
        return self.pick([
            lambda: "?" + b() + self.braced(depth) + b() + ":" + b() +
            self.braced(depth) + b(),
            lambda: "?" + b() + self.braced(depth) + b(),
            lambda: "?" + bare, lambda: ":" + bare,
            lambda: ":" + b() + self.braced(depth) + b(),
            lambda: "?" + b() + self.braced(depth) + b() + ":" + bare,
            lambda: "?" + self.braced(depth) + bare if self.odd(0.1) else "",
        ])()

    def expression(self, depth):
        name = self.pick(NAMES[:11] + ["myhostname", "nope", "mail_name"])
        if self.odd(0.03):
            return self.pick(["$", "$$", "${", "$(", "${}", "$-", "$ ", "${a",
                              "$(a}", "$1", "$\xe9", "${ }", "$" + name + "."])
        if depth <= 0 or self.odd(0.3):
            return self.pick(["$%s", "${%s}", "$(%s)", "$%s$", "$$%s"][
                :3 if self.odd(0.95) else 5]) % name
        if self.odd(0.35):
            inside = self.condition(depth - 1)
            inside += self.blank()
            inside += self.branches(depth - 1) if self.odd(0.85) else ""
        else:
            inside = name + self.blank() + self.branches(depth - 1)
        return self.pick(["${%s}", "${%s}", "${ %s }", "$(%s)"]) % inside

    def value(self, depth, braces=True):
        parts = []
        for _ in range(self.pick([0, 1, 1, 1, 2, 3])):
            parts.append(self.expression(depth) if self.odd(0.5) else
                         self.pick(WORDS))
            if braces and self.odd(0.05):
                parts.append(self.braced(depth - 1))
        return self.pick(["", " ", " ", "  ", "\t", ", "]).join(parts)

    def wrapped(self, text):
        """Perhaps over several lines, with comments between them."""
        out = ""
        for c in text:
            if c == " " and self.odd(0.12):
                out += self.pick(["\n ", "\n\t", " \n  ", "\n# c\n ",
                                  "\n\n ", "\n  # d\n  "])
            out += c
        return out

    def main(self):
        out = self.pick(["", "# top\n", "\n", "compatibility_level = 3.6\n",
                         "compatibility_level = 3.6\n"])
        out += "myhostname = h.d.test\n"
        names = self.random.sample(NAMES, self.random.randint(1, 8))
        if self.odd(0.1):
            names.append(self.pick(names))
        for name in DEFAULTS.keys() - names:
            out += f"{name} = {DEFAULTS[name]}\n"
        for name in names:
            value = self.value(self.random.randint(0, 3))
            if name.endswith("classes"):
                value = self.pick(["a b", "a,b", "mine", "a, nope", ""])
            line = name + self.blank() + "=" + self.blank() + value
            if self.odd(0.01):
                line = self.pick([name, "=" + name, " " + line, "a b = c"])
            out += self.wrapped(line) + self.pick(["\n"] * 9 + [" \n"])
            if self.odd(0.1):
                out += self.pick(["\n", "#x\n", "  # y\n", "  \n", "#a = b\n"])
        return out

    def option(self):
        name = self.pick(NAMES[:15] + ["nope", "syslog_name"])
        value = self.value(1)
        if self.odd(0.3):
            value = self.pick(["a", "$b", "a,b", "", "yes", "a=b"])
        if self.odd(0.6) and not re.search(r"[\s{}]", value):
            return f"-o {name}={value}"
        b = self.blank
        return "-o {" + b() + name + b() + "=" + b() + value + b() + "}"

    def entry(self):
        field = self.pick
        service = field(["smtp", "myt", "q", "[::1]:25", "127.0.0.1:2525",
                         "averylongservicename", "a.b"])
        kind = field(["inet", "unix", "unix", "fifo", "pass", "unix-dgram"])
        words = [service, kind, field("yn-"), field("yn-"), field("yn-"),
                 field(["-", "0", "60", "300?"]), field(["-", "0", "1", "20"]),
                 field(["smtpd", "smtp", "pipe", "qmgr", "local"])]
        if self.odd(0.02):
            words[self.random.randrange(7)] = field(["x", "-1", "y n"])
        options = self.pick([0, 0, 1, 1, 2, 4])
        if self.odd(0.01):
            options = words.pop() * 0
        for _ in range(options or 0):
            words.append(self.option() if self.odd(0.8) else field(
                ["-v", "-D", "-vv", "-o a" if self.odd(0.1) else "-t"]))
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            words.append(field(["user=x", "flags=DRhu", "argv=/bin/a b c",
                                "${recipient}", "-n x", "a" * 50]))
        line = ""
        for word in words:
            line += word + self.pick([" ", "  ", "\t", "   ", " ", "\n  "]
                                     if line.count(" ") > 6 else [" ", "  "])
        return line.rstrip()

    def master(self):
        out = self.pick(["", "# services\n", "\n"])
        services = set()
        for _ in range(self.random.randint(1, 5)):
            entry = self.entry()
            if tuple(entry.split()[:2]) in services:
                continue
            services.add(tuple(entry.split()[:2]))
            out += entry + "\n"
            if self.odd(0.2):
                out += self.pick(["\n", "#x\n", "  # y\n", "  \n"])
        return out

    def target(self, parts):
        """service/type/item of a command."""
        words = [self.pick(["smtp", "myt", "q", "*", "*", "a.b"]),
                 self.pick(["inet", "unix", "unix", "*", "*", "fifo"])]
        if parts == "F":
            words.append(self.pick(["service", "type", "private", "chroot",
                                    "unprivileged", "wakeup", "command",
                                    "process_limit", "*", "nope"]))
        if parts == "P":
            words.append(self.pick(NAMES[:11] + ["*", "nope"]))
        if self.odd(0.15):
            words.pop()
        return "/".join(words)

    def show(self):
        mode = self.pick(["", "", "", "M", "F", "P"])
        flags = [f for f in ("fhHx" if mode else "nfhHx") if self.odd(0.25)]
        if not mode and "n" not in flags:
            flags.append("n")
        if "h" in flags and (mode == "F" or "H" in flags):
            flags.remove("h")
        if mode == "M":
            flags = [f for f in flags if f in "fx"]
        out = ["-" + mode + "".join(flags)] if mode or flags else []
        if self.odd(0.2):
            out += ["-o", self.pick(NAMES[:11]) + "=" + self.value(1)]
        for _ in range(self.pick([0, 0, 0, 1, 2])):
            out.append(self.target(mode) if mode else
                       self.pick(NAMES + ["nope", "myhostname"]))
        if not mode and self.odd(0.1):
            out[:0] = ["-C", self.pick(["user", "service", "builtin", "all"])]
        return out

    def setting(self, mode):
        b = self.blank
        if not mode:
            return self.pick(NAMES) + b() + "=" + b() + self.value(1)
        target = self.target(mode)
        if mode == "M":
            return target + b() + "=" + b() + self.entry().replace("\n", " ")
        value = self.pick(["y", "n", "-", "60", "1", "a", "a b", "{a b}",
                           "smtpd -v -o a=b", "x -o {c = d e} f", "$a"])
        if mode == "P" and self.odd(0.5):
            value = self.value(1)
        return target + b() + "=" + b() + value

    def change(self):
        mode = self.pick(["", "", "M", "F", "P", "P"])
        act = self.pick("eeeX#" if mode in ("", "M") else "eeeX")
        count = self.pick([1, 1, 1, 2, 3] if mode + act != "Me" else [1])
        out = ["-" + mode + act]
        for _ in range(count):
            if act == "e":
                out.append(self.setting(mode))
            else:
                out.append(self.target(mode) if mode else self.pick(NAMES))
        return out

    def command(self):
        return self.show() if self.odd(0.6) else self.change()


def case(seed):
    t = Text(seed)
    return (t.main().encode("latin1"), t.master().encode("latin1"),
            [a.encode("latin1") for a in t.command()])


# What may differ, and why.
ALLOWED = {
    "unreasonable macro call nesting": "which of the texts is named",
    "dictionary mail_dict": "only Postfix has dictionaries",
    "words in braces": "not tried: Postfix takes the braces off behind other "
                       "words, and then there is one word more",
    "order": "new names of -e come in no order of Postfix's",
    "overriding earlier entry": "ours ends a long value after 200 bytes",
    "macro reference, expression": "the same",
    "several mistakes": "Postfix goes on after the first of an expression",
    "refused": "of several mistakes which one is found first",
    "braces": "ours refuses what would not read back as it was given",
    "-Fe empty": "not tried: Postfix writes entries with a field too few",
    "a b = c": "no setting; Postfix changes it as if it were one of a",
    "-Fh": "not tried: Postfix loses a blank behind the command",
    "defaults": "not tried: Postfix has another alias_maps, and a mynetworks "
                "that ends in a blank",
    "myhostname": "never its default, which $mydomain may then ask for",
    "wakeup": "not tried: Postfix takes a '?' alone",
    "CR": "not tried: Postfix shows that of a line's end",
    "classes": "not tried with $name: Postfix takes what is set alone",
    "-Me": "not tried: two at once, of which Postfix may lose one",
    "crashed": "Postfix dies of some expressions",
    "joined -o": "not tried: Postfix takes -oname=value for -o me=value",
    "services twice": "not tried: Postfix mixes their settings",
    "Posthaste": "the name of the suite",
    "-F, -P": "Postfix moves comments in front of the changed entry",
    "-PX": "and it lines up entries without that setting",
}


# What an expression is found to be wrong about.
MISTAKE = re.compile(rb"warning: (.* at: $|(truncated macro reference|"
                     rb"empty macro name|unbalanced|malformed))")
CUT = re.compile(rb"(nesting: |entry: .{150}|(reference|expression): .{150}).*")


def alike_complaints(peer, own):
    for r in peer, own:
        lines = {CUT.sub(rb"\1", line) for line in r["complaints"]}
        lines = {li.replace(b"dictionary mail_dict: ", b"") for li in lines}
        r["complaints"] = lines if peer["status"] != 1 else set()
    mistakes = {line for line in own["complaints"] if MISTAKE.match(line)}
    if mistakes and mistakes <= peer["complaints"]:
        peer["complaints"] = {line for line in peer["complaints"]
                              if line in mistakes or not MISTAKE.match(line)}


def settings(text):
    """Of a main.cf, in some order."""
    return sorted(li for li in text.split(b"\n") if li != b"a b = c")


def alike_services(mode, peer, own):
    """Entries and comments apart."""
    texts = [r["files"].pop("master.cf") for r in (peer, own)]
    if comments(texts[0]) == comments(texts[1]):
        texts = [entries(t) for t in texts]
    if mode == b"-PX":
        texts = [re.sub(rb"[\s{}]", b"", b"".join(t)) for t in texts]
    peer["files"]["master.cf"], own["files"]["master.cf"] = texts


def alike(arguments, peer, own):
    """Takes out of both what is ALLOWED to differ."""
    mode = arguments[0][:3] if arguments else b""
    alike_complaints(peer, own)
    for r in peer, own:
        r["out"] = r["out"].replace(b"Posthaste", b"Postfix")
        if mode == b"-e" and "main.cf" in r["files"]:
            r["files"]["main.cf"] = settings(r["files"]["main.cf"])
    if mode[1:2] in (b"F", b"P", b"M") and "master.cf" in peer["files"]:
        alike_services(mode, peer, own)


def puts_up_with_braces(arguments, peer, own):
    return (arguments[:1] and arguments[0] in (b"-Me", b"-Fe", b"-Pe", b"-PX") and
            peer["status"] == 0 and
            own["status"] == 1 and
            any(b"}" in line for line in peer["complaints"]))


def difference(seed, folder):
    """None, or what differs."""
    main, master, arguments = case(seed)
    peer, own = results(folder / str(seed), main, master, arguments)
    shutil.rmtree(folder / str(seed))
    if peer["status"] < 0 or puts_up_with_braces(arguments, peer, own):
        return None
    alike(arguments, peer, own)
    if peer == own:
        return None
    apart = {key: (peer[key], own[key]) for key in peer
             if peer[key] != own[key]}
    return {"seed": seed, "arguments": arguments, "main.cf": main,
            "master.cf": master, "Postfix and ours": apart}


def differences(seeds):
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        found = pool.map(lambda s: difference(s, pathlib.Path(folder)), seeds)
        return [d for d in found if d is not None]


if __name__ == "__main__":
    START, COUNT = int(sys.argv[1]), int(sys.argv[2])
    for FOUND in differences(range(START, START + COUNT)):
        pprint.pprint(FOUND, width=120)
        print()
