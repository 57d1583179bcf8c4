# SPDX-License-Identifier: ISC
"""THREAD beside the steps of RFC 5256 written down as they stand there, on
mailboxes whose messages refer to each other at random; and SORT beside
Python's."""
import random
import re

import pytest

from mail_search import found

OPEN = "disable_plaintext_auth = no\n"
SUBJECTS = ["alpha", "Re: alpha", "beta", "[l] Re: beta", "FWD: Alpha", "",
            "gamma (fwd)", "gamma", "Re: [x] delta"]


def base(subject):
    """(base subject, is it a reply) of these simple ones."""
    reply, text = False, subject
    while True:
        before = text
        text = text.strip()
        if m := re.match(r"(\[[^\[\]]*\]\s*)*(re|fwd?)\s*(\[[^\[\]]*\])?:",
                         text, re.I):
            text, reply = text[m.end():], True
        elif text.lower().endswith("(fwd)"):
            text, reply = text[:-5], True
        elif m := re.match(r"\[[^\[\]]*\]\s*(?=\S)", text):
            text = text[m.end():]
        if text == before:
            return text.upper(), reply


class Node:
    def __init__(self, message=None):
        self.message, self.parent, self.children = message, None, []

    def below(self, other):
        while other is not None:
            if other is self:
                return True
            other = other.parent
        return False

    def adopt(self, child):
        if child.parent:
            child.parent.children.remove(child)
        child.parent = self
        self.children.append(child)

    def free(self):
        if self.parent:
            self.parent.children.remove(self)
            self.parent = None

    def head(self):
        return self if self.message else self.children[0]

    def key(self):
        m = self.head().message
        return m["sent"], m["number"]


def link(parent, child):
    if not child.below(parent):
        parent.adopt(child)


def prune(node):
    """Step 3, below this node; what takes its children's place."""
    out = []
    for child in list(node.children):
        prune(child)
        out += child.children if child.message is None else [child]
    node.children = out
    for child in out:
        child.parent = node


def threads(messages):
    ids, nodes = {}, []
    for m in messages:  # step 1
        node = ids.get(m["id"])
        if node is None or node.message:
            node = Node()
            if m["id"] and m["id"] not in ids:
                ids[m["id"]] = node
        node.message = m
        nodes.append(node)
        last = None
        for ref in m["refs"]:
            at = ids.setdefault(ref, Node())
            if last is not None and at.parent is None:
                link(last, at)
            last = at
        node.free()
        if last is not None:
            link(last, node)
    root = Node()
    every = nodes + [n for n in ids.values() if n.message is None]
    for top in [n for n in every if n.parent is None]:  # steps 2 and 3
        prune(top)
        if top.message or len(top.children) > 1:
            root.children.append(top)
        else:
            root.children += top.children
            for child in top.children:
                child.parent = None
    for node in root.children:  # step 4
        if node.message is None:
            node.children.sort(key=Node.key)
    root.children.sort(key=Node.key)
    gather(root)  # step 5
    return write(root)


def gather(root):
    table = {}

    def subject(node):
        return base(node.head().message["subject"])[0]

    def is_reply(node):
        return node.message and base(node.message["subject"])[1]

    for node in root.children:
        name = subject(node)
        if not name:
            continue
        known = table.get(name)
        if known is None or (known.message and (
                node.message is None or
                (is_reply(known) and not is_reply(node)))):
            table[name] = node
    for node in list(root.children):
        name = subject(node)
        if not name or table[name] is node:
            continue
        into = table[name]
        root.children.remove(node)
        if node.message is None and into.message is None:
            for child in list(node.children):
                into.adopt(child)
        elif into.message is None or (is_reply(node) and not is_reply(into)):
            into.adopt(node)
        else:
            dummy = Node()
            root.children[root.children.index(into)] = dummy
            dummy.adopt(into)
            dummy.adopt(node)
            table[name] = dummy


def arrange(node):  # step 6
    for child in node.children:
        arrange(child)
    node.children.sort(key=Node.key)


def write(root):
    arrange(root)
    return "".join(map(one, root.children))


def one(node):
    text = str(node.message["number"]) if node.message else ""
    while len(node.children) == 1:
        node = node.children[0]
        text += f" {node.message['number']}"
    if node.children:
        text += (" " if text else "") + "".join(map(one, node.children))
    return f"({text})"


def make(r, count):
    pool = [f"<{n}@x>" for n in range(count)]
    out = []
    for number in range(1, count + 1):
        out.append({
            "number": number, "sent": r.randint(0, 59),
            "id": r.choice(pool) if r.random() < 0.9 else None,
            "refs": r.sample(pool, r.choice([0, 0, 1, 1, 2, 3, 5])),
            "subject": r.choice(SUBJECTS)})
    return out


def raw(m):
    head = f"Date: 1 Jan 2000 00:00:{m['sent']:02d} GMT\r\n"
    head += f"Subject: {m['subject']}\r\n"
    if m["id"]:
        head += f"Message-ID: {m['id']}\r\n"
    if m["refs"]:
        head += "References: " + " ".join(m["refs"]) + "\r\n"
    return head.encode() + b"\r\nx\r\n"


@pytest.mark.parametrize("seed", range(4))
def test_threads_are_those_of_the_rfc(suite, seed):
    r = random.Random(seed)
    c = suite(main=OPEN).imap()
    for box in range(6):
        c.ok(f"CREATE box{box}")
        messages = make(r, r.choice([5, 10, 25]))
        for m in messages:
            c.append(f"box{box}", raw(m))
        c.ok(f"SELECT box{box}")
        (line,) = c.ok("THREAD REFERENCES UTF-8 ALL")
        assert line.decode() == "* THREAD " + threads(messages), messages
        order = sorted(messages, key=lambda m: (
            base(m["subject"])[0], -m["sent"], m["number"]))
        assert found(c.ok("SORT (SUBJECT REVERSE DATE) UTF-8 ALL"),
                     b"SORT") == [m["number"] for m in order]
