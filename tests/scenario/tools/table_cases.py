# SPDX-License-Identifier: ISC
"""Inputs for which postmap and postalias must do what Postfix's do.

A case is (name, type, text of the file, keys to ask for, options). Where no
text is needed the type holds the whole specification. "Same" means: output,
exit status and complaints, byte for byte."""

LONG = b"x" * 5000
UTF8 = "grüße@exämple.test".encode()
CAPITAL = "GRÜSSE@EXÄMPLE.TEST".encode()

# -- "key value" lines, for texthash and for what postmap builds

MAPS = {
    "plain": (b"a 1\nb 2\n", [b"a", b"b", b"c", b"A", b"B "]),
    "empty file": (b"", [b"a"]),
    "only comments": (b"# a\n   # b\n\n   \n", [b"a", b"#"]),
    "no newline at the end": (b"a 1\nb 2", [b"a", b"b"]),
    "case of keys": (b"AbC Value\n", [b"abc", b"ABC", b"AbC"]),
    "blanks between": (b"a \t  1  2\t3  \nb\t\t4\n", [b"a", b"b"]),
    "blanks at the end": (b"a 1   \t \nb 2\t\n", [b"a", b"b"]),
    "key alone": (b"a\nb 1\n", [b"a", b"b"]),
    "key and blanks": (b"a   \t\nb 1\n", [b"a", b"b"]),
    "many keys alone": (b"a\nb\nc\nd 1\ne\n", [b"a", b"d", b"e"]),
    "blank first line": (b" a 1\nb 2\n", [b"a", b"b"]),
    "tab first line": (b"\ta 1\nb 2\n", [b"a", b"b"]),
    "continued": (b"a 1\n  2\n\t3\nb 4\n", [b"a", b"b"]),
    "continued key": (b"a\n  2\nb 4\n", [b"a", b"b"]),
    "continued by blanks only": (b"a 1\n   \nb 4\n", [b"a", b"b"]),
    "continued over a comment": (b"a 1\n# no\n  2\nb 4\n", [b"a", b"b"]),
    "continued over an indented comment":
        (b"a 1\n  # no\n  2\nb 4\n", [b"a", b"b"]),
    "continued over an empty line": (b"a 1\n\n  2\nb 4\n", [b"a", b"b"]),
    "comment behind a value": (b"a 1 # no comment\n", [b"a"]),
    "hash in a key": (b"a#b 1\n#c 2\n", [b"a#b", b"#c", b"c"]),
    "equal keys": (b"a 1\na 2\nA 3\n", [b"a"]),
    "equal keys and values": (b"a 1\na 1\n", [b"a"]),
    "crlf": (b"a 1\r\nb 2\r\n", [b"a", b"b", b"a\r"]),
    "crlf and empty lines": (b"a 1\r\n\r\n# c\r\nb 2\r\n", [b"a", b"b"]),
    "crlf continued": (b"a 1\r\n  2\r\nb 2\r\n", [b"a", b"b"]),
    "cr alone": (b"a 1\rb 2\n", [b"a", b"b"]),
    "form feed between": (b"a\f1\nb\v2\n", [b"a", b"b"]),
    "form feed first": (b"\fa 1\n\vb 2\nc 3\n", [b"a", b"b", b"c"]),
    "null in a value": (b"a 1\0002\nb 2\n", [b"a", b"b"]),
    "null in a key": (b"a\000b 1\nb 2\n", [b"a", b"b", b"a\000b"]),
    "null line": (b"\000\nb 2\n", [b"b"]),
    "alias lines": (b"a: 1\nb : 2\nc:d 3\n", [b"a", b"a:", b"b", b"c:d"]),
    "colon alone": (b": 1\nb 2\n", [b":", b"b"]),
    "utf-8": (UTF8 + b" 1\n", [UTF8, CAPITAL]),
    "utf-8 in capitals": (CAPITAL + b" 1\n", [UTF8, CAPITAL]),
    "utf-8 in a value": (b"a " + UTF8 + b"\n", [b"a"]),
    "no utf-8 key": (b"\xff\xfe 1\nb 2\n", [b"\xff\xfe", b"b"]),
    "no utf-8 value": (b"a \xff\xfe\nb 2\n", [b"a", b"b"]),
    "utf-8 cut short": (b"a\xc3 1\nb 2\n", [b"a\xc3", b"b"]),
    "utf-8 too long": (b"a\xc0\x80 1\nb 2\n", [b"a\xc0\x80", b"b"]),
    "utf-8 surrogate": (b"a\xed\xa0\x80 1\nb 2\n", [b"b"]),
    "byte order mark": (b"\xef\xbb\xbfa 1\nb 2\n",
                        [b"a", b"b", b"\xef\xbb\xbfa"]),
    "no-break space": (b"a\xc2\xa0b 1\n", [b"a", b"a\xc2\xa0b"]),
    "control characters": (b"a\x01 1\x02\nb\x7f 2\n", [b"a\x01", b"b\x7f"]),
    "quotes": (b'"a b" 1\n"c" 2\nd "3 4"\n',
               [b"a b", b'"a b"', b"c", b'"c"', b"d"]),
    "quoted local part": (b'"a b"@x.test 1\n', [b'"a b"@x.test',
                                               b"a b@x.test"]),
    "quote open": (b'"a b 1\nb 2\n', [b'"a', b'"a b 1', b"b"]),
    "quote open in the middle": (b'a"b c 1\nb 2\n', [b'a"b', b"b"]),
    "quote closed and more": (b'"a b"c"d e" 1\n', [b'"a b"c"d e"']),
    "empty quotes": (b'"" 1\nb 2\n', [b'""', b"b"]),
    "backslash": (b"a\\ b 1\nc\\\\ 2\n\\d 3\n",
                  [b"a\\ b", b"a\\", b"c\\\\", b"\\d", b"a b"]),
    "backslash at the end": (b"a 1\\\nb 2\nc\\\n", [b"a", b"b", b"c\\"]),
    "backslash in quotes": (b'"a\\"b" 1\n"c\\" 2\n',
                            [b'"a\\"b"', b'"c\\"', b'"c\\" 2']),
    "braces": (b"{ 1\n} 2\n{a} 3\n", [b"{", b"}", b"{a}"]),
    "dollar": (b"$a $b\n${c} $(d)\n", [b"$a", b"${c}"]),
    "percent": (b"%s %n\n%n%n %s\n", [b"%s", b"%n%n"]),
    "long key": (LONG + b" 1\nb 2\n", [b"b"]),
    "long value": (b"a " + LONG + b"\nb 2\n", [b"a", b"b"]),
    "very long value": (b"a " + LONG * 40 + b"\nb 2\n", [b"a", b"b"]),
    "many continuations": (b"a 1\n" + b"  2\n" * 500, [b"a"]),
    "addresses": (b"user@dom.test 1\n@dom.test 2\n.dom.test 3\nuser@ 4\n",
                  [b"user@dom.test", b"@dom.test", b"x@dom.test",
                   b".dom.test", b"user@", b"user"]),
    "networks": (b"192.0.2 1\n2001:db8::1 2\n[::1] 3\n192.0.2.0/24 4\n",
                 [b"192.0.2", b"192.0.2.1", b"2001:db8::1", b"[::1]",
                  b"192.0.2.0/24"]),
    "if and endif mean nothing": (b"if a\nb 1\nendif\n",
                                  [b"if", b"b", b"endif"]),
    "exclamation": (b"!a 1\n", [b"a", b"!a"]),
    "equals": (b"a = b\nc=d\n", [b"a", b"c", b"c=d"]),
    "empty key asked": (b"a 1\n", [b"", b" ", b"a"]),
    "keys with blanks asked": (b"a 1\n", [b" a", b"a ", b"\ta", b"a b"]),
    "many": (b"".join(b"key%d value%d\n" % (i, i) for i in range(300)),
             [b"key%d" % i for i in range(0, 330, 7)]),
}

# -- aliases

ALIASES = {
    "plain": (b"root: bob\npostmaster: root\n",
              [b"root", b"ROOT", b"postmaster", b"bob"]),
    "no blank": (b"root:bob\na:b:c\n", [b"root", b"a", b"a:b"]),
    "blank before the colon": (b"root : bob\na\t:\tb\n", [b"root", b"a"]),
    "list": (b"a: b, c,d\n  , e f\n", [b"a"]),
    "continued": (b"a: b,\n\tc\n# x\n d\nroot: e\n", [b"a", b"root"]),
    "include": (b"a: :include:/etc/list, b\n", [b"a"]),
    "file": (b"a: /var/mail/a\nb: \"/var/mail/b c\"\n", [b"a", b"b"]),
    "command": (b'a: |/bin/x\nb: "|/bin/x -y z"\nc: |"/bin/x y"\n',
                [b"a", b"b", b"c"]),
    "quoted name": (b'"a b": c\n"d": e\n', [b"a b", b'"a b"', b"d"]),
    "quoted colon": (b'"a:b": c\n', [b"a:b", b"a"]),
    "quoted at": (b'"a@b": c\nd: e\n', [b"a@b", b"d"]),
    "backslash": (b"a: \\b\nb\\:c: d\n", [b"a", b"b", b"b:c", b"b\\:c"]),
    "address as name": (b"a@b.test: c\nd: e\n", [b"a@b.test", b"d"]),
    "no colon": (b"a b\nc: d\n", [b"a", b"c"]),
    "no value": (b"a:\nb: c\nd:   \n", [b"a", b"b", b"d"]),
    "no name": (b": a\nb: c\n", [b"", b"b"]),
    "two words": (b"a b: c\nd: e\n", [b"a b", b"a", b"d"]),
    "two names": (b"a, b: c\nd: e\n", [b"a", b"b", b"a, b", b"d"]),
    "comment in a name": (b"a (x): c\nd: e\n", [b"a", b"d"]),
    "blank first": (b"  a: b\nc: d\n", [b"a", b"c"]),
    "quote open": (b'"a: b\nc: d\n', [b"a", b'"a', b"c"]),
    "quote open in the value": (b'a: "b\nc: d\n', [b"a", b"c"]),
    "equal names": (b"a: b\nA: c\n", [b"a"]),
    "owner": (b"owner-a: b\na-request: c\n", [b"owner-a", b"a-request"]),
    "braces": (b"a: {b}\n{c}: d\n", [b"a", b"{c}"]),
    "crlf": (b"a: b\r\nc: d\r\n", [b"a", b"c"]),
    "null": (b"a: b\000c\nd: e\n", [b"a", b"d"]),
    "utf-8": ("grüße: b\nGRÖSSE: c\n".encode(),
              ["grüße".encode(), "größe".encode()]),
    "no utf-8": (b"a\xff: b\nc: \xff\nd: e\n", [b"a\xff", b"c", b"d"]),
    "delimiters": (b"a+b: c\na-b: d\na.b: e\n", [b"a+b", b"a-b", b"a.b"]),
    "empty": (b"", [b"a"]),
    "no newline": (b"a: b", [b"a"]),
    "percent": (b"a%b: c\n", [b"a%b"]),
    "bang": (b"a!b: c\n", [b"a!b"]),
    "route": (b"a: @x:b@c\n", [b"a"]),
    "angle": (b"a: <b@c>\n<d>: e\n", [b"a", b"d", b"<d>"]),
    "group": (b"a: g:b,c;\n", [b"a"]),
    "long": (b"a: " + b",".join(b"user%d" % i for i in range(2000)) + b"\n",
             [b"a"]),
    "dot": (b".a: b\na.: c\n", [b".a", b"a."]),
}

# -- patterns, for regexp and pcre alike

ADDRESSES = [b"bob@example.test", b"BOB@EXAMPLE.TEST", b"alice@other.test",
             b"user+ext@sub.example.test", b"x", b"", b"a b"]
PATTERNS = {
    "plain": (b"/bob/ 1\n/alice/ 2\n", ADDRESSES),
    "first wins": (b"/o/ 1\n/bob/ 2\n", ADDRESSES),
    "anchors": (b"/^bob@/ 1\n/\\.test$/ 2\n", ADDRESSES),
    "case by flag": (b"/bob/i 1\n/BOB/ 2\n", ADDRESSES),
    "flag twice": (b"/bob/ii 1\n", ADDRESSES),
    "unknown flag": (b"/bob/q 1\n/alice/ 2\n", ADDRESSES),
    "flag m": (b"/^bob/m 1\n/^bob$/m 2\n", ADDRESSES),
    "flag x": (b"/b o b/x 1\n/bo(b)/x 2\n", ADDRESSES),
    "groups": (b"/^(.*)@(.*)$/ $2 $1\n", ADDRESSES),
    "groups in braces": (b"/^(.*)@(.*)$/ ${2}x${1}\n", ADDRESSES),
    "groups in parentheses": (b"/^(.*)@(.*)$/ $(2)x$(1)\n", ADDRESSES),
    "group then a digit": (b"/^(.)(.*)$/ $11\n/./ ${1}1\n", ADDRESSES),
    "group one and text": (b"/^(.)(.*)$/ ${1}1$(2)2\n", ADDRESSES),
    "group zero": (b"/^(.*)@/ $0\n/./ all $0\n", ADDRESSES),
    "group missing": (b"/^bob/ $1\n/alice/ 2\n", ADDRESSES),
    "group too high": (b"/^(bob)/ $2\n/alice/ 2\n", ADDRESSES),
    "group huge": (b"/^(bob)/ $99999999999\n/alice/ 2\n", ADDRESSES),
    "group minus": (b"/^(bob)/ $-1\n/alice/ 2\n", ADDRESSES),
    "group name": (b"/^(bob)/ $x\n/alice/ ${y}\n/x/ $(z)\n", ADDRESSES),
    "group empty": (b"/^(bob)/ ${}\n/alice/ $()\n/x/ 1\n", ADDRESSES),
    "group took no part": (b"/^(bob)?(alice)?/ <$1><$2>\n", ADDRESSES),
    "group open": (b"/^(bob)/ ${1\n/alice/ $(1\n/x/ 1\n", ADDRESSES),
    "group closed otherwise": (b"/^(bob)/ ${1)\n/x/ $(1}\n", ADDRESSES),
    "dollar dollar": (b"/bob/ $$1\n/alice/ a$$\n/x/ $$$$\n", ADDRESSES),
    "dollar at the end": (b"/bob/ cost 5$\n/alice/ $\n/x/ 1\n", ADDRESSES),
    "dollar and blank": (b"/bob/ a $ b\n/alice/ 2\n", ADDRESSES),
    "dollar brace": (b"/bob/ ${\n/alice/ $(\n/x/ }\n", ADDRESSES),
    "twelve groups": (b"/^(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/ "
                      b"$12,$11,$10,$1\n", ADDRESSES),
    "not": (b"!/bob/ 1\n/./ 2\n", ADDRESSES),
    "not with a blank": (b"! /bob/ 1\n/./ 2\n", ADDRESSES),
    "not with a group": (b"!/(bob)/ $1\n/./ 2\n", ADDRESSES),
    "not with a dollar": (b"!/(bob)/ $$1\n/./ 2\n", ADDRESSES),
    "not not": (b"!!/bob/ 1\n/./ 2\n", ADDRESSES),
    "if": (b"if /bob/\n/example/ 1\nendif\n/./ 2\n", ADDRESSES),
    "if not": (b"if !/bob/\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if in if": (b"if /b/\nif /ex/\n/BOB/ 1\nendif\n/./ 2\nendif\n/./ 3\n",
                 ADDRESSES),
    "if without endif": (b"/alice/ 0\nif /bob/\n/./ 1\n", ADDRESSES),
    "ifs without endif": (b"if /bob/\nif /ex/\n/./ 1\nendif\n/./ 2\n",
                          ADDRESSES),
    "endif without if": (b"endif\n/bob/ 1\n", ADDRESSES),
    "endif twice": (b"if /bob/\n/./ 1\nendif\nendif\n/./ 2\n", ADDRESSES),
    "if in capitals": (b"IF /bob/\n/./ 1\nEndIf\n/./ 2\n", ADDRESSES),
    "if close to the pattern": (b"if/bob/\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if not close": (b"if!/bob/\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if with text behind": (b"if /bob/ then\n/./ 1\nendif x\n/./ 2\n",
                            ADDRESSES),
    "if with nothing": (b"if\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if with a bad pattern": (b"if /(/\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if with a bad flag": (b"if /bob/q\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if with text": (b"if bob\n/./ 1\nendif\n/./ 2\n", ADDRESSES),
    "if indented": (b"if /bob/\n  /./ 1\nendif\n/./ 2\n", ADDRESSES),
    "endif indented": (b"if /bob/\n/./ 1\n  endif\n/./ 2\n", ADDRESSES),
    "endif close": (b"if /bob/\n/./ 1\nendif/x/\n/./ 2\n", ADDRESSES),
    "ifs many": (b"if /./\n" * 30 + b"/./ 1\n" + b"endif\n" * 30
                 + b"/./ 2\n", ADDRESSES),
    "other delimiters": (b"#bob# 1\n%bob% 2\n,alice, 3\n", ADDRESSES),
    "delimiter at": (b"@bob@ 1\n", ADDRESSES),
    "delimiter letter": (b"xbobx 1\n", ADDRESSES),
    "delimiter digit": (b"1bob1 1\n", ADDRESSES),
    "delimiter blank in the pattern": (b"/a b/ 1\n", ADDRESSES),
    "delimiter brace": (b"{bob{ 1\n{alice} 2\n", ADDRESSES),
    "delimiter quote": (b'"bob" 1\n', ADDRESSES),
    "delimiter equals": (b"=bob= 1\n", ADDRESSES),
    "delimiter bang": (b"!bob! 1\n", ADDRESSES),
    "delimiter colon": (b":bob: 1\n", ADDRESSES),
    "delimiter utf-8": ("übobü 1\n".encode(), ADDRESSES),
    "slash escaped": (b"/bob\\/x/ 1\n/bob\\@/ 2\n", ADDRESSES + [b"bob/x"]),
    "backslash last": (b"/bob\\/ 1\n/./ 2\n", ADDRESSES),
    "backslash backslash": (b"/bob\\\\/ 1\n/./ 2\n", ADDRESSES + [b"bob\\"]),
    "no end": (b"/bob 1\n/alice/ 2\n", ADDRESSES),
    "no slash": (b"bob 1\n/alice/ 2\n", ADDRESSES),
    "empty pattern": (b"// 1\n", ADDRESSES),
    "no result": (b"/bob/\n/alice/ 2\n", ADDRESSES),
    "no result but blanks": (b"/bob/   \n/alice/ 2\n", ADDRESSES),
    "no blank": (b"/bob/1\n/alice/2\n", ADDRESSES),
    "result close": (b"/bob/i1\n", ADDRESSES),
    "unbalanced": (b"/(bob/ 1\n/alice/ 2\n", ADDRESSES),
    "unbalanced other": (b"/bob)/ 1\n/alice/ 2\n", ADDRESSES),
    "bad range": (b"/[z-a]/ 1\n/alice/ 2\n", ADDRESSES),
    "bad class": (b"/[[:none:]]/ 1\n/alice/ 2\n", ADDRESSES),
    "open bracket": (b"/[a/ 1\n/alice/ 2\n", ADDRESSES),
    "star first": (b"/*a/ 1\n/alice/ 2\n", ADDRESSES),
    "repeat": (b"/o{1,2}/ 1\n/o{2,1}/ 2\n/alice/ 3\n", ADDRESSES),
    "classes": (b"/^[[:alpha:]]+@/ 1\n/[[:space:]]/ 2\n", ADDRESSES),
    "alternatives": (b"/^(bob|alice)@(example|other)/ $1 at $2\n",
                     ADDRESSES),
    "result with blanks": (b"/bob/   one  two\t three   \n", ADDRESSES),
    "result continued": (b"/bob/ one\n   two\n/alice/\n three\n", ADDRESSES),
    "pattern continued": (b"/b\n  ob/ one\n/alice/ 2\n", ADDRESSES),
    "comments between": (b"# x\n/bob/ 1\n  # y\n\n/alice/ 2\n", ADDRESSES),
    "comment behind": (b"/bob/ 1 # no comment\n", ADDRESSES),
    "crlf": (b"/bob/ 1\r\n/alice$/ 2\r\n/test/ 3\r\n", ADDRESSES),
    "blank first": (b"  /bob/ 1\n/alice/ 2\n", ADDRESSES),
    "null": (b"/b\000ob/ 1\n/alice/ 2\n", ADDRESSES),
    "utf-8": ("/grü/ 1\n/Ä/ 2\n".encode(), [UTF8, CAPITAL, b"gr\xff"]),
    "utf-8 dot": (b"/^gr.sse/ 1\n/^gr..sse/ 2\n", [CAPITAL]),
    "no utf-8": (b"/\xff/ 1\n/./ 2\n", [b"a\xff", b"a"]),
    "two patterns": (b"/bob/!/example/ 1\n/./ 2\n", ADDRESSES),
    "two patterns and a blank": (b"/bob/ !/example/ 1\n/./ 2\n", ADDRESSES),
    "quote": (b'/^"bob"/ 1\n', [b'"bob"@x', b"bob@x"]),
    "long pattern": (b"/" + b"a" * 3000 + b"/ 1\n/a/ 2\n", [b"a" * 3000]),
    "long result": (b"/a/ " + LONG + b"\n", [b"a"]),
    "long key": (b"/^x+$/ 1\n", [b"x" * 3000, LONG]),
    "growing result": (b"/(.*)/ $1$1$1$1$1$1$1$1\n", [LONG[:1000]]),
    "header checks": (b"/^Subject: .*(lottery)/ REJECT no $1\n"
                      b"/^Received:/ IGNORE\n",
                      [b"Subject: a lottery", b"Received: x", b"X: y"]),
    "backreference": (b"/^(.)o\\1@/ $1\n", ADDRESSES),
    "empty": (b"", ADDRESSES),
}
PCRE = {
    "flag s": (b"/^bob.*/s 1\n", ADDRESSES),
    "flag A": (b"/ob/A 1\n/bo/A 2\n", ADDRESSES),
    "flag E": (b"/test$/E 1\n", ADDRESSES),
    "flag U": (b"/(o.*)t/U $1\n", ADDRESSES),
    "flag X": (b"/bob/X 1\n", ADDRESSES),
    "flag g": (b"/bob/g 1\n/alice/ 2\n", ADDRESSES),
    "all flags": (b"/ b o b /imsxAEUX 1\n", ADDRESSES),
    "lookahead": (b"/^(?!bob)(.*)@/ $1\n", ADDRESSES),
    "named group": (b"/^(?<name>.*)@/ $1\n", ADDRESSES),
    "inline option": (b"/(?-i)BOB/ 1\n/(?x) b o b/ 2\n", ADDRESSES),
    "unicode": (b"/(*UTF8)^gr.(ss|\xc3\x9f)e/ 1\n", [UTF8, CAPITAL]),
    "escape": (b"/\\x62ob/ 1\n/\\d/ 2\n/\\Qa.b\\E/ 3\n",
               ADDRESSES + [b"a.b"]),
    "hundred groups": (b"/" + b"(b)?" * 100 + b"/ $99\n", ADDRESSES),
    "slow": (b"/^(a+)+$/ 1\n/./ 2\n", [b"a" * 24 + b"b"]),
}

# -- networks

CLIENTS = [b"192.0.2.1", b"192.0.2.255", b"192.0.3.1", b"10.0.0.1",
           b"127.0.0.1", b"0.0.0.0", b"255.255.255.255", b"2001:db8::1",
           b"2001:DB8::1", b"2001:db8:0:0:0:0:0:1", b"::1", b"::",
           b"fe80::1", b"::ffff:192.0.2.1", b"[2001:db8::1]", b"192.0.2",
           b"192.0.2.1 ", b"192.0.2.01", b"host.test", b"", b"unknown",
           b"fe80::1%eth0", b"300.1.1.1", b"1.2.3.4.5", b":"]
NETWORKS = {
    "plain": (b"192.0.2.0/24 1\n10.0.0.0/8 2\n", CLIENTS),
    "single": (b"192.0.2.1 1\n::1 2\n2001:db8::1 3\n", CLIENTS),
    "first wins": (b"192.0.2.0/24 1\n192.0.2.1 2\n", CLIENTS),
    "all": (b"0.0.0.0/0 1\n::/0 2\n", CLIENTS),
    "all of six": (b"::/0 2\n", CLIENTS),
    "six": (b"2001:db8::/32 1\nfe80::/10 2\n", CLIENTS),
    "six in brackets": (b"[2001:db8::]/32 1\n[::1] 2\n", CLIENTS),
    "six in brackets wrongly": (b"[2001:db8::/32] 1\n[::1 2\n::1] 3\n",
                                CLIENTS),
    "four in brackets": (b"[192.0.2.1] 1\n", CLIENTS),
    "four in six": (b"::ffff:192.0.2.0/120 1\n", CLIENTS),
    "host bits": (b"192.0.2.1/24 1\n2001:db8::1/32 2\n10.0.0.0/8 3\n",
                  CLIENTS),
    "mask too long": (b"192.0.2.0/33 1\n::/129 2\n10.0.0.0/8 3\n", CLIENTS),
    "mask negative": (b"192.0.2.0/-1 1\n10.0.0.0/8 3\n", CLIENTS),
    "mask empty": (b"192.0.2.0/ 1\n10.0.0.0/8 3\n", CLIENTS),
    "mask text": (b"192.0.2.0/a 1\n192.0.2.0/24a 2\n10.0.0.0/8 3\n",
                  CLIENTS),
    "mask dotted": (b"192.0.2.0/255.255.255.0 1\n10.0.0.0/8 3\n", CLIENTS),
    "mask zeros": (b"192.0.2.0/024 1\n10.0.0.0/08 3\n", CLIENTS),
    "mask huge": (b"192.0.2.0/99999999999999999999 1\n10.0.0.0/8 3\n",
                  CLIENTS),
    "short": (b"192.0.2 1\n10/8 2\n10.0.0.0/8 3\n", CLIENTS),
    "zeros in front": (b"010.0.0.0/8 1\n10.0.0.01 2\n", CLIENTS),
    "names": (b"localhost 1\nhost.test 2\n10.0.0.0/8 3\n", CLIENTS),
    "bytes too high": (b"300.0.0.0/8 1\n10.0.0.0/8 3\n", CLIENTS),
    "six too long": (b"1:2:3:4:5:6:7:8:9 1\n10.0.0.0/8 3\n", CLIENTS),
    "two double colons": (b"1::2::3 1\n10.0.0.0/8 3\n", CLIENTS),
    "scope": (b"fe80::1%eth0 1\n10.0.0.0/8 3\n", CLIENTS),
    "no result": (b"192.0.2.0/24\n10.0.0.0/8 2\n", CLIENTS),
    "no result but blanks": (b"192.0.2.0/24   \n10.0.0.0/8 2\n", CLIENTS),
    "not": (b"!192.0.2.0/24 1\n", CLIENTS),
    "not with a blank": (b"! 192.0.2.0/24 1\n", CLIENTS),
    "not not": (b"!!192.0.2.0/24 1\n10.0.0.0/8 2\n", CLIENTS),
    "not of six": (b"!2001:db8::/32 1\n", CLIENTS),
    "if": (b"if 192.0.2.0/24\n192.0.2.1 1\nendif\n0.0.0.0/0 2\n", CLIENTS),
    "if not": (b"if !192.0.2.0/24\n0.0.0.0/0 1\nendif\n::/0 2\n"
               b"0.0.0.0/0 3\n", CLIENTS),
    "if in if": (b"if 0.0.0.0/0\nif 192.0.2.0/24\n192.0.2.1 1\nendif\n"
                 b"10.0.0.0/8 2\nendif\n0.0.0.0/0 3\n", CLIENTS),
    "if without endif": (b"127.0.0.1 0\nif 192.0.2.0/24\n0.0.0.0/0 1\n",
                         CLIENTS),
    "endif without if": (b"endif\n10.0.0.0/8 1\n", CLIENTS),
    "endif twice": (b"if 10.0.0.0/8\n0.0.0.0/0 1\nendif\nendif\n"
                    b"0.0.0.0/0 2\n", CLIENTS),
    "if with a bad network": (b"if 300.0.0.0/8\n0.0.0.0/0 1\nendif\n"
                              b"10.0.0.0/8 2\n", CLIENTS),
    "if with host bits": (b"if 10.0.0.1/8\n0.0.0.0/0 1\nendif\n"
                          b"10.0.0.0/8 2\n", CLIENTS),
    "if with nothing": (b"if\n0.0.0.0/0 1\nendif\n10.0.0.0/8 2\n", CLIENTS),
    "if with text behind": (b"if 10.0.0.0/8 then\n0.0.0.0/0 1\nendif x\n"
                            b"0.0.0.0/0 2\n", CLIENTS),
    "if in capitals": (b"IF 10.0.0.0/8\n0.0.0.0/0 1\nENDIF\n0.0.0.0/0 2\n",
                       CLIENTS),
    "if close": (b"if!10.0.0.0/8\n0.0.0.0/0 1\nendif\n0.0.0.0/0 2\n",
                 CLIENTS),
    "if indented": (b"if 10.0.0.0/8\n  0.0.0.0/0 1\nendif\n0.0.0.0/0 2\n",
                    CLIENTS),
    "words behind if": (b"iffy 1\nendiffy 2\n10.0.0.0/8 3\n", CLIENTS),
    "result with dollar": (b"10.0.0.0/8 $1 $$ ${x}\n", CLIENTS),
    "result with blanks": (b"10.0.0.0/8   one  two \t three \n", CLIENTS),
    "result continued": (b"10.0.0.0/8 one\n  two\n", CLIENTS),
    "comments": (b"# x\n10.0.0.0/8 1\n  # y\n\n192.0.2.1 2 # z\n", CLIENTS),
    "crlf": (b"10.0.0.0/8 1\r\n192.0.2.1 2\r\n", CLIENTS),
    "blank first": (b"  10.0.0.0/8 1\n192.0.2.1 2\n", CLIENTS),
    "null": (b"10.0.0.0/8\000 1\n192.0.2.1 2\n", CLIENTS),
    "tabs": (b"10.0.0.0/8\t1\n192.0.2.1\t\t2\n", CLIENTS),
    "empty": (b"", CLIENTS),
    "long": (b"10.0.0.0/8 " + LONG + b"\n", CLIENTS),
    "utf-8": (b"10.0.0.0/8 " + UTF8 + b"\n\xff 1\n", CLIENTS),
}

# -- tables whose text is in the specification

SPECS = [
    "inline:{a=b}", "inline:{a=b,c=d}", "inline:{a=b c=d}",
    "inline:{ a=b, c = d }", "inline:{{a = b c},{d=e}}",
    "inline:{ { a = b } , { c = d e } }", "inline:{}", "inline:{ }",
    "inline:", "inline:a=b", "inline:{a}", "inline:{=b}", "inline:{a=}",
    "inline:{{a}}", "inline:{{=b}}", "inline:{{a=}}", "inline:{a=b",
    "inline:a=b}", "inline:{a=b}}", "inline:{{a=b}", "inline:{a=b}x",
    "inline:{a=b=c}", "inline:{{a=b=c d}}", "inline:{A=b,B=c}",
    "inline:{a=b,a=c}", "inline:{a=b,A=c}", "inline:{a=b,,c=d}",
    "inline:{a=b ,  , c=d}", "inline:{{}}", "inline:{{a b=c}}",
    "inline:{a={b}}", "inline:{{a={b c}}}", "inline:{{a=b}{c=d}}",
    "inline:{{a=b} c=d}", "inline: {a=b}", "inline:{a=b} ",
    "inline:{a=$b}", "inline:{{a==b}}", "inline:{{ a =}}",
    "static:x", "static:", "static:{x y}", "static:{ x y }", "static:x y",
    "static:{x", "static:x}", "static:{}", "static:{x}y", "static:a:b",
    "static:{{x}}", "static: x", "static:$x",
    "fail:", "fail:x", "fail:1",
    "unionmap:{static:a,static:b}", "unionmap:{static:a static:b}",
    "unionmap:{inline:{a=b},inline:{a=c}}",
    "unionmap:{inline:{a=b},inline:{c=d}}",
    "unionmap:{inline:{a=b},static:}", "unionmap:{}", "unionmap:{ }",
    "unionmap:static:a", "unionmap:", "unionmap:{static:a",
    "unionmap:{static}", "unionmap:{nosuch:a}",
    "unionmap:{inline:{a=b},fail:x}", "unionmap:{fail:x,static:a}",
    "unionmap:{static:a}x", "unionmap:{{static:a}}",
    "unionmap:{{static:a b}, static:c}",
    "unionmap:{{inline:{a=b}}}", "unionmap:{static:a,,static:b}",
    "unionmap:{pipemap:{inline:{a=b},inline:{b=c}},static:d}",
    "unionmap:{inline:{{a=b, c}},static:d}",
    "pipemap:{inline:{a=b},inline:{b=c}}",
    "pipemap:{inline:{a=b},inline:{c=d}}",
    "pipemap:{inline:{a=B},inline:{b=c}}", "pipemap:{static:a}",
    "pipemap:{}", "pipemap:{ }", "pipemap:static:a", "pipemap:",
    "pipemap:{inline:{a=b},fail:x}", "pipemap:{inline:{c=b},fail:x}",
    "pipemap:{fail:x,static:a}", "pipemap:{static:a,static:b}",
    "pipemap:{static:a", "pipemap:{nosuch:a}",
    "pipemap:{unionmap:{static:a,static:b},inline:{{a,b=c}}}",
    "pipemap:{{static:a}}",
    "randmap:{x}", "randmap:{x,x}", "randmap:{x x}", "randmap:{}",
    "randmap:{ }", "randmap:x", "randmap:", "randmap:{{x y}}",
    "randmap:{{x y},{x y}}", "randmap:{x", "randmap:{x}y", "randmap:{$x}",
    "randmap:{{}}",
    "environ:", "environ:x", "environ",
    "regexp:{{/a/ b}}", "regexp:{{/(a)/ x$1}, {/c/ d}}", "regexp:{}",
    "regexp:{/a/ b}", "regexp:{{/a/ b}", "regexp:{{if /a/},{/./ b},{endif}}",
    "regexp:{{!/a/ b}}", "regexp:{{/a/}}", "regexp:{{/(/ b},{/a/ c}}",
    "regexp:{ {/a/ b} , {/c/ d} }", "regexp:{{/a{1}/ b}}",
    "pcre:{{/a/ b}}", "pcre:{{/(a)/ x$1}, {/c/ d}}", "pcre:{}",
    "pcre:{/a/ b}", "pcre:{{/a{1}/ b}}", "pcre:{{if !/a/}{/./ b}{endif}}",
    "cidr:{{0.0.0.0/0 a}}", "cidr:{{::1 b}, {10.0.0.0/8 c}}", "cidr:{}",
    "cidr:{1.2.3.4 a}", "cidr:{{1.2.3.4}}",
    "cidr:{{if 1.2.3.4},{1.2.3.0/24 x},{endif}}",
    "texthash:", "texthash:/nonexistent/x", "hash:", "hash:/nonexistent/x",
    "regexp:/nonexistent/x", "pcre:/nonexistent/x", "cidr:/nonexistent/x",
    "cidr:", "regexp:", "pcre:", "texthash:/", "texthash:/etc",
    "regexp:/etc", "cidr:/etc", "regexp:/dev/null", "texthash:/dev/null",
    "cidr:/dev/null", "nosuch:x", "nosuch", ":x", "::", "",
    "unix:passwd.byname", "unix:group.byname", "unix:nosuch", "unix:",
    "internal:x", "internal:", "debug:static:x", "debug:inline:{a=b}",
    "debug:fail:x", "debug:nosuch:x", "debug:",
    "sdbm:x", "dbm:x", "nis:x", "mongodb:/x",
    "tcp:", "Static:x", "STATIC:x", " static:x", "static :x",
]
SPEC_KEYS = [b"a", b"A", b"b", b"c", b"", b"1.2.3.4", b"::1", b"HOME2",
             b"root", b"a b"]

# -- options, and what commands say about them: files, then the commands


def _commands(name, *steps, **files):
    files = files or {"m": "a 1\nb 2\nc 3\n"}
    return (name, {n: t.encode() if isinstance(t, str) else t
                   for n, t in files.items()},
            [(s.split(), None) if isinstance(s, str) else
             (s[0].split(), s[1].encode()) for s in steps])


COMMANDS = [
    _commands("query", "postmap hash:m", "postmap -q a hash:m",
              "postmap -q x hash:m", "postmap -qa hash:m",
              "postmap -q A hash:m",
              "postmap -fq A hash:m"),
    _commands("two tables", "postmap -q a inline:{b=c} inline:{a=d}",
              "postmap -q a inline:{a=c} inline:{a=d}",
              ("postmap -q - inline:{b=c} inline:{a=d}", "a\nb\nc\n"),
              "postmap -q a inline:{a=c} fail:x",
              "postmap -q a fail:x inline:{a=c}"),
    _commands("delete", "postmap hash:m", "postmap -d a hash:m",
              "postmap -d a hash:m", "postmap -s hash:m",
              ("postmap -d - hash:m", "b\nx\n"), "postmap -s hash:m",
              ("postmap -d - hash:m", "b\nx\n"),
              "postmap -d C hash:m", "postmap -s hash:m"),
    _commands("delete, case kept", "postmap -f hash:m",
              "postmap -fd A hash:m", "postmap -fd a hash:m"),
    _commands("delete where there is none", "postmap -d a hash:none"),
    _commands("delete by type", "postmap -d a regexp:m",
              "postmap -d a texthash:m", "postmap -d a static:x"),
    _commands("add", "postmap hash:m", ("postmap -i hash:m", "d 4\n"),
              "postmap -s hash:m", ("postmap -i hash:m", "a 9\ne 5\n"),
              "postmap -s hash:m", ("postmap -ir hash:m", "a 9\n"),
              "postmap -s hash:m", ("postmap -iw hash:m", "a 10\n"),
              "postmap -s hash:m"),
    _commands("add to nothing", ("postmap -i hash:new", "a 1\n"),
              "postmap -s hash:new"),
    _commands("equal keys", "postmap hash:m", "postmap -s hash:m",
              "postmap -w hash:m", "postmap -s hash:m", "postmap -r hash:m",
              "postmap -s hash:m", m="a 1\na 2\nA 3\n"),
    _commands("list", "postmap -s texthash:m", "postmap -s hash:none",
              "postmap -s regexp:{}", "postmap -s static:x"),
    _commands("no source", "postmap hash:none", "postmap hash:no/where"),
    _commands("types that are not built", "postmap regexp:m",
              "postmap texthash:m", "postmap cidr:m", "postmap pcre:m",
              "postmap nosuch:m"),
    _commands("default type", "postmap m", "postmap -q a m", "postmap -s m"),
    _commands("messages", ("postmap -h -q - regexp:m", "A: b\n c\n\nbody\n"),
              ("postmap -b -q - regexp:m", "A: b\n c\n\nbody\n"),
              ("postmap -hb -q - regexp:m", "A: b\n c\n\nbody\n"),
              "postmap -h -q a regexp:m", "postmap -b hash:m",
              "postmap -m -d - hash:m", "postmap -bm -s hash:m",
              ("postmap -m -q - regexp:m", "A: b\n"),
              m="/(.*)/ <$1>\n"),
    _commands("contents of files", "postmap -F hash:m",
              "postmap -s hash:m", "postmap -F -s hash:m",
              "postmap -F -q a hash:m", "postmap -F -q b hash:m",
              "postmap -q b hash:m", "postmap -q x hash:m",
              m="a one\nb one, two one\nx none\n", one="text of one\n",
              two="no end"),
    _commands("contents of files that are none", "postmap hash:m",
              "postmap -F -q a hash:m", "postmap -F -q b hash:m",
              "postmap -F -s hash:m", "postmap -F -q a texthash:m",
              "postmap -F -q c texthash:m",
              m="a no base64 here\nb YQ==\nc one\n", one="text\n"),
]

_MESSAGE = b"""\
From: a
Subject: one
  two
\tthree
Content-Type: multipart/mixed;
 boundary="xx yy"

preamble
--xx yy
Content-Type: text/plain

text line 1

text line 3
--xx yy
Content-Type: message/rfc822

From: nested
 more
Content-Type: multipart/alternative; boundary=zz

inner preamble
--zz
Content-Type: text/html

<html>
--zz--
inner epilogue
--xx yy
not a header
body of third
--xx yy
Content-Type: message/partial; id=1

Header: of partial

Content-type: image/x
--xx yy
Content-Type: multipart/digest; boundary="dd"

--dd

Subject: in a digest

its body
--dd--
--xx yy--
epilogue
 Header: no
"""
MESSAGES = {
    "mime": _MESSAGE,
    "crlf": _MESSAGE.replace(b"\n", b"\r\n"),
    "no header": b"no header\nA: b\n\nc\n",
    "empty": b"",
    "empty header": b"\nA: b\n\nc\n",
    "header alone": b"A: b\nC: d",
    "continued first": b" A: b\nC: d\n\ne\n",
    "odd headers": b"A: b\nB : c\n:d\nE\n f: g\n\nc\n d\n",
    "blanks": b"A: b\n \n c\nD:\n\ne\n",
    "from line": b"From x y\nA: b\n\nc\n",
    "bytes": b"Subject: x\xff\n\n\xfe\n",
    "boundary inside": b"Content-Type: multipart/x; boundary=a\n\n--ab\n"
                       b"Content-Type: text/plain\n\nb\n--a--\nc\n",
    "boundary comment": b"Content-Type: multipart/x; (c) boundary=\"a\\b\"\n"
                        b"\n--ab\nX: y\n\nb\n",
    "no boundary": b"Content-Type: multipart/x\n\n--\nX: y\n\nb\n",
    "two types": b"Content-Type: multipart/x; boundary=a\n"
                 b"Content-Type: multipart/x; boundary=b\n\n--a\nX: y\n\nc\n"
                 b"--b\nY: z\n\nd\n",
    "nested boundary ends all": b"Content-Type: multipart/x; boundary=a\n\n"
                                b"--a\nContent-Type: multipart/y; boundary=b"
                                b"\n\n--b\nX: y\n\nc\n--a\nZ: z\n\nd\n--b\n"
                                b"W: w\n\ne\n",
    "long header": b"A: " + b"b" * 3000 + b"\n\nc\n",
}
COMMANDS += [
    (f"message, {name}, {options}", {"m": b"/^(.*)$/ <$1>\n"},
     [(["postmap", *options.split(), "-q", "-", "regexp:m"], text)])
    for name, text in MESSAGES.items()
    for options in ("-h", "-b", "-hb", "-hm", "-bm", "-hbm", "-hbU")]
