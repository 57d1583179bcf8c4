# SPDX-License-Identifier: ISC
"""Random tables, sound and broken, and what is asked of them.

case(seed, number) is always the same one: a kind, files, and commands with
their standard input. Alphabets are small, so that keys meet what is in the
tables; a few bytes of everything else are among them."""
import random

from table_peer import lines

KINDS = {}


def kind(share):
    """Of so many cases in a hundred."""
    def note(make):
        KINDS[make.__name__] = (share, make)
        return make
    return note


def case(seed, number, kinds=None):
    rng = random.Random(f"{seed} {number}")
    names = list(kinds or KINDS)
    name = rng.choices(names, [KINDS[n][0] for n in names])[0]
    return (name, *KINDS[name][1](rng))


def some(rng, most, make):
    return [make(rng) for _ in range(rng.randint(0, most))]


def joined(rng, most, make, between=b""):
    return between.join(some(rng, most, make))


def chance(rng, percent):
    return rng.random() * 100 < percent


BLANKS = [b" ", b" ", b" ", b"\t", b"  ", b" \t "]
ODD = [b"\xc3\xbc", b"\xc3\x9c", b"\xff", b"\r", b"\f", b"\x01", b"\\", b'"',
       b"'", b"{", b"}", b"(", b")", b"$", b"%", b"#", b"!", b":", b",", b"=",
       b"\xe2\x84\xaa", b"\xc4\xb0", b"\xed\xa0\x80", b"\xc2\xa0"]
COMMENTS = [b"# comment", b"#", b"", b"  ", b"  # comment", b"\t"]


def word(rng):
    text = joined(rng, 4, lambda r: r.choice([b"a", b"b", b"A", b"B", b"1"]))
    if chance(rng, 12):
        at = rng.randint(0, len(text))
        text = text[:at] + rng.choice(ODD) + text[at:]
    return text or rng.choice([b"a", b"ab"])


def address(rng):
    return rng.choice([b"", b"a", b"A+x", b"b", b'"a b"', b"owner-a"]) + \
        rng.choice([b"@", b"@", b""]) + \
        rng.choice([b"a.test", b"b.A.test", b".test", b"", b"[1.2.3.4]"])


def key(rng):
    return rng.choices([word, address, ip, empty], [10, 4, 2, 1])[0](rng)


def empty(rng):
    return rng.choice([b"", b" ", b"a ", b" a"])


def with_line_ends(rng, text_lines):
    """Continued, commented, with other ends of lines, or with none."""
    out = []
    for line in text_lines:
        if chance(rng, 8):
            out.append(rng.choice(COMMENTS))
        if chance(rng, 3):
            line = rng.choice(BLANKS) + line
        if chance(rng, 5):
            line += rng.choice(BLANKS)
        if chance(rng, 8):
            line += b"\n" + rng.choice([b"", b"", b"# x\n", b"\n", b" # x\n"]
                                       ) + rng.choice(BLANKS) + word(rng)
        out.append(line)
    text = (b"\r\n" if chance(rng, 3) else b"\n").join(out)
    return text + (b"" if chance(rng, 5) else b"\n")


def ask(rng, table, keys, *options):
    # with nothing to ask theirs does not open the table
    keys = keys or [key(rng)]
    return (["postmap", *options, "-q", "-", table], lines(keys))


def options(rng, *known):
    return [o for o in known if chance(rng, 15)]


# -- regexp and pcre

ATOMS = [b"a", b"b", b"A", b"B", b"1", b".", b"[ab]", b"[^a]", b"(a)", b"(b)",
         b"(.)", b"(.*)", b"(a|b)", b"(a)?", b"a*", b"b+", b".*", b"^", b"$",
         b"|", b"\\.", b"@", b"[[:alpha:]]", b"\\1", b"a{2}", b"(a(b)?)"]
BAD_ATOMS = [b"(", b")", b"[", b"*", b"+", b"{", b"{1", b"a{2,1}", b"\\",
             b"[b-a]", b"[[:x:]]", b"()", b"\\2", b"\\/", b"#", b"\xc3\xbc",
             b"\xff", b"[\xc3\xbc]", b"\\!", b" ", b"a{99999}", b"$a", b"a^"]
PCRE_ATOMS = [b"(?i)a", b"(?:b)", b"\\d", b"\\w+", b"a*?", b"(?=a)", b"(?!b)",
              b"(?<n>a)", b"\\b", b"\\x61", b"\\Qa\\E", b"(?<=a)", b"[\\d]",
              b"(?>a)", b"\\K", b"(?|(a)|(b))", b"(?x)a b", b"\\x{fc}", b"\\C"]
BAD_PCRE_ATOMS = [b"(?", b"(?z)", b"\\k<m>", b"(?<=a*)", b"(*FAIL)", b"\\g9",
                  b"(?1)", b"(?R)", b"\\p{L}", b"\\o{8}", b"(?#x"]


FLAGS = [b"i", b"m", b"x", b"s", b"A", b"E", b"U", b"X", b"q", b"D", b"1"]


def pattern(atoms, bad):
    def make(rng):
        delimiter = rng.choices([b"/", b"!", b"%", b"#", b'"', b",", b"a"],
                                [40, 1, 2, 1, 1, 1, 1])[0]
        body = joined(rng, 4, lambda r: r.choice(bad if chance(r, 6)
                                                 else atoms))
        end = b"" if chance(rng, 3) else delimiter
        flags = joined(rng, 2, lambda r: r.choice(FLAGS)) if chance(
            rng, 25) else b""
        return delimiter + body + end + flags
    return make


RESULTS = [b"x", b"OK", b"$1", b"$2", b"${1}", b"$(1)", b"$$", b"$0", b"$10",
           b"a$1b", b"${2}", b"$(2)y"]
BAD_RESULTS = [b"$", b"${1", b"$(1", b"${}", b"$a", b"${a}", b"$1a", b"$ 1",
               b"$99", b"$99999999999", b"${1)", b"$-1", b"${1}$"]


def result(rng):
    return joined(rng, 3, lambda r: r.choice(
        BAD_RESULTS if chance(r, 8) else RESULTS), b" ")


def rules(make_pattern, make_second):
    def rule(rng):
        shape = rng.random()
        negated = rng.choice([b"", b"", b"", b"!", b"! ", b"!!"])
        if shape < 0.12:
            extra = rng.choice(BLANKS) + b"x" if chance(rng, 6) else b""
            return rng.choice([b"if ", b"IF ", b"if", b"If\t"]) + negated + \
                make_pattern(rng) + extra
        if shape < 0.24:
            return rng.choice([b"endif", b"ENDIF", b"endif", b"endif x",
                               b"endif!", b"endifa"])
        if shape < 0.26:
            return rng.choice([b"if", b"if ", b"if!", b"word x", b"!", b"_a_",
                               b"if a", b"iffy", b"\xc3\xbca\xc3\xbc x"])
        second = b""
        if make_second and chance(rng, 6):
            second = b"!" + make_pattern(rng)
        return negated + make_pattern(rng) + second + rng.choice(BLANKS) + \
            result(rng)
    return rule


def patterns(name, make_pattern, second):
    rule = rules(make_pattern, second)

    def make(rng):
        text = with_line_ends(rng, some(rng, 7, rule))
        return {"m": text}, [ask(rng, f"{name}:m", some(rng, 12, key),
                                 *options(rng, "-u", "-f"))]
    return make


KINDS["regexp"] = (20, patterns("regexp", pattern(ATOMS, BAD_ATOMS), True))
KINDS["pcre"] = (20, patterns("pcre", pattern(
    ATOMS + PCRE_ATOMS, BAD_ATOMS + BAD_PCRE_ATOMS), False))

# -- cidr

IPS = [b"192.0.2.1", b"192.0.2.2", b"192.0.2.0", b"192.0.3.1", b"10.0.0.1",
       b"2001:db8::1", b"2001:DB8::2", b"::1", b"::", b"::ffff:192.0.2.1",
       b"2001:db8:0:0:0:0:0:1", b"255.255.255.255", b"0.0.0.0"]
BAD_IPS = [b"192.0.2", b"192.0.2.256", b"192.0.2.01", b"1", b"", b"x",
           b"2001:db8:::1", b"12345::", b"192.0.2.1.", b"fe80::1%lo",
           b"0x7f.0.0.1", b"192.0.2.1x", b":", b"1:2:3:4:5:6:7:8:9",
           b"::192.0.2.1", b"[::1", b"-1.2.3.4", b"+1.2.3.4", b" 192.0.2.1"]


def ip(rng):
    text = rng.choice(BAD_IPS if chance(rng, 8) else IPS)
    return b"[" + text + b"]" if chance(rng, 4) else text


NETWORKS = [b"192.0.2.0/24", b"192.0.0.0/16", b"0.0.0.0/0", b"::/0",
            b"2001:db8::/32", b"192.0.2.1/32", b"::1/128", b"192.0.2.2/31",
            b"::ffff:0:0/96", b"10.0.0.0/8", b"192.0.2.0/25"]
BAD_NETWORKS = [b"192.0.2.1/24", b"192.0.2.0/33", b"192.0.2.0/", b"/24",
                b"192.0.2.0/-1", b"192.0.2.0/24/24", b"::/129", b"::1/64",
                b"192.0.2.0/024", b"192.0.2.0/+24", b"192.0.2.0/2x",
                b"[192.0.2.0/24]", b"[::1]/128", b"192.0.2/24", b"192.0.2.0/ 24",
                b"192.0.2.0/99999999999", b"192.0.2.0 /24", b"2001:db8::/3.2"]


def network(rng):
    return rng.choices([ip, lambda r: r.choice(NETWORKS),
                        lambda r: r.choice(BAD_NETWORKS)], [8, 12, 2])[0](rng)


def network_rule(rng):
    shape = rng.random()
    negated = rng.choice([b"", b"", b"", b"!", b"! ", b"!!"])
    if shape < 0.12:
        return rng.choice([b"if ", b"IF ", b"if", b"If\t"]) + negated + \
            network(rng) + (b" x" if chance(rng, 6) else b"")
    if shape < 0.24:
        return rng.choice([b"endif", b"ENDIF", b"endif", b"endif x", b"endif!"])
    if shape < 0.27:
        return rng.choice([b"if", b"if!", b"!", b"iffy", b"192.0.2.1",
                           b"192.0.2.1 "])
    return negated + network(rng) + rng.choice(BLANKS) + rng.choice(
        [b"OK", b"x y", b"$1", b"REJECT \xc3\xbc", b"\xff", b"a # b"])


@kind(15)
def cidr(rng):
    text = with_line_ends(rng, some(rng, 8, network_rule))
    keys = some(rng, 12, lambda r: ip(r) if chance(r, 85) else key(r))
    return {"m": text}, [ask(rng, "cidr:m", keys, *options(rng, "-u", "-f"))]


# -- many rows, of which a few can be meant: what rules the others out

def literal(rng):
    return b"".join(rng.choice([b"ab", b"Ab", b"b", b"-", b"\\.", b"@", b"1"])
                    for _ in range(rng.randint(1, 5)))


BETWEEN = [b".*", b".", b"[ab]", b"(a|b)", b"(.*)", b"b?", b"a*", b"b+", b"$",
           b"", b"1{0,1}", b"[[:alpha:]]", b"[^]a]", b"|", b"^", b"((a)b)"]


def literals(rng):
    """/^text.*text/, each with a number for a result."""
    def one(number):
        body = rng.choice([b"^", b"^", b""]) + literal(rng)
        for _ in range(rng.randint(0, 2)):
            body += rng.choice(BETWEEN) + literal(rng)
        flags = rng.choice([b"", b"", b"", b"i", b"m", b"x"])
        return rng.choice([b"", b"", b"", b"if ", b"if !"]) + b"/" + body + \
            b"/" + flags + b" %d" % number

    rows = []
    for number in range(rng.randint(1, 40)):
        row = one(number)
        if row.startswith(b"if"):
            row = row.rpartition(b" ")[0]
        rows.append(row)
        if chance(rng, 25):
            rows.append(b"endif")
    return b"\n".join(rows) + b"\n"


def near(rng, text):
    """A key that one of the rules was made for, more or less."""
    row = rng.choice(text.split(b"\n")).partition(b"/")[2].rpartition(b"/")[0]
    key = b"".join(bytes([c]) for c in row if chr(c) in "abAB1-.@")
    if chance(rng, 30):
        key = key.swapcase()
    if chance(rng, 30):
        at = rng.randint(0, len(key))
        key = key[:at] + rng.choice([b"", b"a", b"b", b"."]) + key[at + 1:]
    return key or b"a"


@kind(8)
def many_patterns(rng):
    text = literals(rng)
    return {"m": text}, [ask(rng, f"{rng.choice(['regexp', 'pcre'])}:m",
                             [near(rng, text) for _ in range(20)])]


def overlapping(rng):
    """Of few addresses, so that networks are in networks."""
    if chance(rng, 25):
        bits = rng.choice([0, 1, 16, 32, 48, 63, 64, 65, 127, 128])
        n = (0x20010db8 << 96 | rng.getrandbits(2) << 62 |
             rng.getrandbits(2)) >> 128 - bits << 128 - bits
        text = b"%s/%d" % (b":".join(b"%x" % (n >> at & 0xffff)
                                     for at in range(112, -1, -16)), bits)
    else:
        bits = rng.choice([0, 1, 7, 8, 23, 24, 25, 30, 31, 32])
        n = rng.choice([0x0a000000, 0xc0000200, 0xffffff00, 0])
        n = (n | rng.getrandbits(10)) >> 32 - bits << 32 - bits
        text = b"%s/%d" % (b".".join(b"%d" % (n >> at & 255)
                                     for at in (24, 16, 8, 0)), bits)
    return text


@kind(8)
def many_networks(rng):
    rows = []
    for number in range(rng.randint(1, 60)):
        rows.append(overlapping(rng) + b" %d" % number)
        if chance(rng, 8):
            rows.append(rng.choice([b"if ", b"if !"]) + overlapping(rng))
        if chance(rng, 8):
            rows.append(b"endif")
        if chance(rng, 5):
            rows.append(b"!" + overlapping(rng) + b" not%d" % number)
    keys = [overlapping(rng).partition(b"/")[0] for _ in range(40)]
    return {"m": b"\n".join(rows) + b"\n"}, [ask(rng, "cidr:m", keys)]


# -- "key value" lines

def entry(rng):
    left = rng.choices([word, address, quoted, ip], [8, 4, 1, 1])[0](rng)
    right = joined(rng, 3, word, b" ")
    if chance(rng, 5):
        return left + rng.choice([b"", b" ", b":"])
    return left + (b":" if chance(rng, 4) else b"") + rng.choice(BLANKS) + right


def quoted(rng):
    return b'"' + joined(rng, 2, word, b" ") + rng.choice([b'"', b'"', b""])


def map_text(rng):
    text = with_line_ends(rng, some(rng, 8, entry))
    if chance(rng, 2):
        at = rng.randint(0, len(text))
        text = text[:at] + b"\0" + text[at:]
    return text


@kind(12)
def texthash(rng):
    how = options(rng, "-u", "-f")
    commands = [ask(rng, "texthash:m", some(rng, 10, key), *how)]
    if chance(rng, 40):
        commands.append((["postmap", *how, "-s", "texthash:m"], None))
    return {"m": map_text(rng)}, commands


@kind(10)
def built(rng):
    table = rng.choice(["hash:m", "btree:m", "lmdb:m", "cdb:m"])
    how = options(rng, "-u", "-f", "-N", "-n", "-o", "-p")
    commands = [(["postmap", *how, *options(rng, "-w", "-r", "-w"), table],
                 None)]
    for _ in range(rng.randint(1, 3)):
        step = rng.random()
        if step < 0.4:
            commands.append(ask(rng, table, some(rng, 10, key), *how))
        elif step < 0.7 and table != "cdb:m":  # theirs cannot
            keys = some(rng, 4, key)
            commands.append((["postmap", *how, "-d", "-", table], lines(keys)))
        elif table != "cdb:m":
            commands.append((["postmap", *how, *options(rng, "-r", "-w"), "-i",
                              table], map_text(rng)))
    if table != "cdb:m":
        commands.append((["postmap", *how, "-s", table], None))
    return {"m": map_text(rng)}, commands


# -- aliases

DESTINATIONS = [b"a", b"b@a.test", b"|/bin/x", b'"|/bin/x -y z"', b"/var/x",
                b'"/var/x y"', b":include:/etc/x", b'":include:/x y"',
                b"\\a", b'"a b"@a.test', b"<b@a.test>", b"(c) b", b"a (c)",
                b"A B <b@a.test>", b'|"/bin/x y"', b"g: a, b;", b"@a.test",
                b"@r.test:a@b.test", b"<>", b'""', b"a b", b"a@[1.2.3.4]",
                b"a@b@c", b"(c (d) e)", b"a@ b . test", b'"a\\"b"', b"a\\,b"]
BAD_DESTINATIONS = [b"(", b")", b'"', b"<", b">", b"\\", b";", b":", b"<a",
                    b"a>", b"[", b"]", b"(a", b'"a', b"@", b",", b"\xff",
                    b"\xc3\xbc", b"<a,b>", b"\x01", b"[a", b"|", b"/", b"a;b"]


def destination(rng):
    return rng.choice(BAD_DESTINATIONS if chance(rng, 8) else DESTINATIONS)


def alias(rng):
    name = rng.choices([word, address, quoted, destination],
                       [12, 1, 2, 2])[0](rng)
    colon = rng.choices([b": ", b":", b" : ", b" ", b"::"],
                        [30, 5, 5, 1, 1])[0]
    return name + colon + joined(rng, 4, destination,
                                 rng.choice([b", ", b",", b" , ", b" "]))


def name_of_alias(rng):
    """Theirs adds one "@"."""
    return key(rng).replace(b"@", b"") or b"a"


@kind(13)
def aliases(rng):
    table = rng.choice(["hash:m", "btree:m", "lmdb:m"])
    how = options(rng, "-u", "-f", "-N", "-n", "-o", "-p")
    commands = [(["postalias", *how, *options(rng, "-r", "-w"), table], None),
                (["postalias", *how, "-s", table], None)]
    if chance(rng, 40):
        commands += [(["postalias", *how, "-q", "-", table],
                      lines(some(rng, 8, name_of_alias))),
                     (["postalias", *how, "-i", table],
                      with_line_ends(rng, some(rng, 3, alias))),
                     (["postalias", *how, "-d", "-", table],
                      lines(some(rng, 4, name_of_alias))),
                     (["postalias", *how, "-s", table], None)]
    return {"m": with_line_ends(rng, some(rng, 6, alias))}, commands


# -- tables that are in their name

def pair(rng):
    text = word(rng) + rng.choices([b"=", b" = ", b" ", b"", b"= "],
                                   [12, 3, 1, 1, 1])[0] + \
        joined(rng, 2, word, b" ")
    return b"{" + text + b"}" if chance(rng, 60) else text


def between(rng):
    return rng.choice([b" ", b", ", b",", b" ,, ", b"  "])


def braces(rng, inside):
    shape = rng.random()
    if shape < 0.92:
        pad = rng.choice([b"", b"", b" "])
        return b"{" + pad + inside + pad + b"}"
    return rng.choice([b"{" + inside, inside, b"{" + inside + b"}}",
                       b"{" + inside + b"} x", b"{{" + inside + b"}}", b"{}"])


def inline_table(rng):
    return b"inline:" + braces(rng, joined(rng, 4, pair, between(rng)))


def static_table(rng):
    return b"static:" + rng.choice([word(rng), braces(
        rng, joined(rng, 3, word, b" "))])


def random_table(rng):
    w = word(rng).replace(b",", b"")  # one word, or it is by chance
    return b"randmap:" + braces(rng, between(rng).join([w] * rng.randint(0, 3)))


def group_table(rng, depth=0):
    name = rng.choice([b"unionmap", b"pipemap"])
    return name + b":" + braces(rng, joined(
        rng, 4, lambda r: leaf(r, depth + 1), between(rng)))


def rules_table(rng):
    name, make = rng.choice([
        (b"regexp", rules(pattern(ATOMS, BAD_ATOMS), True)),
        (b"pcre", rules(pattern(ATOMS, BAD_ATOMS), False)),
        (b"cidr", network_rule)])
    return name + b":" + braces(rng, joined(
        rng, 4, lambda r: b"{" + make(r) + b"}", between(rng)))


def leaf(rng, depth):
    choices = [inline_table, static_table, random_table, rules_table]
    if depth < 3 and chance(rng, 25):
        return group_table(rng, depth)
    if chance(rng, 3):
        return rng.choice([b"fail:x", b"static", b"static:", b":x", b"nosuch:x",
                           b"texthash:/nowhere", b"x", b"environ:A", b"fail:"])
    return rng.choice(choices)(rng)


@kind(10)
def spec(rng):
    text = rng.choices([group_table, inline_table, static_table, random_table,
                        rules_table], [6, 5, 1, 1, 3])[0](rng)
    return {}, [ask(rng, text.replace(b"\0", b""), some(rng, 8, key),
                    *options(rng, "-u", "-f"))]
