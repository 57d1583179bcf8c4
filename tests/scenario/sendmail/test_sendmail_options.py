# SPDX-License-Identifier: ISC
"""What sendmail's command line means, seen in what it leaves in maildrop."""
import pytest

import drops

MESSAGE = "Subject: x\n\nhello\n"


@pytest.fixture
def down(suite):
    """An instance that does not run: submission must work all the same."""
    instance = suite(start=False)
    drops.prepare(instance)
    return instance


@pytest.mark.parametrize("arguments, expected", [
    (["bob"], [("recipient", "bob")]),
    (["-i", "bob@x.test", "carol@x.test"],
     [("recipient", "bob@x.test"), ("recipient", "carol@x.test")]),
    (["Bob <bob@x.test>, carol (Carol)"],
     [("recipient", "bob@x.test"), ("recipient", "carol")]),
    (["--", "-odd@x.test"], [("recipient", "-odd@x.test")]),
    (["-fb@x.test", "bob"], [("sender", "b@x.test"), ("recipient", "bob")]),
    (["-f", "Me <b@x.test>", "bob"], [("sender", "b@x.test")]),
    (["-r", "b@x.test", "bob"], [("sender", "b@x.test")]),
    (["-f", "<>", "bob"], [("sender", "")]),
    (["-f", "", "bob"], [("sender", "")]),
    (["-F", "Ann, B", "bob"], [("full_name", "Ann, B")]),
    (["-bm", "bob"], [("recipient", "bob")]),
    (["-bm", "-oi", "bob"], [("recipient", "bob")]),
    (["-V", "id-1", "bob"], [("envid", "id-1")]),
    (["-R", "hdrs", "bob"], [("ret", "2")]),
    (["-B", "8BITMIME", "bob"], [("body", "2")]),
    (["-N", "success,delay", "bob"], [("notify", "10")]),
    (["-N", "never", "bob"], [("notify", "1")]),
    (["-t", "-N", "never", "bob"],
     [("notes", "1"), ("extract_notify", "1"), ("recipient", "bob"),
      ("notify", "1")]),
    (["-v", "bob"], [("notes", "4")]),
    (["-bv", "bob"], [("notes", "2")]),
    (["-G", "bob"], [("notes", "8")]),
    # of forty years, without effect here
    (["-oem", "-odi", "-om", "-O", "DeliveryMode=b", "-h", "3", "-m", "-n",
      "-L", "label", "-X", "/nowhere", "-A", "c", "-p", "esmtp", "-U", "bob"],
     [("recipient", "bob")]),
])
def test_option(down, arguments, expected):
    done = drops.run(down, "sendmail", *arguments, stdin=MESSAGE)
    assert done.returncode == 0, done.stderr
    fields, content = drops.only(down)
    for row in expected:
        assert row in fields
    assert content == (b"" if "-bv" in arguments else MESSAGE.encode())


@pytest.mark.parametrize("arguments, code", [
    ([], 64),
    (["-Z", "bob"], 64),
    (["-bt"], 64),
    (["-bx", "bob"], 64),
    (["-qZ"], 64),
    (["-B", "9BIT", "bob"], 64),
    (["-V", "x" * 101, "bob"], 64),
    (["-f"], 64),
    (["-f", "a\nb@x.test", "bob"], 65),
    (["-f", "a b c", "bob"], 65),
    (["bob\ncarol"], 65),
    (["bob\rcarol@x.test"], 65),
    ([""], 65),
    (["x" * 1100 + "@x.test"], 65),
    (["-F", "a\nb", "bob"], 65),
])
def test_refused(down, arguments, code):
    done = drops.run(down, "sendmail", *arguments, stdin=MESSAGE)
    assert done.returncode == code
    assert done.stderr
    assert drops.files(down) == []


@pytest.mark.parametrize("arguments, said", [
    (["-N", "sometimes"], b"bad -N option value -- ignored"),
    (["-N", "never,success"], b"bad -N option value -- ignored"),
    (["-R", "half"], b"bad -R option value -- ignored"),
])
def test_a_wrong_wish_for_reports_costs_no_message(down, arguments, said):
    done = drops.run(down, "sendmail", *arguments, "bob", stdin=MESSAGE)
    assert done.returncode == 0
    assert b"sendmail: warning: " + said in done.stderr
    fields, _ = drops.only(down)
    assert not {"notify", "ret"} & {name for name, _ in fields}


@pytest.mark.parametrize("command, said", [
    (["mailq", "bob"], "mailq: fatal: display queue mode"),
    (["newaliases", "bob"], "newaliases: fatal: alias initialization mode"),
    (["sendmail", "-bp", "bob"], "sendmail: fatal: display queue mode"),
    (["sendmail", "-bi", "bob"], "sendmail: fatal: alias initialization mode"),
    (["sendmail", "-bs", "bob"], "sendmail: fatal: stand-alone mode"),
    (["sendmail", "-bd", "bob"], "sendmail: fatal: daemon mode"),
    (["sendmail", "-q", "bob"], "sendmail: fatal: flush queue mode"),
    (["sendmail", "-qRx.test", "bob"], "sendmail: fatal: flush site"),
])
def test_other_work_takes_no_recipients(down, command, said):
    done = drops.run(down, *command, stdin="QUIT\r\n")
    assert done.returncode == 64
    assert done.stderr.decode() == said + " requires no recipient\n"
    assert done.stdout == b""


@pytest.mark.parametrize("name", ["mailq", "sendmail", "newaliases"])
def test_errors_bear_the_name_the_command_was_called_by(down, name):
    done = drops.run(down, name, "-Z")
    assert done.returncode == 64
    assert done.stderr.decode().splitlines()[-1].startswith(
        f"{name}: fatal: usage: ")


@pytest.mark.parametrize("option", ["-bv", "-v"])
def test_a_report_is_announced(down, option):
    done = drops.run(down, "sendmail", option, "-f", "ann@x.test", "bob",
                     stdin=MESSAGE)
    assert done.returncode == 0
    assert done.stdout == \
        b"Mail Delivery Status Report will be mailed to <ann@x.test>.\n"


def test_intervals_and_status_files_of_old_do_nothing(down):
    for option in ("-q30m", "-q1h30m", "-bh", "-bH"):
        done = drops.run(down, "sendmail", option)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert not down.processes()


@pytest.mark.parametrize("content, arguments, stored", [
    ("a\n.\nb\n", [], "a\n"),
    ("a\n.\r\nb\n", [], "a\n"),
    (".\nb\n", [], ""),
    ("a\n.", [], "a\n"),
    ("a\n..\n.b\n. \n", [], "a\n..\n.b\n. \n"),
    ("a\n.\nb\n", ["-i"], "a\n.\nb\n"),
    ("a\n.\nb\n", ["-oi"], "a\n.\nb\n"),
    ("From bob Mon Nov 21\nSubject: x\n\nFrom y\n", [],
     "Subject: x\n\nFrom y\n"),
    ("From: bob\n\n", [], "From: bob\n\n"),
    ("Fro", [], "Fro"),
    ("no newline at the end", [], "no newline at the end"),
    ("", [], ""),
    ("x" * 300000 + "\n.\ny", [], "x" * 300000 + "\n"),
    ("\xe9\xff\x00z\n", [], "\xe9\xff\x00z\n"),
])
def test_content(down, content, arguments, stored):
    done = drops.run(down, "sendmail", *arguments, "bob",
                     stdin=content.encode("latin-1"))
    assert done.returncode == 0, done.stderr
    assert drops.only(down)[1] == stored.encode("latin-1")


def test_recipients_from_the_header(down):
    text = "To: a@x.test,\n b@x.test\nBcc: c@x.test\n\nTo: no@x.test\n"
    done = drops.run(down, "sendmail", "-t", stdin=text)
    assert done.returncode == 0, done.stderr
    fields, content = drops.only(down)
    assert ("notes", "1") in fields
    assert content == text.encode()


def test_header_without_recipients(down):
    done = drops.run(down, "sendmail", "-t", stdin="Subject: x\n\nTo: a\n")
    assert done.returncode == 64
    assert b"No recipient addresses found" in done.stderr
    assert drops.files(down) == []


def test_too_large_is_refused_at_once(down):
    down.set(message_size_limit=100000)
    done = drops.run(down, "sendmail", "bob", stdin=b"x" * 100001)
    assert done.returncode == 69
    assert b"message_size_limit" in done.stderr
    assert drops.files(down) == []


def test_twenty_megabytes(down):
    body = bytes(range(256)) * 4 * 20000 + b"\n"
    done = drops.run(down, "sendmail", "-i", "bob", stdin=body)
    assert done.returncode == 0, done.stderr
    assert drops.only(down)[1] == body


def test_configuration_by_file_name(down):
    done = drops.run(down, "sendmail", "-C", down.root / "etc/main.cf", "bob",
                     stdin=MESSAGE)
    assert done.returncode == 0, done.stderr
    assert len(drops.files(down)) == 1


SMTP = """\
C: EHLO client
S: 250 DSN
C: RCPT TO:<bob@x.test>
S: 503 5.5.1 Error: need MAIL command
C: MAIL FROM:<a@x.test> SIZE=50000001
S: 552 5.3.4 Message size exceeds fixed limit
C: MAIL FROM:<a@x.test> BODY=8BITMIME SIZE=50000000 RET=FULL ENVID=x+2By
S: 250 2.1.0 Ok
C: MAIL FROM:<a@x.test>
S: 503 5.5.1 Error: nested MAIL command
C: RCPT TO:<bob@x.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b+40x
S: 250 2.1.5 Ok
C: RCPT TO:<carol@x.test> NOTIFY=NEVER,DELAY
S: 501 5.5.4 Bad NOTIFY parameter syntax
C: RCPT TO:<carol@x.test> RRVS=x
S: 555 5.5.4 Unsupported option: RRVS=x
C: RCPT TO:<carol@x.test>\0 NOTIFY=NEVER
S: 500 5.5.2 Error: CR or NUL within a command
C: RCPT TO:<bad
S: 501 5.1.3 Bad recipient address syntax
C: DATA
S: 354 End data with <CR><LF>.<CR><LF>
C: Subject: x
C:
C: ..one dot
C: .
S: 250 2.0.0 Ok: queued
C: FOO
S: 500 5.5.2 Error: command not recognized
C: QUIT
S: 221 2.0.0 Bye
"""


def test_smtp_on_standard_input(down):
    said = [line[3:] for line in SMTP.splitlines() if line.startswith("C:")]
    heard = [line[3:] for line in SMTP.splitlines() if line.startswith("S:")]
    done = drops.run(down, "sendmail", "-bs",
                     stdin="".join(line + "\r\n" for line in said))
    assert done.returncode == 0
    final = [line for line in done.stdout.decode().splitlines()[1:]
             if line[3] == " "]
    assert final == heard
    fields, content = drops.only(down)
    assert fields == [("sender", "a@x.test"), ("envid", "x+y"), ("ret", "1"),
                      ("body", "2"), ("recipient", "bob@x.test"),
                      ("orcpt", "rfc822;b@x"), ("notify", "6")]
    assert content == b"Subject: x\r\n\r\n.one dot\r\n"


def test_smtp_client_goes_away_in_data(down):
    done = drops.run(down, "sendmail", "-bs", stdin=(
        "HELO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nhalf\r\n"))
    assert done.returncode == 0
    assert drops.files(down) == []


def test_no_transcript_is_said(suite):
    s = suite()
    done = s.command("sendmail", "-X", f"{s.root}/transcript",
                     "bob@example.test", stdin="Subject: x\n\nx\n")
    assert f"-X is ignored: no transcript is written to {s.root}/transcript" \
        in done.err
    s.wait_messages("bob")
