/* SPDX-License-Identifier: ISC */
#include "lib/imap/imap_read.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/task/task.h"
#include "tests/unit/lib/imap/script.h"

/* A script, cut in two or sent byte by byte, and what came of it. */
struct play {
	struct span script;
	size_t cut; /* SIZE_MAX: each byte for itself */
	const struct imap_limits *limits;
	int fd[2];
	struct buf tree;
	struct buf said;
};

static void
send_all(struct play *p, struct span part)
{
	while (part.n > 0) {
		ssize_t n =
		    send(p->fd[1], part.p, part.n, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			wait_fd(p->fd[1], WAIT_WRITE, clock_in(5));
			continue;
		}
		if (n < 0)
			return; /* the server has ended it */
		part = span_skip(part, (size_t)n);
	}
	wait_yield();
	wait_until(clock_ms());
}

static void
client(void *argument)
{
	struct play *p = argument;
	size_t part = p->cut == SIZE_MAX ? 1 : p->cut;
	struct span rest = p->script;

	while (rest.n > 0) {
		send_all(p, span_take(rest, part));
		rest = span_skip(rest, part);
		if (p->cut != SIZE_MAX)
			part = rest.n;
	}
	shutdown(p->fd[1], SHUT_WR);
}

static void
server(void *argument)
{
	struct play *p = argument;
	struct stream *io = stream_new(p->fd[0]);

	script_run(io, p->limits, &p->tree);
	stream_flush(io);
	stream_free(&io);
}

static void
play(struct play *p, struct span script, size_t cut)
{
	char room[4096];
	ssize_t n;

	p->script = script;
	p->cut = cut;
	if (p->limits == NULL)
		p->limits = &imap_limits_session;
	buf_init(&p->tree, 1 << 24);
	buf_init(&p->said, 1 << 24);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p->fd), 0);
	task_start(server, p);
	task_start(client, p);
	task_loop();
	while ((n = read(p->fd[1], room, sizeof(room))) > 0)
		buf_add(&p->said, room, (size_t)n);
	wait_forget(p->fd[1]);
	close(p->fd[1]);
}

static void
play_fini(struct play *p)
{
	buf_fini(&p->tree);
	buf_fini(&p->said);
}

struct row {
	const char *name;
	struct span script;
	const char *tree;
};

#define ROW(script) \
	{ \
		NULL, SPAN(script), NULL \
	}

static const struct row rows[] = {
	{ "an empty line is nothing", SPAN("\r\n\r\na noop\r\n\n"),
	    "a NOOP \nend lost connection\n" },
	{ "astrings, numbers, flags, sets",
	    SPAN("a uid  store 1:*,5 +FLAGS.SILENT (\\Seen $Junk \\*) x]\r\n"),
	    "a UID STORE A:1:*,5 A:+FLAGS.SILENT (A:\\Seen A:$Junk A:\\* )3"
	    " A:x] \nend lost connection\n" },
	{ "nil in its place", SPAN("a id nil (nil) NILS\r\n"),
	    "a ID NIL:nil (NIL:nil )1 A:NILS \nend lost connection\n" },
	{ "quoted", SPAN("a login \"\" \"a\\\\b\\\"c d\"\r\n"),
	    "a LOGIN Q: Q:a\\b\"c d \nend lost connection\n" },
	{ "utf-8 in quotes", SPAN("a x \"\xc3\xa9\"\r\nb x \"\xe9\"\r\n"),
	    "a X Q:\xc3\xa9 \n"
	    "b X BAD A quoted string holds what is not UTF-8\n"
	    "end lost connection\n" },
	{ "literals", SPAN("a login {1}\r\nu {3+}\r\na\r\n ~{1+}\r\n\0\r\n"),
	    "a LOGIN L:u L:a\r\n L8:\0 \nend lost connection\n" },
	{ "empty literals", SPAN("a x {0}\r\n {0+}\r\n ({0+}\r\n)\r\n"),
	    "a X L: L: (L: )1 \nend lost connection\n" },
	{ "sections",
	    SPAN("a fetch 1 (BODY.PEEK[HEADER.FIELDS (From \"T]o\")]<0.5>"
		 " body[] [x (a))\r\n"),
	    "a FETCH A:1 (A:BODY.PEEK[HEADER.FIELDS (From \"T]o\")]<0.5>"
	    " A:body[] A:[x (A:a )1 )4 \nend lost connection\n" },
	{ "a literal in a section",
	    SPAN("a fetch 1 BODY[HEADER.FIELDS ({4}\r\nFrom X {2+}\r\nTo)]<1>"
		 "\r\n"),
	    "a FETCH A:1 A:BODY[HEADER.FIELDS (\"From\" X \"To\")]<1> \n"
	    "end lost connection\n" },
	{ "a NUL is refused",
	    SPAN("a x \"\0\"\r\nb x \0\r\nc x {1+}\r\n\0\r\nd noop\r\n"),
	    "a  BAD There is a NUL in the command\n"
	    "b  BAD There is a NUL in the command\n"
	    "c X BAD There is a NUL in a literal\n"
	    "d NOOP \nend lost connection\n" },
	{ "recovery passes over literals that come",
	    SPAN("a x {{9+}\r\nb logout\n (x{3+}\r\nxyz {9+}\r\nc logout\n\r\n"
		 "d noop\r\n"),
	    "a X BAD An atom has a character it must not\n"
	    "d NOOP \nend lost connection\n" },
	{ "and stops at one that waits",
	    SPAN("a x ) {99}\r\nb x ( {3+}\r\nabc) {99}\r\n"),
	    "a X BAD There is a \")\" too much\n"
	    "end lost connection\n" },
	{ "a literal of unknown length ends it",
	    SPAN("a x {99999999999999999999+}\r\nb noop\r\n"),
	    "a X \nfatal [TOOBIG] This is too long\n" },
	{ "a literal that is too long, asked about",
	    SPAN("a x {999999999}\r\nb noop\r\n"),
	    "a X BAD [TOOBIG] A literal is too long\nb NOOP \n"
	    "end lost connection\n" },
	{ "one that comes is passed over", SPAN("a x {524289+}\r\n"), NULL },
	{ "what is not closed",
	    SPAN("a x (\r\nb x \"\r\nc x )\r\nd x BODY[\r\ne x \"\\\"\r\n"),
	    "a X BAD There is no \")\"\n"
	    "b X BAD A quoted string has no end\n"
	    "c X BAD There is a \")\" too much\n"
	    "d X BAD There is no \"]\"\n"
	    "e X BAD A quoted string has no end\nend lost connection\n" },
	{ "what is not parted",
	    SPAN("a x \"a\"b\r\nb x (a)(b)\r\nc x a{1+}\r\nb\r\nd x a(b)\r\n"),
	    "a X BAD There is no space between two arguments\n"
	    "b X BAD There is no space between two arguments\n"
	    "c X BAD There is no space before a literal\n"
	    "d X BAD There is no space between two arguments\n"
	    "end lost connection\n" },
	{ "no tag, no command",
	    SPAN("\r\n noop\r\n+ noop\r\n* noop\r\na\r\na \r\na uid\r\n"
		 "a (\r\na {3+}\r\nabc\r\nb noop\r\n"),
	    "  BAD This is no tag\n  BAD This is no tag\n"
	    "  BAD This is no tag\na  BAD This is no command\n"
	    "a  BAD This is no command\na UID  BAD This is no command\n"
	    "a  BAD This is no command\na  BAD This is no command\n"
	    "b NOOP \nend lost connection\n" },
	{ "append takes its literal by itself",
	    SPAN("a append {5+}\r\ninbox (\\Seen) \"x\" {3}\r\na\0b\r\n"
		 "b append x ~{0+}\r\n\r\nc noop\r\n"),
	    "a APPEND L:inbox (A:\\Seen )1 Q:x PENDING-wait:3 <a\0b> \n"
	    "b APPEND A:x PENDING-8:0 <> \nc NOOP \nend lost connection\n" },
	{ "append of several, and catenate",
	    SPAN("a append x {1+}\r\na () {1+}\r\nb CATENATE (URL \"u\" TEXT"
		 " {1+}\r\nc URL v) (f) {1+}\r\nd\r\nb noop\r\n"),
	    "a APPEND A:x PENDING:1 <a> ()0 PENDING:1 <b> A:CATENATE "
	    "(A:URL Q:u A:TEXT PENDING:1 )4 <c> A:URL A:v CLOSE: (A:f )1 "
	    "PENDING:1 <d> \nb NOOP \nend lost connection\n" },
	{ "append that is not wanted",
	    SPAN("a append skip {9+}\r\nb logout\n {9+}\r\nc logout\n\r\n"
		 "b append skip {500}\r\nc noop\r\n"),
	    "a APPEND A:skip PENDING:9 \nb APPEND A:skip PENDING-wait:500 \n"
	    "c NOOP \nend lost connection\n" },
	{ "append with an error behind its literal",
	    SPAN("a append x {1+}\r\na ) {3+}\r\nx y\r\nb noop\r\n"),
	    "a APPEND A:x PENDING:1 <a> BAD There is a \")\" too much\n"
	    "b NOOP \nend lost connection\n" },
};

static void
as_it_is_meant(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct play p = { .tree = { 0 } };

		if (rows[i].tree == NULL)
			continue;
		play(&p, rows[i].script, rows[i].script.n);
		if (memmem(p.tree.p, p.tree.n, rows[i].tree,
			strlen(rows[i].tree)) != p.tree.p)
			fail_msg("%s: wanted\n%sgot\n%s", rows[i].name,
			    rows[i].tree, p.tree.p);
		play_fini(&p);
	}
}

/* Any packing: each script cut at each byte, and byte by byte. */
static void
cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct play whole = { .tree = { 0 } };

		play(&whole, rows[i].script, rows[i].script.n);
		for (size_t cut = 1; cut <= rows[i].script.n; cut++) {
			struct play p = { .tree = { 0 } };

			play(&p, rows[i].script,
			    cut == rows[i].script.n ? SIZE_MAX : cut);
			if (!span_equal(buf_span(&p.tree),
				buf_span(&whole.tree)))
				fail_msg("%s, cut at %zu: wanted\n%sgot\n%s",
				    rows[i].name, cut, whole.tree.p, p.tree.p);
			if (!span_equal(buf_span(&p.said),
				buf_span(&whole.said)))
				fail_msg("%s, cut at %zu: said %s instead"
					 " of %s",
				    rows[i].name, cut, buf_text(&p.said),
				    buf_text(&whole.said));
			play_fini(&p);
		}
		play_fini(&whole);
	}
}

static void
asks_for_literals_that_wait(void **state)
{
	struct play p = { .tree = { 0 } };

	(void)state;
	play(&p,
	    SPAN("a x {1}\r\na {1+}\r\nb {0}\r\n\r\n"
		 "b append x {1}\r\na\r\n"),
	    SIZE_MAX);
	assert_string_equal(p.said.p, "+ OK\r\n+ OK\r\n+ OK\r\n");
	play_fini(&p);
}

/* What leaves goes this way alone; *left counts down to a failure. */
static bool
say_if_left(void *left, const char *text)
{
	(void)text;
	return (*(int *)left)-- > 0;
}

static void
says_nothing_by_itself(void **state)
{
	static const char script[] = "b append x {1}\r\na\r\n";

	(void)state;
	for (int left = 0; left < 2; left++) {
		struct imap_reader *r;
		struct imap_command c;
		const char *error = "";
		struct stream *s;
		int fd[2], count = left;
		char said[10];
		enum io io;

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
		assert_int_equal(send(fd[1], script, sizeof(script) - 1, 0),
		    sizeof(script) - 1);
		s = stream_new(fd[0]);
		r = imap_reader_new(s, &imap_limits_session);
		imap_reader_before_wait(r, say_if_left, &count);
		assert_int_equal(imap_read_command(r, &c, &error, &io),
		    IMAP_READ_END);
		assert_int_equal(io, IO_ERROR);
		imap_reader_free(&r);
		assert_int_equal(stream_flush(s), IO_OK);
		assert_int_equal(recv(fd[1], said, sizeof(said), MSG_DONTWAIT),
		    -1);
		stream_free(&s);
		close(fd[1]);
	}
}

static void
play_long(struct play *p, const char *before, char c, size_t n,
    const char *after)
{
	struct buf script = BUF_INIT(1 << 24);

	buf_add_text(&script, before);
	memset(buf_reserve(&script, n), c, n);
	buf_added(&script, n);
	buf_add_text(&script, after);
	play(p, buf_span(&script), script.n);
	buf_fini(&script);
}

static void
limits_are_hard(void **state)
{
	static const struct {
		const char *before;
		char c;
		size_t n;
		const char *after;
		const char *tree;
	} cases[] = {
		{ "a x ", 'b', 16384 - 4, "\r\nb noop\r\n", NULL },
		{ "a x ", 'b', 16384 - 3, "\r\nb noop\r\n",
		    "a  BAD [LIMIT] The command is too long\nb NOOP \n"
		    "end lost connection\n" },
		{ "a x ", 'b', 30000, " {9+}\r\nb logout\n\r\nb noop\r\n",
		    "a  BAD [LIMIT] The command is too long\nb NOOP \n"
		    "end lost connection\n" },
		{ "a x ", 'b', 300000, "\r\nb noop\r\n",
		    "a  \nfatal [TOOBIG] This is too long\n" },
		{ "a x {4097+}\r\n", 'b', 4097, " y\r\nb noop\r\n",
		    "a X BAD [TOOBIG] A literal is too long\nb NOOP \n"
		    "end lost connection\n" },
		{ "a x {40000+}\r\n", 'b', 40000, " y\r\nb noop\r\n",
		    "a X \nfatal [TOOBIG] This is too long\n" },
		{ "a x ", '(', 4, "))))\r\nb noop\r\n",
		    "a X (((()0 )1 )1 )1 \nb NOOP \nend lost connection\n" },
		{ "a x ", '(', 5, ")))))\r\nb noop\r\n",
		    "a X BAD [LIMIT] Too many parentheses\nb NOOP \n"
		    "end lost connection\n" },
		{ "a x ", '(', 16000, "\r\nb noop\r\n",
		    "a X BAD [LIMIT] Too many parentheses\nb NOOP \n"
		    "end lost connection\n" },
		{ "a x", ' ', 1000, "\r\nb noop\r\n",
		    "a X \nb NOOP \nend lost connection\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct play p = { .limits = &imap_limits_login };

		play_long(&p, cases[i].before, cases[i].c, cases[i].n,
		    cases[i].after);
		if (cases[i].tree == NULL)
			assert_non_null(strstr(p.tree.p, "bb \nb NOOP"));
		else
			assert_string_equal(p.tree.p, cases[i].tree);
		play_fini(&p);
	}
}

static void
too_many_arguments(void **state)
{
	struct buf script = BUF_INIT(1 << 16);
	struct play p = { .limits = &imap_limits_login };

	(void)state;
	buf_add_text(&script, "a x (");
	for (int i = 0; i < 64; i++)
		buf_add_text(&script, " b");
	buf_add_text(&script, ")\r\nb noop\r\n");
	play(&p, buf_span(&script), script.n);
	assert_string_equal(p.tree.p,
	    "a X BAD [LIMIT] Too many arguments\nb NOOP \n"
	    "end lost connection\n");
	play_fini(&p);
	buf_fini(&script);
}

/* attacks: each byte in a tag, a name, an atom, quotes, a literal. */
static void
every_byte_everywhere(void **state)
{
	static const char *const forms[] = { "a%cb x y\r\nz noop\r\n",
		"a x%cz y\r\nz noop\r\n", "a x y%cz\r\nz noop\r\n",
		"a x \"y%cz\"\r\nz noop\r\n", "a x {1+}\r\n%c\r\nz noop\r\n",
		"a x ~{1+}\r\n%c\r\nz noop\r\n", "a x BODY[%c]\r\nz noop\r\n" };

	(void)state;
	for (size_t f = 0; f < sizeof(forms) / sizeof(forms[0]); f++)
		for (int c = 0; c < 256; c++) {
			struct play p = { .tree = { 0 } };
			char text[64];
			int n = snprintf(text, sizeof(text), forms[f], c);

			play(&p, (struct span){ text, (size_t)n }, (size_t)n);
			if (memmem(p.tree.p, p.tree.n, "z NOOP", 6) == NULL)
				fail_msg("form %zu, byte %d: %s", f, c,
				    p.tree.p);
			play_fini(&p);
		}
}

static void
what_an_argument_can_be(void **state)
{
	static const struct imap_arg
	    atom = { .type = IMAP_ATOM, .text = { "ab", 2 } },
	    wild = { .type = IMAP_ATOM, .text = { "a%", 2 } },
	    flag = { .type = IMAP_ATOM, .text = { "\\Seen", 5 } },
	    nil = { .type = IMAP_NIL, .text = { "nil", 3 } },
	    quoted = { .type = IMAP_QUOTED, .text = { "12", 2 } },
	    number = { .type = IMAP_ATOM, .text = { "12", 2 } },
	    list = { .type = IMAP_LIST, .list = &atom };
	const struct imap_arg *inner;
	struct span s;
	uint64_t n;

	(void)state;
	assert_true(imap_arg_astring(&atom, &s) && imap_arg_is(&atom, "AB"));
	assert_false(imap_arg_astring(&wild, &s));
	assert_true(imap_arg_list_mailbox(&wild, &s));
	assert_false(imap_arg_astring(&flag, &s));
	assert_false(imap_arg_list_mailbox(&flag, &s));
	assert_true(imap_arg_atom(&flag, &s));
	assert_true(imap_arg_nstring(&nil, &s) && s.p == NULL);
	assert_true(imap_arg_astring(&nil, &s) && s.n == 3);
	assert_false(imap_arg_string(&atom, &s));
	assert_true(imap_arg_string(&quoted, &s));
	assert_false(imap_arg_atom(&quoted, &s));
	assert_false(imap_arg_number(&quoted, 99, &n));
	assert_true(imap_arg_number(&number, 12, &n) && n == 12);
	assert_false(imap_arg_number(&number, 11, &n));
	assert_true(imap_arg_list(&list, &inner) && inner == &atom);
	assert_false(imap_arg_list(&atom, &inner));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_is_meant),
		cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(asks_for_literals_that_wait),
		cmocka_unit_test(says_nothing_by_itself),
		cmocka_unit_test(limits_are_hard),
		cmocka_unit_test(too_many_arguments),
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(what_an_argument_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
