# SPDX-License-Identifier: ISC
"""Real and odd messages come out byte for byte as they went in.

A sample, or all of them: POSTHASTE_CORPUS=folder names messages of your own,
tests/corpus/collect fetches some thousands into build-tests/corpus.
"""
import binascii
import email
import email.utils
import poplib
import quopri
import re

import pytest

import corpus
from corpus import Corpus, by_tag, compare
from peers import FakeServer
from posthaste import wait_for

BOB = "bob@example.test"
# Real messages at most, where there is no POSTHASTE_CORPUS: what is quick
# takes many, what starts programs for each takes few.
MANY, SOME, FEW = 400, 60, 15

WAYS_IN = [(corpus.by_smtplib, MANY), (corpus.by_pipeline, MANY),
           (corpus.by_bdat, MANY), (corpus.by_sendmail, SOME),
           (corpus.by_msmtp, SOME), (corpus.by_swaks, FEW)]
WAYS_OUT = [(corpus.from_poplib, MANY), (corpus.from_curl, MANY),
            (corpus.from_fetchmail, SOME), (corpus.from_mutt, SOME)]


def name(value):
    return value.__name__ if callable(value) else ""


@pytest.fixture
def take(record_property):
    """take(most) -> Corpus; the summary tells how many messages that was."""

    def make(most, **options):
        messages = Corpus(most, **options)
        record_property("messages", len(messages))
        record_property("real", messages.real)
        return messages

    return make


@pytest.mark.parametrize("way,most", WAYS_IN, ids=name)
def test_goes_in_and_lies_in_the_mailbox(suite, take, way, most):
    s = suite(main=corpus.AS_IS)
    messages = take(most)
    way(s, messages, BOB)
    if way is corpus.by_sendmail:
        messages.change(corpus.without_postmark)
    stored = s.wait_messages("bob", len(messages))
    assert len(stored) == len(messages)
    compare(messages, by_tag(stored))


@pytest.mark.parametrize("way,most", WAYS_OUT, ids=name)
def test_is_read_over_pop3(suite, take, way, most, tmp_path, monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 26)
    s = suite(main=corpus.AS_IS)
    messages = take(most, big=1)
    if way is corpus.from_fetchmail:
        messages.leave_out(corpus.too_much_for_fetchmail)
    if way is corpus.from_mutt:
        messages.leave_out(corpus.too_much_for_mutt)
    corpus.by_pipeline(s, messages, BOB)
    s.wait_messages("bob", len(messages))
    stored = way(s, len(messages), tmp_path)
    assert len(stored) == len(messages)
    # what these two change by themselves
    own = {corpus.from_mutt: rb"Content-Length|Lines|Status|X-Status",
           corpus.from_fetchmail: rb"Status"}.get(way)
    compare(messages, by_tag(stored, way is not corpus.from_mutt),
            added=own, dropped=own)


def test_is_read_over_pop3_where_files_have_unix_line_ends(
        suite, take, tmp_path, monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 26)
    s = suite(main=corpus.AS_IS + "virtual_maildir_form = lf\n")
    messages = take(MANY)
    corpus.by_pipeline(s, messages, BOB)
    for stored in s.wait_messages("bob", len(messages)):
        assert b"\r" not in stored
    compare(messages, by_tag(corpus.from_poplib(s, len(messages), tmp_path)))


def test_is_read_over_pop3_out_of_an_mbox_file(suite, take, tmp_path,
                                               monkeypatch):
    monkeypatch.setattr(poplib, "_MAXLINE", 1 << 26)
    s = suite(start=False, main=corpus.AS_IS)
    s.write("mailboxes", f"{BOB} bob.mbox\n")
    accounts = s.root / "etc/accounts"
    accounts.write_text(s.account("bob").replace(
        f"maildir:{s.maildir('bob')}", f"mbox:{s.root}/mail/bob.mbox"))
    s.start()
    messages = take(MANY)
    corpus.by_pipeline(s, messages, BOB)
    s.wait_empty()
    compare(messages, by_tag(corpus.from_poplib(s, len(messages), tmp_path)))


def test_of_our_own_users_gets_what_is_missing(suite, take):
    s = suite(main=corpus.AS_IS.replace("mynetworks", "# "))
    messages = take(MANY, noisy=2000)
    corpus.by_pipeline(s, messages, BOB)
    compare(messages, by_tag(s.wait_messages("bob", len(messages))),
            added=corpus.MISSING)


def test_sendmail_t_sends_to_whom_the_header_names(suite, take):
    s = suite(main=corpus.AS_IS +
              "message_drop_headers = bcc, resent-bcc\n"
              f"virtual_alias_maps = static:{BOB}\n"
              "virtual_alias_domains =\n"
              "enable_original_recipient = no\n")
    messages = take(SOME)
    skipped = corpus.by_sendmail_t(s, messages)
    messages.change(corpus.without_postmark)
    s.wait_empty()
    compare(messages, by_tag(s.messages("bob")), skipped,
            added=corpus.MISSING, dropped=rb"Bcc|Resent-Bcc")


@pytest.mark.parametrize("kind", ["Maildir/", "mbox"])
def test_lies_in_a_local_mailbox(suite, take, kind, tmp_path):
    s = suite(start=False, main=corpus.AS_IS)
    box = s.root / "home"
    box.mkdir()
    box.chmod(0o777)
    s.write("aliases", f"box: {box}/{kind}\n")
    s.set(alias_maps=f"hash:{s.root}/etc/aliases")
    s.start()
    messages = take(MANY)
    corpus.by_pipeline(s, messages, "box@local.test")
    s.wait_empty()
    if kind == "mbox":
        stored = corpus.read_mbox(box / "mbox")
        messages.change(corpus.quoted_as_in_mbox)
    else:
        stored = corpus.read_all(box / "Maildir/new")
    assert len(stored) == len(messages)
    compare(messages, by_tag(stored, crlf=False))


def ended(log, count):
    """Of so many messages, and of all reports about them."""
    begun = set(re.findall(r": (\w+): from=<", log))
    return len(begun) >= count and begun <= set(
        re.findall(r": (\w+): removed$", log, re.M))


def relayed(suite, messages, main="", **sink):
    """What arrived at a sink, as delivered mail looks; and what bounced."""
    with FakeServer(**sink) as peer:
        s = suite(main=corpus.AS_IS + main +
                  f"relayhost = [127.0.0.1]:{peer.port}\n")
        corpus.by_pipeline(s, messages, "someone@elsewhere.test")
        s.wait_empty()
        wait_for("the log of all ends", lambda: ended(s.log(), len(messages)))
        stored = []
        for sender, _, content in peer.messages:
            tag = re.match(r"MAIL FROM:<(.*?)>", sender)[1].encode()
            if tag:
                stored.append(b"Return-Path: <" + tag + b">\r\n" +
                              re.sub(rb"(?m)^\.", b"", content))
        return stored, s.log()


def test_is_relayed_as_it_is(suite, take):
    messages = take(MANY, big=1)
    stored, _ = relayed(suite, messages)
    assert len(stored) == len(messages)
    compare(messages, by_tag(stored))


def test_is_relayed_with_long_lines_folded(suite, take):
    messages = take(MANY)
    stored, _ = relayed(suite, messages, "smtp_line_length_limit = 998\n")
    for message in stored:
        assert max(map(len, message.split(b"\r\n"))) <= 998
    messages.change(corpus.folded)
    compare(messages, by_tag(stored))


# what a message means

def decoded(word):
    if word[1] in b"Bb":
        return binascii.a2b_base64(word[2] + b"==")
    return quopri.decodestring(word[2].replace(b"_", b" "))


def bare(text):
    """Without encoding, charset, quotes and blanks; as bytes."""
    raw = text.encode("ascii", "surrogateescape")
    raw = re.sub(rb"(\?=)\s+(=\?)", rb"\1\2", raw)
    raw = re.sub(rb"=\?[^?\s]+\?([BbQq])\?([^?\s]*)\?=", decoded, raw)
    return re.sub(rb'["\s]', b"", raw)


def file_name(part):
    """As bytes, whether it came raw or by RFC 2231."""
    for field, value in part.raw_items():
        if field.lower() == "content-disposition":
            value = email.utils.unquote(re.sub(
                r'(?s).*filename="?(.*?)"?(;.*)?$', r"\1", value))
            if not value.isascii():
                return value.encode("ascii", "surrogateescape")
    name = part.get_param("filename", header="content-disposition")
    if isinstance(name, tuple):
        name = name[2].encode("latin-1")
    return name


def meaning(message):
    """Headers and decoded parts, in order."""
    own = {"content-transfer-encoding", "mime-version", "content-type",
           "content-disposition"}
    told = []
    for part in email.message_from_bytes(message).walk():
        told.append([(k.lower(), bare(v)) for k, v in part.raw_items()
                     if k.lower() not in own])
        told.append(part.get_content_type())
        told.append(file_name(part))
        if not part.is_multipart():
            text = part.get_payload(decode=True)
            told.append(text.replace(b"\r\n", b"\n"))
    return told


def differs_in_meaning(message, got):
    fields, rest = corpus.foretold(message)
    want, have = meaning(b"".join(fields) + rest), meaning(got)
    for w, h in zip(want, have):
        if w != h:
            if isinstance(w, list):
                return [pair for pair in zip(w, h) if pair[0] != pair[1]][:1]
            return f"want {w!r:.300} have {h!r:.300}"
    return None if len(want) == len(have) else \
        f"{len(want)} items, {len(have)}"


EIGHT_BIT_ADDRESS = re.compile(rb"(?m)^(?:From|To|Cc): .*<[^>\n]*[^\0-\x7f]")


def test_means_the_same_where_eight_bits_cannot_pass(suite, take):
    messages = take(MANY)
    stored, log = relayed(suite, messages, extensions=("PIPELINING",))
    assert all(max(m) < 128 for m in stored)
    senders = dict(re.findall(r": (\w+): from=<(m\d+@corpus.test)>", log))
    skipped = {senders[i]: why for i, why in re.findall(
        r": (\w+): to=<someone@elsewhere.test>.*status=bounced \((.*)\)", log)
        if i in senders}
    for tag, why in skipped.items():
        assert "structured header" in why
        assert EIGHT_BIT_ADDRESS.search(messages.messages[tag])
    assert len(stored) + len(skipped) == len(messages)
    compare(messages, by_tag(stored), skipped, differs_in_meaning)


@pytest.mark.parametrize("way", [way for way, _ in WAYS_IN], ids=name)
def test_twenty_megabytes_arrive_whole(suite, way):
    s = suite(main=corpus.AS_IS)
    messages = Corpus(0, big=1)
    messages.leave_out(lambda message: len(message) < 20 << 20)
    way(s, messages, BOB)
    stored = s.wait_messages("bob")
    compare(messages, by_tag(stored))
    assert s.pop3().stat() == (1, len(stored[0]))


@pytest.mark.parametrize("size,code", [(50000000 - 2000, 250),
                                       (50000001, 552)])
def test_size_limit_is_exact_enough(suite, size, code):
    s = suite(main="message_size_limit = 50000000\n")
    with s.smtp(timeout=60) as session:
        session.ehlo("client.test")
        answer = session.mail("a@b.test", [f"SIZE={size}"])
        assert answer[0] == code
