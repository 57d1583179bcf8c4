# SPDX-License-Identifier: ISC
"""The rows of test_search_order.py: which keys of a table are looked up, in
which order.

A row is asked as often as it has keys: with all of them in the table, without
the first, without the first two... and at last with the keys that must not be
looked up alone. Each such question has a number, {n}, that its keys, names and
domains hold, so that one table has all of them. The value of the i-th key holds
"won-{n}-{i}": where that shows up in replies, logs, files, the key has won.
"""
import dataclasses

PARENT, DOTTED = "parent", "dotted"  # parent_domain_matches_subdomains
FORMS = ("texthash", "regexp", "pcre")
PATTERNS = FORMS[1:]


@dataclasses.dataclass
class Row:
    name: str
    map: str
    question: str
    order: list
    never: list = dataclasses.field(default_factory=list)
    value: str = "{won}"
    how: str = "recipient"  # what the question is
    parents: str = ""  # in this mode alone
    extension: tuple = ()  # of these keys the result gets the extension
    # the key alone is there: its value does not show, the answer does
    alone: bool = False
    regexp: bool = True  # may be asked as patterns


MAIL = "{won}@won.test"
REJECT = "REJECT {won}"
THERE = "discard:{won}"

ADDRESS = ["u{n}+e@{d}", "u{n}@{d}", "@{d}"]
LOCAL = ["u{n}+e@{d}", "u{n}@{d}", "u{n}+e", "u{n}", "@{d}"]
NOT_FOREIGN = ["{d}", ".{d}", "u{n}+e", "u{n}", "u{n}@"]
NOT_LOCAL = ["{d}", ".{d}", "u{n}@", "u{n}+e@"]


def on(domain, keys):
    return [k.replace("{d}", domain) for k in keys]


def foreign(name, map, value=MAIL, **more):
    return Row(name, map, "u{n}+e@f{n}.test", on("f{n}.test", ADDRESS),
               on("f{n}.test", NOT_FOREIGN), value, **more)


def local(name, map, value=MAIL, **more):
    return Row(f"{name}, local", map, "u{n}+e@l{n}.test",
               on("l{n}.test", LOCAL), on("l{n}.test", NOT_LOCAL), value,
               **more)


def both(name, map, value=MAIL, **more):
    """A key of user@domain, or user, passes the extension on, but @domain."""
    passes = more.pop("passes", True)
    return [foreign(name, map, value, **more,
                    extension=(1,) if passes else ()),
            local(name, map, value, **more,
                  extension=(1, 3) if passes else ())]


ACCESS = "a.b.{c}{n}.test"


def access(how, map, keys, never, mode):
    letter = "t" if how == "recipient" else how[0]
    question = {"sender": "u{n}+e@" + ACCESS, "recipient": "u{n}+e@" + ACCESS,
                "client": NETS[0], "client6": NETS6[0]}.get(how, ACCESS)
    return Row(f"access by {how}, {mode}", map, question.replace("{c}", letter),
               [k.replace("{c}", letter) for k in keys],
               [k.replace("{c}", letter) for k in never],
               REJECT, how, mode)


UP = {PARENT: ["a.b.{c}{n}.test", "b.{c}{n}.test", "{c}{n}.test"],
      DOTTED: ["a.b.{c}{n}.test", ".b.{c}{n}.test", ".{c}{n}.test"]}
NOT_UP = {PARENT: [".a.b.{c}{n}.test", ".b.{c}{n}.test", ".{c}{n}.test"],
          DOTTED: [".a.b.{c}{n}.test", "b.{c}{n}.test", "{c}{n}.test"]}
NETS = ["127.{net}.3.4", "127.{net}.3", "127.{net}"]
NETS6 = [":".join(["2001", "db8", "{n}", "b", "c", "d", "e", "f"][:i])
         for i in range(8, 2, -1)]


def access_rows(mode):
    people = (["u{n}+e@a.b.{c}{n}.test", "u{n}@a.b.{c}{n}.test"] + UP[mode] +
              ["u{n}+e@", "u{n}@"])
    nobody = NOT_UP[mode] + ["u{n}", "u{n}+e", "@a.b.{c}{n}.test"]
    return [
        access("sender", "access_sender", people, nobody, mode),
        access("recipient", "access_recipient", people, nobody, mode),
        access("helo", "access_helo", UP[mode], NOT_UP[mode] +
               ["[a.b.{c}{n}.test]"], mode),
        access("client", "access_client", NETS, ["127.{net}.3.",
               "127.{net}.", "[127.{net}.3.4]"], mode),
        access("client6", "access_client", NETS6, [
            "2001:db8:{n}::", "2001:db8:{n}:", "[" + NETS6[0] + "]",
            "2001:0db8:{n}:b:c:d:e:f"], mode),
        access("name of the client", "access_client", UP[mode], NOT_UP[mode],
               mode),
    ]


ROWS = [
    *access_rows(PARENT), *access_rows(DOTTED),
    *both("virtual alias", "virtual_alias_maps"),
    *both("canonical", "canonical_maps"),
    *both("recipient canonical", "recipient_canonical_maps"),
    *both("sender canonical", "sender_canonical_maps", how="sender"),
    *both("canonical of the sender", "canonical_maps", how="sender"),
    *both("recipient bcc", "recipient_bcc_maps", passes=False),
    *both("sender bcc", "sender_bcc_maps", how="sender", passes=False),
    *both("relocated", "relocated_maps", "{won}", passes=False),
    *both("transport by sender", "sender_dependent_default_transport_maps",
          THERE, how="sender", passes=False),
    *both("relayhost by sender", "sender_dependent_relayhost_maps",
          "[{won}]", how="sender", passes=False),
    Row("transport", "transport_maps", "u{n}+e@a.b.f{n}.test",
        ["u{n}+e@a.b.f{n}.test", "u{n}@a.b.f{n}.test", "a.b.f{n}.test",
         ".b.f{n}.test", ".f{n}.test"],
        ["b.f{n}.test", "f{n}.test", "@a.b.f{n}.test", ".a.b.f{n}.test",
         "u{n}", "u{n}@"], THERE, parents=PARENT),
    Row("transport, parents", "transport_maps", "u{n}+e@a.b.f{n}.test",
        ["u{n}+e@a.b.f{n}.test", "u{n}@a.b.f{n}.test", "a.b.f{n}.test",
         "b.f{n}.test", "f{n}.test"],
        [".b.f{n}.test", ".f{n}.test", "@a.b.f{n}.test", ".a.b.f{n}.test"],
        THERE, parents=DOTTED),
    Row("mailbox", "virtual_mailbox_maps", "u{n}+e@v{n}.test",
        on("v{n}.test", ADDRESS), on("v{n}.test", NOT_FOREIGN), "{won}/"),
    Row("owner of the mailbox", "virtual_uid_maps", "u{n}+e@w{n}.test",
        on("w{n}.test", ADDRESS), on("w{n}.test", NOT_FOREIGN), "{uid}"),
    Row("group of the mailbox", "virtual_gid_maps", "u{n}+e@w{n}.test",
        on("w{n}.test", ADDRESS), on("w{n}.test", NOT_FOREIGN), "{uid}"),
    Row("local recipients", "local_recipient_maps", "u{n}+e@k{n}.test",
        on("k{n}.test", LOCAL), on("k{n}.test", NOT_LOCAL), "x", alone=True),
    Row("relay recipients", "relay_recipient_maps", "u{n}+e@r{n}.test",
        on("r{n}.test", ADDRESS), on("r{n}.test", NOT_FOREIGN), "x",
        alone=True),
    Row("alias", "alias_maps", "u{n}+e@alias.test", ["u{n}+e", "u{n}"],
        ["u{n}+e@alias.test", "u{n}@alias.test", "u{n}@", "u{n}+"], MAIL),
]


@dataclasses.dataclass
class Case:
    """One question: a row with some of its keys in a table of a kind."""
    row: Row
    number: int
    form: str
    first: int  # of its keys that is there; len(order): none

    def names(self, text, i=0):
        return text.format(n=self.number, won=f"won-{self.number}-{i}",
                           net=10 + self.number % 200, uid=70000 + i)

    @property
    def question(self):
        return self.names(self.row.question)

    def entries(self):
        """(key, value)"""
        row = self.row
        kept = range(self.first, len(row.order))
        if row.alone:
            kept = [self.first] if self.first < len(row.order) else []
        found = [(self.names(row.order[i]), self.names(row.value, i))
                 for i in kept]
        # patterns are shown whole keys alone: there these are in the way
        return found + [(self.names(k), self.names(row.value, 90 + i))
                        for i, k in enumerate(row.never)]

    def expected(self):
        """What shows up: the keys that win, with an extension or not."""
        row = self.row
        if self.first == len(row.order):
            return set()
        if self.form in PATTERNS and self.first not in self.whole():
            return set()
        passes = "+e" if self.first in row.extension else ""
        return {f"{self.first}{passes}"}

    def whole(self):
        """Keys that patterns are shown, too."""
        return (0, 1) if self.row.map == "alias_maps" else (0,)


def cases(mode, forms=FORMS):
    made = []
    for row in ROWS:
        if row.parents in ("", mode):
            for form in forms if row.regexp else forms[:1]:
                for first in range(len(row.order) + 1):
                    made.append(Case(row, len(made), form, first))
    return made
