# SPDX-License-Identifier: ISC
"""posthaste check --report says what becomes of each line: three
configurations as sites have them, and what the report's form promises."""
import json
import pathlib
import re

import pytest

SITES = pathlib.Path(__file__).parents[2] / "data/sites"
WORDS = ("honoured", "own", "mapped", "harmless", "planned", "refused",
         "unknown")

TABLES = {
    "transport": "old.example slow:\n",
    "client.cidr": "198.51.100.0/24 REJECT\n",
    "sender_access": "bad.example REJECT\n",
    "relay_recipients": "@example.org x\n",
    "sasl_passwd": "[smtp.provider.example]:587 user:secret\n",
    "generic": "root@out.example.org admin@example.org\n",
    "sender_canonical": "/^www-data@/ web@example.org\n",
    "header_checks": "/^Subject: spam/ REJECT\n",
    "aliases": "postmaster: root\n",
    "dh2048.pem": "",
}


def unpack(s, site):
    """The site's files with what they name, below the suite's folder."""
    etc = s.root / "site"
    (etc / "sql").mkdir(parents=True)
    for name, text in TABLES.items():
        (etc / name).write_text(text)
    for query in ("virtual_domains", "virtual_mailboxes", "virtual_aliases",
                  "virtual_alias_domains", "relay_domains", "quota",
                  "sender_login"):
        (etc / "sql" / f"{query}.cf").write_text(
            "hosts = unix:/nowhere/mysqld.sock\nuser = postfix\n"
            "password = secret\ndbname = postfix\n"
            "query = SELECT a FROM t WHERE a = '%s'\n")
    for name in ("main.cf", "master.cf"):
        text = (SITES / site / name).read_text()
        text = re.sub(r"/etc/ssl/certs/ca-certificates.crt|/etc/ssl/\S+\.pem",
                      f"{s.root}/etc/cert.pem", text)
        text = re.sub(r"/etc/ssl/\S+\.key", f"{s.root}/etc/key.pem", text)
        text = text.replace("/etc/aliases", f"{etc}/aliases")
        (etc / name).write_text(text.replace("/etc/postfix", str(etc)))
    return etc


ROW = re.compile(rf"(\S+:\d+: )({'|'.join(WORDS)})"
                 r"(: (?:\S+ -o \w+|\S+/\S+ [^\s:]+|\w+)?)")


def verdicts(report):
    """Without reasons, notes and counts. A module that is not installed is
    this machine's matter."""
    rows = []
    for line in report.splitlines():
        row = ROW.match(line)
        if row and "its module is not installed" in line:
            rows.append(row[1] + "honoured" + row[3])
        elif row:
            rows.append(row[0])
    return rows


@pytest.mark.parametrize("site,status",
                         [("debian", 0), ("hosting", 1), ("relay", 1)])
def test_site(suite, site, status):
    s = suite(start=False)
    etc = unpack(s, site)
    done = s.posthaste("check", "--report", etc, check=False)
    found = verdicts(done.out)
    expected = (SITES / site / "report").read_text().splitlines()
    assert found == expected, done.out
    assert done.returncode == status, done.out
    # each setting and each service has its row
    main = len(re.findall(r"(?m)^[^#\s]", (etc / "main.cf").read_text()))
    assert sum(line.startswith("main.cf:") for line in found) == main
    counts = done.out.splitlines()[-1]
    assert counts == ", ".join(
        f"{len(re.findall(rf'(?m)^[^ ]+: {word}: ', done.out))} {word}"
        for word in WORDS)


def test_why(suite):
    """Reasons, ways out, and what check says of the same line."""
    s = suite(start=False)
    etc = unpack(s, "hosting")
    out = s.posthaste("check", "--report", etc, check=False).out
    for said in (
            "main.cf:112: refused: smtpd_milters: mail filters (milters) come "
            'later: until then mail would pass unfiltered ("missing_protection'
            ' = warn" in main.cf starts without it)\n',
            "main.cf:98: refused: smtpd_recipient_restrictions: this "
            "restriction is not supported yet: \"reject_rbl_client\"",
            "main.cf:98: note: smtpd_recipient_restrictions: this "
            "restriction is not supported yet: \"check_policy_service\"",
            "main.cf:44: mapped: virtual_mailbox_limit_maps: of the VDA patch",
            "main.cf:83: own: greylist_off: a restriction class\n",
            "main.cf:126: harmless: old_destination_concurrency_limit: "
            "master.cf has no delivery service of this name\n",
            "master.cf:3: mapped: smtpd/pass smtpd: its options count for the "
            "line of postscreen\n"):
        assert said in out, said
    # the ways out that are named lead out
    with open(etc / "main.cf", "a") as f:
        f.write("missing_protection = warn\n")
    out = s.posthaste("check", "--report", etc, check=False).out
    assert "main.cf:112: planned: smtpd_milters: " in out
    assert "main.cf:98: honoured: smtpd_recipient_restrictions\n" in out
    assert re.search(r"main.cf:98: note: .*reject_rbl_client", out)


def test_json(suite):
    s = suite(start=False)
    etc = unpack(s, "relay")
    with open(etc / "main.cf", "ab") as f:
        f.write(b'no equals sign "here"\n\xff\xfe = 1\n')
    text = s.posthaste("check", "--report", "--json", etc, check=False).out
    *rows, counts = [json.loads(line) for line in text.splitlines()]
    assert {"file": "main.cf", "line": 64, "verdict": "harmless",
            "name": "in_flow_delay", "text": "the default"} in rows
    assert all(list(row) == ["file", "line", "verdict", "name", "text"]
               for row in rows)
    assert [row["line"] for row in rows if row["verdict"] == "refused"
            and row["name"] == ""] == [67]
    assert [row["verdict"] for row in rows if row["line"] == 68] == ["unknown"]
    for word in WORDS:
        assert counts[word] == sum(row["verdict"] == word for row in rows)
    assert list(counts) == list(WORDS)


def test_own_configuration_by_default(suite):
    s = suite(start=False)
    done = s.posthaste("check", "--report")
    assert done.returncode == 0
    assert re.search(r"(?m)^main.cf:\d+: honoured: queue_directory$", done.out)
    assert " 0 refused, 0 unknown" in done.out
    for words in (["--report", "a", "b"], ["--rapport"], ["x"]):
        assert s.posthaste("check", *words, check=False).returncode == 64
    assert s.posthaste("status", "--report", check=False).returncode == 64
    assert s.posthaste("check", "--report", "/no/such",
                       check=False).returncode != 0


def test_postfixs_own_places_are_left_alone(suite):
    """With the paths and users that Postfix's main.cf names, ours are used."""
    s = suite(start=False)
    text = s.main_cf
    s.write("main.cf", text + "queue_directory = /var/spool/postfix\n"
                              "data_directory = /var/lib/postfix/\n")
    for name, value in (("queue_directory", "/var/spool/postfix"),
                        ("data_directory", "/var/lib/postfix/")):
        out = s.posthaste("check", "--report", check=False).out
        assert re.search(rf"(?m)^main.cf:\d+: mapped: {name}: Postfix's own: "
                         "this suite's is used$", out), out
        assert f"{value}: " not in out
