# SPDX-License-Identifier: ISC
"""What strangers write into addresses and headers is never a command, a file
name, an option or a setting, on no way of delivery (CVE-2020-7247,
CVE-2019-10149 and their kin). A file that must not appear tells."""
import pytest

from posthaste import wait_for

# what a shell, an expansion language or a path would act on
WORDS = [
    "`touch {t}`", "$(touch {t})", "${{run{{touch {t}}}}}", "|touch {t}",
    ";touch {t};", "&&touch {t}", "a\\ntouch {t}", ">{t}", "{t}",
    "../../../../../..{t}", ":include:{t}", "${{lookup{{{t}}}}}", "%s%n",
    "$HOME", "-oQ{t}", "--", "~root", "*", "a'touch {t}'", "${{recipient}}",
    "#{{touch {t}}}", "<(touch {t})", "\\\\", "a b\ttouch {t}",
]

SCRIPT = """#!/bin/sh
for a in "$@"; do printf "<%s>\\n" "$a"; done >> {home}/seen
cat > /dev/null
"""


def quoted(word):
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture
def hostile(local):
    def make(**settings):
        s = local(start=False, **settings)
        s.tripwire = s.root / "tripwire"
        s.root.chmod(0o777)
        s.home.chmod(0o777)
        s.own("script", SCRIPT.format(home=s.home), 0o755)
        s.words = [w.format(t=s.tripwire) for w in WORDS]
        return s
    return make


def send(s, pairs):
    """All of the (sender, recipient); those that are no address are not."""
    sent = 0
    with s.smtp() as session:
        session.ehlo()
        for sender, to in pairs:
            session.docmd("RSET")
            if session.docmd(f"MAIL FROM:<{sender}>")[0] != 250:
                continue
            if session.docmd(f"RCPT TO:<{to}>")[0] != 250:
                continue
            hostile = sender.replace('"', "")
            code, _ = session.data(f"From: <{sender}>\r\nSubject: {hostile}\r\n"
                                   f"X-Expand: {hostile}\r\n\r\n{hostile}\r\n")
            sent += code == 250
    return sent


def ended(s, sent):
    assert sent >= 15  # most of the words can be written in an address
    # some wait, as user%host for a name that DNS does not know
    s.wait_empty("incoming", "report", "maildrop")
    assert not s.tripwire.exists(), s.tripwire.read_text()
    assert not list(s.root.glob("spool/*Q*")), "an option was obeyed"


def test_the_tripwire_is_there_to_be_hit(hostile):
    s = hostile()
    s.write("aliases", f'trip: "|touch {s.tripwire}"\n')
    s.start()
    send(s, [("a@a.test", "trip@local.test")])
    wait_for("the file", s.tripwire.exists)


def test_pipe(hostile):
    s = hostile()
    s.set(relay_domains="pipe.test",
          transport_maps="inline:{pipe.test=filter:}")
    with open(s.root / "etc/master.cf", "a") as f:
        f.write(f"filter unix - n n - - pipe user={s.user} argv={s.home}/script"
                " x${sender} x${recipient} x${user} x${extension}\n")
    s.start()
    ended(s, send(s, [(quoted(w) + "@a.test", quoted(w) + "@pipe.test")
                      for w in s.words]))
    seen = (s.home / "seen").read_text().splitlines()
    # what was written arrives as it is, in one argument
    assert f"<x$(touch {s.tripwire})@a.test>" in seen
    assert f"<x|touch {s.tripwire}@pipe.test>" in seen
    assert len(seen) % 4 == 0


@pytest.mark.parametrize("setting", ["mailbox_command", "alias", "shell"])
def test_commands_of_local(hostile, setting):
    s = hostile()
    words = f"{s.home}/script $SENDER $EXTENSION" if setting == "shell" else \
        f"{s.home}/script"
    if setting == "alias":
        s.write("aliases", f'list: "|{words}"\n')
        to = "list"
    else:
        s.set(mailbox_command=words)
        to = s.user
    s.start()
    pairs = [(quoted(w) + "@a.test", f"{to}@local.test") for w in s.words]
    pairs += [("a@a.test", quoted(f"{to}+{w}") + "@local.test")
              for w in s.words]
    ended(s, send(s, pairs))
    assert (s.home / "seen").exists() or setting == "alias"


def test_recipients_of_local_and_forward(hostile):
    s = hostile(forward_path="{root}/home/.forward+$extension, "
                "{root}/home/.forward")
    s.set(luser_relay="")
    s.start()
    ended(s, send(s, [("a@a.test", quoted(f"{s.user}+{w}") + "@local.test")
                      for w in s.words] +
                     [("a@a.test", quoted(w) + "@local.test")
                      for w in s.words]))


def elsewhere(s):
    """Files that are neither mailboxes nor the suite's own."""
    return {p for p in s.root.rglob("*") if p.relative_to(s.root).parts[0]
            not in ("mail", "spool", "log", "data")}


def test_virtual_mailboxes(hostile):
    """The catch-all's path does not come from the address; one that does,
    by a pattern, cannot leave the base."""
    s = hostile()
    s.set(virtual_mailbox_maps="pcre:{root}/etc/boxes".replace(
        "{root}", str(s.root)))
    s.write("boxes", "/^(.*)@example\\.test$/ example.test/$1/\n")
    s.start()
    before = elsewhere(s)
    ended(s, send(s, [(quoted(w) + "@a.test", quoted(w) + "@example.test")
                      for w in s.words]))
    assert elsewhere(s) == before


def test_bounces_carry_it_as_text(hostile):
    s = hostile()
    s.start()
    ended(s, send(s, [("alice@example.test", quoted(w) + "@local.test")
                      for w in s.words]))
    assert s.messages("alice")
