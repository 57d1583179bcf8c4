# SPDX-License-Identifier: ISC
"""postconf beside Postfix's: the same files and arguments, and the same output,
exit status, complaints and files afterwards. Where we differ on purpose, the
test says why."""
import itertools
import re

import pytest
from postconf_peer import comments, entries, ours, results, theirs
from postfix_peer import why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))

HEAD = b"compatibility_level = 3.6\nmyhostname = h.d.test\n"
MASTER = b"smtp inet n - n - - smtpd\nmyt unix - - n - - smtp\n"


def same(tmp_path, main, master, *arguments):
    peer, own = results(tmp_path / "etc", main, master, arguments)
    assert own == peer


# $name

TEXTS = [
    "a", "", "$", "$-", "$ a", "a$", "${", "$(", "${}", "$()", "${a", "${a{b}",
    "$(a", "$(a}", "${a)", "${a b}", "${a-b}", "$a-b", "${a?", "${a?{b}",
    "${a?{b}c}", "${a?{b}:c}", "${a?{b} : {c} d}", "${a?{b}:{c}d}",
    "${myhostname?{b}:{c}d}", "${myhostname?{b}:{c}", "${myhostname:{c}d}",
    "${myhostname:{b}:{c}}", "${a:{b}:{c}}", "${a:{b}?{c}}", "${a:b?c}",
    "${myhostname!}", "${{a}}", "${{a} {b}}", "${{a} = {b}}", "${{a}==a}",
    "${{a} == {b}:c}", "${{a} == {a}:c}", "${{a} == {a} x}",
    "${{a} == {a}? x}", "${{a} == {a}?{x} y}", "${{a} == {a} ? {x} : {y} z}",
    "${{a} == {a} ? {x} : y z}", "${{a} == {b} ? {x} : y z }", "${{1}<{2}}",
    "${{2}<{10}}", "${{02}<{10}}", "${{-1}<{0}}", "${{}<{10}}", "${{2x}<{10}}",
    "${{a}!={b}}", "${{a}>={b}}", "${{a}>{b}}", "${{a}<={b}}", "${{a}=={a}}",
    "${{3.6}<=level{3.6.0}}", "${{3}<=level{3.6.0}}", "${{3.06}==level{3.6}}",
    "${{3.}==level{3}}", "${{.3}==level{3}}", "${{3.6.1.1}==level{3.6.1}}",
    "${{}<level{3}}", "${{4096}<level{3}}", "${{3} <level {a}}",
    "${{a} <levelx {b}}", "${{-1}<level{3}}", "${{3.6}!=level{3.6}}",
    "${{3.6}>level{3.5}}", "${{3.6}>=level{3.7}}", "${{3.10}>level{3.9}}",
    "${{$myhostname}=={h.d.test}?{$myhostname}:{$nope}}",
    "${myhostname?$myhostname}", "${myhostname?{$}}", "${nope?{${}}",
    "${x?{{a}}}", "${x:{{a}}}", "${x:{a}{b}}", "${x?a{b}c}",
    "${myhostname?a{b}c}", "${myhostname?{a b} }", "${myhostname?  a b }",
    "${myhostname:  a b }", "${x:  a b }", "$$$$x", "$$${x:a}", "${$x}",
    "${x${y}}", "$(x?y)", "$(myhostname?y)", "$(myhostname?{y})",
    "$(myhostname?(y))", "$(x:y)", "${myhostname?(y}", "$(myhostname?{y)",
    "${{a}\t==\t{a}\t?\t{b}\t:\t{c}}", "$myhostname_x", "${myhostname}x",
    "${my.hostname}", "$9", "${1}", "$0a", "${x:$(x:{y})}",
    "${x:${x:${x:${x:z}}}}", "${{${x:a}}=={a}?{y}}", "a}b{c", "{$myhostname}",
    "$myhostname}", "\\$myhostname", "$\\x", "%$myhostname",
    "${ {a} == {a} }", "$ {a}", "${x ?y}", "${x? y }", "${myhostname ?y}",
    "${myhostname? y }", "${myhostname ? {y} }", "${x:${myhostname}",
    "${stress}", "${stress?x}", "${stress:y}", "$compatibility_level",
    "${a\tb}", "$a\xff", "$\xffa", "${\xff}", "$relayhost", "$mydomain",
    "a  b\t c", "a,b , c", "{ a  b }", "a # b", "a\\", '"a b"', "'a", "=", "==",
    "a=b", "\x01\x7f\xe9\xff",
]


@pytest.mark.parametrize("text", TEXTS)
def test_expansion(tmp_path, text):
    main = HEAD + b"relayhost = " + text.encode("latin1") + b"\n"
    peer, own = results(tmp_path / "etc", main, b"", ["-x", "relayhost"])
    if peer["status"] != 0:
        # of a malformed text Postfix looks at some of the names only
        for r in peer, own:
            r["complaints"] = {line for line in r["complaints"]
                               if b": undefined parameter: " not in line}
    assert own == peer


# files as they should not be

MAINS = {
    "empty": b"", "comments": b"\n\n#x\n  # y\n", "no end": b"relayhost=a",
    "leading blank": b"  relayhost = a\nmyorigin = b\n",
    "leading blank behind a comment": b"# c\n  relayhost = a\nx=y",
    "leading blank behind blanks": b"   \n\t relayhost = a\n b\nmyorigin = c\n",
    "comment in between": b"relayhost = a\n#  b\n  c\n\n \n  d\nmyorigin=e\n",
    "comment after continuation": b"relayhost = a\n b\n# c\n d\n",
    "vertical blanks": b"relayhost = a\x0bb\x0cc\n\x0b d\n",
    "crlf": b"relayhost = a\r\n  b\r\n\r\n# c\r\nmyorigin=c\r\n",
    "cr alone": b"relayhost = a\rmyorigin = b\n",
    "not ascii": b"relayhost = \xe9\xff\n\xa0e=f\n",
    "no equals": b"relayhost\n", "no name": b"=x\n",
    "blank in name": b"relay host = a\n",
    "no equals later": b"relayhost = a\n\nmyorigin\n",
    "backslash": b"relayhost=a\\\nmyorigin=x\n",
    "twice": b"relayhost=a\nmyorigin=x\nrelayhost=b,\n c\n",
    "thrice": b"relayhost=a\nrelayhost=b\nrelayhost=\n",
    "long": b"relayhost = " + b"a " * 30000 + b"\n",
    "many lines": b"relayhost = a\n" + b"  b\n" * 10000,
    "empty value": b"relayhost =\nmyorigin=\n",
    "punctuation in names": b"re-layhost = 1\nre.lay = 2\nre/lay=3\n",
    "read-only": b"process_name = x\nprocess_id=2\n",
    "unused": b"one=1\ntwo=$three\nthree=3\n",
    "each other": b"c=$d\nd=$c\n",
    "used": b"relayhost=${c?{$d}:{$e}}${f?$g}$(h)${{$i}=={$j}?{$k}}\n"
            b"c=1\nd=1\ne=1\nf=1\ng=1\nh=1\ni=1\nj=1\nk=1\n",
    "dollars": b"relayhost=$$c\nc=1\n",
    "classes": b"cls=permit\ncls2=$x\nx=3\n"
               b"smtpd_restriction_classes=cls,cls2 cls3\n",
    "tables": b"foo_server_host=a\nfoo_nope=b\nalias_maps=ldap:foo, mysql:bar"
              b"\nbar_user=u\nbar_query=$x\nx=2\n",
    "table behind proxy": b"alias_maps=proxy:ldap:foo\nfoo_server_host=a\n",
    "families": b"myt_destination_concurrency_limit=2\n"
                b"zz_destination_concurrency_limit=2\nmyt_time_limit=3\n"
                b"smtp_time_limit=4\n",
    "level": b"compatibility_level = 2\nmynetworks_style = class\n",
    "hash in value": b"relayhost = a #b\n #c\n d#e\n",
    "braces": b"relayhost = {a b, {c}}\nmyorigin = }{\n",
    "directory": b"config_directory = /other\n",
    "tab before equals": b"relayhost\t=\ta\t\n",
}


@pytest.mark.parametrize("option", ["-n", "-nh", "-nH", "-nC user"])
@pytest.mark.parametrize("name", MAINS)
def test_main_cf(tmp_path, name, option):
    same(tmp_path, MAINS[name], MASTER, *option.split())


@pytest.mark.parametrize("width", range(60, 70))
def test_folding(tmp_path, width):
    main = (HEAD + b"relayhost = " + b"a" * width + b" bb, cc\nmyorigin = " +
            b"w%d, " * 30 % tuple(range(30)) + b"\nmydomain = " + b"x" * 90)
    same(tmp_path, main, b"p unix - n n - - pipe\n flags=DRhu argv=" +
         b"w" * (width - 40) + b" -o xx yy\n", "-nf")


MASTERS = {
    "seven fields": b"smtp inet n - n - -\n",
    "open brace value": b"smtp inet n - n - - smtpd -o {a = b\n",
    "o alone": b"smtp inet n - n - - smtpd -o\n",
    "o without equals": b"smtp inet n - n - - smtpd -o a\n",
    "o braces without equals": b"smtp inet n - n - - smtpd -o {a}\n",
    "o empty braces": b"smtp inet n - n - - smtpd -o {}\n",
    "o without name": b"smtp inet n - n - - smtpd -o =b\n",
    "o in one word": b"smtp inet n - n - - smtpd -oa=b -v -o{c = d} -D\n",
    "o text behind brace": b"smtp inet n - n - - smtpd -o { a = b }x\n",
    "o braces in value": b"smtp inet n - n - - smtpd -o a={b c} -o {d={e f}}\n",
    "o empty": b"smtp inet n - n - - smtpd -o {relayhost = } -o myorigin=\n",
    "o blanks": b"smtp inet n - n - - smtpd -o { relayhost = x  y }\n",
    "o names": b"smtp inet n - n - - smtpd -o {relayhost=$x$myhostname} "
               b"-o myorigin=$y -o y=$z -o mine=2\n",
    "o twice": b"smtp inet n - n - - smtpd -o relayhost=a -o relayhost=b\n",
    "bad type": b"smtp foo n - n - - smtpd\n",
    "bad private": b"smtp inet x - n - - smtpd\n",
    "bad unprivileged": b"smtp inet n z n - - smtpd\n",
    "bad chroot": b"smtp inet n - z - - smtpd\n",
    "bad wakeup": b"smtp inet n - n x y smtpd\n",
    "bad limit": b"smtp inet n - n - y smtpd\n",
    "wakeup if used": b"q unix n - n 60? 5 smtpd\n",
    "datagram": b"q unix-dgram n - n - 1 postlogd\nf fifo n - n - - x\n",
    "twice": b"smtp inet n - n - - smtpd\nsmtp inet n - n - - smtpd -v\n",
    "leading blank": b"  smtp inet n - n - - smtpd\n",
    "crlf": b"smtp inet n - n - - smtpd\r\n  -o a=b\r\n",
    "comments": b"smtp inet n - n - - smtpd\n# c\n  -o relayhost=b\n\n  -v\n",
    "pipe": b"p unix - n n - - pipe flags=R user=x argv=/usr/bin/foo -o x "
            b"{a b} ${recipient}\n  -d $nexthop\n",
    "pipe in braces": b"p unix - n n - - pipe {user=x} {argv=/bin/a b c}\n",
    "words between": b"smtp inet n - n - - smtpd -v -o a=b foo -o c=d\n",
    "addresses": b"127.0.0.1:10025 inet n - n - - smtpd\n"
                 b"[::1]:25 inet n - n - - smtpd\n",
    "long fields": b"averyveryverylongservicename inet n - n - 12345678 s\n",
    "slash": b"a/b unix n - n - - smtpd\n",
    "long options": b"smtp inet n - n - - smtpd -o content_filter=smtp:[127.0"
                    b".0.1]:10025 -o smtpd_recipient_restrictions=permit,reject"
                    b" -o relayhost=" + b"x" * 90 + b"\n",
    "long words": b"p unix - n n - - pipe user=x argv=/usr/bin/aaaaaaaaaaaaaaa "
                  b"bbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccc dddddd\n",
    "not ascii": b"s\xff inet n - n - - smtpd\n",
    "closing brace": b"smtp inet n - n - - smtpd }\n",
    "two dashes": b"smtp inet n - n - - smtpd -- -o a=b\n",
    "braces everywhere": b"smtp inet n - n - - smtpd {-o} a=b {-o a=b}\n",
    "service in braces": b"{smtp} inet n - n - - smtpd\n",
    "empty": b"", "empty lines": b"\n \n#\n",
}


@pytest.mark.parametrize("option", ["-M", "-Mfx", "-Px", "-F */*/command"])
@pytest.mark.parametrize("name", MASTERS)
def test_master_cf(tmp_path, name, option):
    same(tmp_path, HEAD + b"mine=1\nrelayhost=$mine\n", MASTERS[name],
         *option.split())


# options

OPTIONS = "aAbdefFhHlmMnopPtTvxX#C"
VALUES = {"o": "a=b", "T": "run-version", "C": "user"}
EVERYTHING = set("dfhHopvx")  # these list all settings, and each has its own


def given(option):
    return ["-" + option, *([VALUES[option]] if option in VALUES else [])]


@pytest.mark.parametrize("pair", [
    a + b for a, b in itertools.combinations(OPTIONS, 2)
    # what is installed; tested apart
    if not ({a, b} & set("abtmT") and {a, b} & set("vC"))
    # its -v says what the libraries do
    and not ("v" in (a, b) and {a, b} & set("nMPFC"))
    and not {a, b} <= EVERYTHING and a + b not in ("xC", "hC", "HC")])
def test_pairs_of_options(tmp_path, pair):
    same(tmp_path, HEAD, MASTER, *given(pair[0]), *given(pair[1]))


USES = [
    ["relayhost", "nope"], ["-n", "relayhost", "mydestination"], ["-dn", "x"],
    ["-d", "relayhost", "mydestination"], ["-d", "mine"], ["-x", "mydomain"],
    ["-xd", "mydomain"], ["-xo", "mine=", "mydomain"], ["-h", "relayhost"],
    ["relayhost", "relayhost", "mydomain"], ["-fn", "relayhost"], [""],
    ["-o", "a", "relayhost"], ["-o", "=b", "relayhost"],
    ["-o", "relay host=b", "relayhost"], ["-o", "relayhost = b ", "relayhost"],
    ["-o", "x=1", "-o", "relayhost=$x$x", "-x", "relayhost"],
    ["-no", "relayhost2=$x"], ["-no", "relayhost=b"], ["-xo", "mine=z", "-n"],
    ["-C", "user"], ["-C", "service"], ["-C", "foo"], ["-C", ""],
    ["-C", "builtin", "relayhost"], ["-nC", "user"], ["-nC", "builtin"],
    ["-C", "user,service"], ["-C", "ALL", "-n"], ["-nC", "builtin, user"],
    ["-C", "user", "relayhost", "mine"], ["-dC", "service"], ["-Z"], ["-E"],
    ["-c", "/nonexistent", "relayhost"],
    ["-T", "foo"], ["-T"], ["-c"], ["-A"], ["-l"], ["-M", "foo"], ["-M", "*"],
    ["-M", "smtp"], ["-M", "smtp/inet"], ["-M", "SMTP/inet"], ["-M", ""],
    ["-M", "smtp/inet/x"], ["-M", "smtp/foo"], ["-M", "*/unix", "smtp/*"],
    ["-F", "smtp"], ["-F", "*/inet"], ["-F", "smtp/inet/type"],
    ["-F", "smtp/inet/a/b"], ["-F", "smtp/inet/foo"], ["-F", "*/*/chroot"],
    ["-F", "smtp/inet/service", "smtp/inet/service"], ["-P", "smtp/inet/zz"],
    ["-P", "myt/unix/syslog_name"], ["-P", "myt"], ["-P", "*/*/relayhost"],
    ["-hP", "myt"], ["-HP", "myt"], ["-oP", "a=b"], ["-xP", "-o", "mine=q"],
    ["-hF", "smtp/inet/command"], ["relayhost", "a=b"], ["a=b", "relayhost"],
]


@pytest.mark.parametrize("arguments", USES, ids=" ".join)
def test_use(tmp_path, arguments):
    same(tmp_path, HEAD + b"mine = 1\nrelayhost = [$mine],\n  [b]\n"
         b"mydomain = ${mine?{y}:{n}}.test\nunused_one = 3\n",
         MASTER + b"  -o syslog_name=$mine -o relayhost={a b}\n", *arguments)


# what is missing

@pytest.mark.parametrize("arguments", [
    ["-n"], ["-d", "relayhost"], ["-M"], ["-e", "a=b"], ["relayhost"],
    ["-X", "a"], ["-Me", "a/unix=a unix - - - - - b"], ["-P"]], ids=" ".join)
@pytest.mark.parametrize("missing", ["main.cf", "master.cf"])
def test_missing_file(tmp_path, missing, arguments):
    same(tmp_path, None if missing == "main.cf" else HEAD,
         None if missing == "master.cf" else MASTER, *arguments)


# changes

MAIN_TO_CHANGE = (b"#c1\nrelayhost = a\n# in\n  b\nmyorigin=x\nrelayhost = c\n"
                  b"\n  d\n#end\nbadline\n  cont\n")
MAIN_CHANGES = [
    ["-e", "relayhost=z"], ["-X", "relayhost"], ["-#", "relayhost"],
    ["-e", "relayhost = "], ["-e", "relayhost=q", "relayhost=r"], ["-e"],
    ["-e", "new= a  b "], ["-e", "a-b=c"], ["-e", "a b=c"], ["-e", "a"],
    ["-e", "relayhost=a\nb"], ["-e", "#a=b"], ["-e", " #a=b"], ["-e", "=b"],
    ["-X", "nope"], ["-#", "nope"], ["-X", ""], ["-X", "a b"], ["-X"],
    ["-e", "old=${y"], ["-e", "a=b", "c"], ["-X", "relayhost", "myorigin"],
    ["-X", "a=b"], ["-#", "a=b"], ["-#"], ["relayhost=y"], ["myorigin="],
    ["-#", "myorigin", "relayhost"], ["-e", "a=\xe9\x01"], ["-e", "a={ b"],
]


@pytest.mark.parametrize("arguments", MAIN_CHANGES, ids=repr)
def test_change_of_main_cf(tmp_path, arguments):
    same(tmp_path, MAIN_TO_CHANGE, b"", *arguments)


@pytest.mark.parametrize("arguments", [["-e", "c=e"], ["-X", "a"],
                                       ["-#", "a"]], ids=" ".join)
@pytest.mark.parametrize("main", [
    b"", b"  x=y\nz=1\n", b"a=b\r\nc=d\r\n", b"a=b\n\n\n", b"a=b\n# t\n",
    b"a=b\n  # t\n c\n", b"a=b\n\x0b c\n", b"\n a=b\nc=d\n", b"#a=b\na=c\n\n\n",
    b"a=b\n c=d\nc=f\n", b"a = b\nc = d\n  e\n  #f\n\n"], ids=repr)
def test_change_of_small_main_cf(tmp_path, main, arguments):
    same(tmp_path, main, b"", *arguments)


MASTER_TO_CHANGE = (
    b"#top\nsmtp inet n - n - - smtpd\n# in\n  -o a=b -o c=d\n\n# for q\n  -v\n"
    b"#end\nq unix n - n 300 1 qmgr\nsmtp inet n - n - - second\n"
    b"smtp unix - - n - - smtp\n")
MASTER_CHANGES = [
    ["-M", "smtp/inet=smtp inet n - n - - x"],
    ["-Me", "new/unix=new unix - - - - - smtp -o a=b"],
    ["-Me", "smtp=smtp inet n - n - - smtpd -o x=y"],
    ["-MX", "smtp/inet"], ["-M#", "smtp/inet"], ["-MX", "q/unix", "smtp/unix"],
    ["-MX", "no/unix"], ["-M#", "no/unix"], ["-M#", "*/unix"], ["-MX", "*/*"],
    ["-MX", "smtp"], ["-M#", "smtp"], ["-MX"], ["-Me"],
    ["-Me", "*/unix=q unix n - n - - y"],
    ["-Me", "q/unix=other unix n - n - - y"],
    ["-Me", "q/unix=q inet n - n - - y"], ["-Me", "q/unix=q unix n"],
    ["-Me", "q/unix="], ["-Me", "q/foo=q foo n - n - - z"],
    ["-Fe", "smtp/inet/command=x -o a={b c}"], ["-Fe", "smtp/inet/private=y"],
    ["-Fe", "smtp/inet/private=z"], ["-Fe", "smtp/inet/wakeup=60?"],
    ["-Fe", "smtp/inet/service=sm"], ["-Fe", "smtp/inet/type=unix"],
    ["-Fe", "smtp/inet=y"], ["-Fe", "*/inet/chroot=y"],
    ["-Fe", "*/*/chroot=y"], ["-Fe", "smtp/*/chroot=y"],
    ["-Fe", "no/inet/chroot=y"], ["-Fe", "smtp/inet/*=y"],
    ["-Fe", "q/unix/chroot=y n"], ["-F", "q/unix/command=qmgr -v"],
    ["-Fe", "smtp/inet/process_limit=5", "q/unix/chroot=y"],
    ["-Fe", "smtp/inet/unpriv=y"], ["-Fe", "smtp/inet/maxproc=3"],
    ["-F#", "smtp/inet/chroot"], ["-FX", "smtp/inet/chroot"],
    ["-Pe", "smtp/inet/a=new"], ["-Pe", "smtp/inet/n={x y}"],
    ["-P", "smtp/inet/n=x y"], ["-P#", "smtp/inet/a"],
    ["-Pe", "smtp/inet/n="], ["-Pe", "smtp/inet=n"], ["-Pe", "*/*/n=1"],
    ["-Pe", "no/unix/n=1"], ["-PX", "smtp/inet/a", "smtp/inet/zz"],
    ["-PX", "smtp/inet/*"], ["-PX", "smtp/inet"], ["-PX", "*/*/c"],
    ["-Pe", "q/unix/n m=1"], ["-Pe", "smtp/inet/n=1", "smtp/inet/n=2"],
    ["-Pe", "smtp/inet/c=2", "q/unix/c=3"],
]


@pytest.mark.parametrize("arguments", MASTER_CHANGES, ids=" ".join)
def test_change_of_master_cf(tmp_path, arguments):
    """With -F and -P, Postfix puts the comments up to the next entry in front
    of the changed one; ours stay where they are, between the entries."""
    peer, own = results(tmp_path / "etc", HEAD, MASTER_TO_CHANGE, arguments)
    if arguments[0][1] in "FP":
        before, after = (r["files"].pop("master.cf") for r in (peer, own))
        if arguments[0] == "-PX":
            # and it lines up the columns of entries without that setting
            before, after = (re.sub(rb"\n +-o", b" -o", re.sub(
                rb" +", b" ", text)) for text in (before, after))
        assert entries(after) == entries(before)
        assert comments(after) == comments(before)
    assert own == peer


OURS = "this suite's own: places, names, users, version"
INDIRECT = "3.12 names default_database_type or default_cache_db_type"
TLS = "compat.def says why: today's TLS, or as Postfix's code has it"
LATER = "Postfix 3.12 has another default than 3.7"
# Where the defaults are not those of Postfix 3.7.
DIFFERENT = {
    **dict.fromkeys("""command_directory config_directory daemon_directory
        data_directory html_directory mail_name mail_owner mail_release_date
        mail_version manpage_directory queue_directory readme_directory
        sample_directory setgid_group shlib_directory syslog_name
        process_id""".split(), OURS),
    **dict.fromkeys("""address_verify_map alias_database alias_maps
        postscreen_cache_map""".split(), INDIRECT),
    **dict.fromkeys("""lmtp_tls_mandatory_protocols lmtp_tls_protocols
        lmtp_tls_security_level smtp_tls_mandatory_protocols
        smtp_tls_protocols smtp_tls_security_level
        smtpd_tls_mandatory_protocols smtpd_tls_protocols
        smtpd_tls_security_level tls_high_cipherlist tls_medium_cipherlist
        tls_wildcard_matches_multiple_labels""".split(), TLS),
    **dict.fromkeys("""milter_default_action proxy_read_maps
        smtp_pix_workarounds smtp_tls_dane_insecure_mx_policy
        smtpd_forbid_bare_newline smtpd_forbid_unauth_pipelining
        tls_eecdh_auto_curves tls_export_cipherlist tls_low_cipherlist
        tls_null_cipherlist tlsproxy_client_policy_maps
        tlsproxy_client_security_level""".split(), LATER),
    "import_environment": "none of debuggers and X programs",
}


def test_defaults(tmp_path):
    """Each name that Postfix 3.7 has is known, with its default."""
    found = []
    for who in (theirs, ours):
        (tmp_path / "main.cf").write_bytes(HEAD)
        (tmp_path / "master.cf").write_bytes(MASTER)
        status, out, errors = who(tmp_path, ["-d"])
        assert (status, errors) == (0, b"")
        found.append(dict(line.split(" =", 1)
                          for line in out.decode().splitlines()))
    peer, own = found
    assert len(peer) > 800
    assert [name for name in peer if name not in own] == []
    assert {name for name in peer if peer[name] != own[name]} == \
        set(DIFFERENT), "a new difference, or one less"


def test_read_only_names(tmp_path):
    same(tmp_path, HEAD, MASTER, "process_name", "service_name")


def test_kinds_of_sasl(tmp_path):
    """smtpd_sasl_type may name either, and auth answers in both's stead."""
    same(tmp_path, HEAD, MASTER, "-a")
    same(tmp_path, HEAD, MASTER, "-A")


SERVICES = MASTER + (b"q unix - - n 5? 2 pipe -v -o a=1 -o {b = x y} -o a=2\n"
                     b"  user=x argv=/bin/sh {c d}\n")
TARGETS = ["q/unix", "q/*", "*/unix", "*/*", "q/inet", "myt/unix", "q/", "q"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("act", ["-MX", "-M#", "-M", "-Mf", "-Mx"])
def test_services(tmp_path, act, target):
    same(tmp_path, HEAD, SERVICES, act, target)


@pytest.mark.parametrize("target", TARGETS)
def test_new_services(tmp_path, target):
    """One of the new entry's name is replaced as well."""
    same(tmp_path, HEAD, SERVICES, "-Me",
         target + "=q unix - - n - - local -o {c = d e}")
    same(tmp_path, HEAD, SERVICES, "-Me", target + "=new inet - - n - - x")


@pytest.mark.parametrize("name", ["a", "b", "c", "A", "*", ""])
def test_settings_of_services(tmp_path, name):
    target = "q/unix/" + name
    for words in (["-Pe", target + "=9"], ["-Pe", target + " = $x{y}"],
                  ["-P", target], ["-Ph", target], ["-PxH", target]):
        same(tmp_path, HEAD, SERVICES, *words)


@pytest.mark.parametrize("name", ["a", "b"])
def test_settings_of_services_removed(tmp_path, name):
    same(tmp_path, HEAD, SERVICES, "-PX", "q/unix/" + name)
    same(tmp_path, HEAD, SERVICES, "-PX", "q/unix/a", "q/unix/b")


@pytest.mark.parametrize("value", ["-", "y", "0", "x", "1?", "a b"])
@pytest.mark.parametrize("field", ["service", "type", "private", "wakeup",
                                   "process_limit", "command", "nope", "*"])
def test_fields(tmp_path, field, value):
    """A new field counts only where there is an entry for it."""
    for target in "q/unix/", "q/inet/":
        peer, own = results(tmp_path / "etc", HEAD, SERVICES,
                            ["-Fe", target + field + "=" + value])
        assert (own["status"], own["files"]) == (peer["status"], peer["files"])


@pytest.mark.parametrize("bad", [b"q unix x - n - - smtp\n", b"q unix -\n",
                                 b"q foo - - n - - smtp\n"])
def test_damaged_entries(tmp_path, bad):
    """They can be removed and replaced, but not changed."""
    for words in (["-MX", "q/*"], ["-M#", "q/*"], ["-MX", "myt/unix"],
                  ["-Me", "q/*=q unix - - n - - pipe"]):
        same(tmp_path, HEAD, MASTER + bad, *words)
    for words in (["-Pe", "q/*/a=5"], ["-Fe", "*/*/private=y"]):
        peer, own = results(tmp_path / "etc", HEAD, MASTER + bad, words)
        assert (own["status"], own["files"]) == (1, peer["files"])


def test_of_two_new_entries_the_later_counts(tmp_path):
    """Postfix adds both, and then master(8) refuses the file."""
    results(tmp_path / "etc", HEAD, MASTER, [])
    peer, own = results(
        tmp_path / "etc", HEAD, MASTER,
        ["-Me", "n/unix=n unix - - n - 6 y", "n/unix=n unix - - n - 5 x"])
    assert peer["files"]["master.cf"].count(b"\nn ") == 2
    assert own["files"]["master.cf"].count(b"\nn ") == 1
    assert b"5       x" in own["files"]["master.cf"]
    assert any(b"ignoring earlier" in line for line in own["complaints"])


ASSIGNMENTS = [["x=1"], ["relayhost=a", "relayhost=b"], ["nope"], ["=x"],
               [" relayhost = y "], ["a b=c"], [""]]


@pytest.mark.parametrize("assigned", ASSIGNMENTS)
@pytest.mark.parametrize("rest", ["-n", "relayhost mydomain nope", "-h relayhost",
                                  "-H relayhost", "-e relayhost=1", "-M",
                                  "-x -P"])
def test_overrides(tmp_path, assigned, rest):
    options = itertools.chain.from_iterable(("-o", a) for a in assigned)
    same(tmp_path, HEAD, SERVICES, *options, *rest.split())


@pytest.mark.parametrize("classes", ["builtin", "service", "user", "all", "",
                                     "nope", "user,service", "USER"])
def test_classes(tmp_path, classes):
    main = HEAD + b"x=1\nrelayhost=$x\nmyt_time_limit=3\n"
    same(tmp_path, main, SERVICES, "-n", "-C", classes)
    same(tmp_path, main, SERVICES, "-C", classes, "x", "relayhost")


@pytest.mark.parametrize("words", ["-n", "-e relayhost=3", "-X relayhost"])
def test_an_empty_directory_name(tmp_path, words):
    """It is not the usual directory that a script meant."""
    peer, own = results(tmp_path / "etc", HEAD, MASTER,
                        ["-c", "", *words.split()])
    assert (own["status"], own["out"]) == (peer["status"], peer["out"])
    assert own["status"] == 1


@pytest.mark.parametrize("sign", ["===", "==+", "==level", "==levels", "==1",
                                  "<>", "=", "==_", "!=?", "<= ", "==:"])
def test_operators(tmp_path, sign):
    main = HEAD + b"relayhost = ${{1}%s{2}?{c}:{d}}\n" % sign.encode()
    same(tmp_path, main, MASTER, "-n")
    same(tmp_path, main, MASTER, "-nx")


@pytest.mark.parametrize("width", range(60, 84))
def test_services_fold(tmp_path, width):
    word = "x" * width
    for words in (f"a {word[50:]} b", f"{word[40:]} {word} c", word,
                  f"-o {{a = x {word} y}} {word} d"):
        master = f"myt unix - - n - - smtp {words}\n".encode()
        same(tmp_path, HEAD, master, "-Mf")
        same(tmp_path, HEAD, master, "-Ff")
