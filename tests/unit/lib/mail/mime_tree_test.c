/* SPDX-License-Identifier: ISC */
#include "lib/mail/mime_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static struct mime_tree *
tree_of(const char *message)
{
	struct mime_tree_builder *b = mime_tree_begin();

	mime_tree_put(b, span_of(message));
	return mime_tree_end(&b);
}

/* "type/subtype header body lines", and children in parentheses. */
static void
describe(const struct mime_part *p, const char *message, struct buf *out)
{
	buf_printf(out, "%.*s/%.*s %.*s", SPAN_ARG(p->type),
	    SPAN_ARG(p->subtype), (int)p->body_size, message + p->body_at);
	if (p->children != NULL)
		buf_add_char(out, '(');
	for (const struct mime_part *c = p->children; c != NULL; c = c->next) {
		describe(c, message, out);
		if (c->next != NULL)
			buf_add_char(out, ',');
	}
	if (p->children != NULL)
		buf_add_char(out, ')');
}

static const struct {
	const char *name, *message, *tree;
} shapes[] = {
	{ "empty", "", "text/plain " },
	{ "header only", "Subject: x\n", "text/plain " },
	{ "no header", "\nbody\n", "text/plain body\n" },
	{ "broken header", "Subject: x\nno field\n\nmore",
	    "text/plain no field\n\nmore" },
	{ "mailbox file's line", "From a b\nSubject: x\n\nFrom c\n",
	    "text/plain From c\n" },
	{ "mailbox file's line, quoted, and a type",
	    ">From a b\nContent-Type: text/html\n\nb", "text/html b" },
	{ "nothing to fold onto", "From a b\n c: d\n\nx",
	    "text/plain  c: d\n\nx" },
	{ "mailbox file's line in the middle", "Subject: x\nFrom a b\n\nx",
	    "text/plain From a b\n\nx" },
	{ "html", "Content-Type: Text/HTML; charset=x\n\nb", "text/html b" },
	{ "type that is none", "Content-Type: html\n\nb", "text/plain b" },
	{ "two parts",
	    "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n"
	    "--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n",
	    "multipart/mixed pre\n--b\n\none\n"
	    "--b\nContent-Type: text/html\n\ntwo\n\n--b--\nepilogue\n"
	    "(text/plain one,text/html two\n)" },
	{ "boundary ends the header of a part",
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	    "Content-Type: text/html\n--b\n\n--b--",
	    "multipart/mixed --b\nContent-Type: text/html\n--b\n\n--b--"
	    "(text/html ,text/plain )" },
	{ "no end, and a boundary that only begins alike",
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--bb\n",
	    "multipart/mixed --b\n\nx\n--bb\n(text/plain x\n--bb\n)" },
	{ "blanks behind the boundary",
	    "Content-Type: multipart/mixed; boundary=\"b \"\n\n--b \t\n\nx\n"
	    "--b--  \n",
	    "multipart/mixed --b \t\n\nx\n--b--  \n(text/plain x)" },
	{ "no boundary", "Content-Type: multipart/mixed\n\n--b\n\nx\n",
	    "text/plain --b\n\nx\n" },
	{ "boundary never comes",
	    "Content-Type: multipart/mixed; boundary=b\n\nx\n",
	    "text/plain x\n" },
	{ "message",
	    "Content-Type: message/rfc822\n\nContent-Type: text/html\n\nx",
	    "message/rfc822 Content-Type: text/html\n\nx(text/html x)" },
	{ "message without a header",
	    "Content-Type: message/rfc822\n\nhello you",
	    "message/rfc822 hello you(text/plain hello you)" },
	{ "digest",
	    "Content-Type: multipart/digest; boundary=b\n\n--b\n\n"
	    "Subject: x\n\nx\n--b\nContent-Type: text/plain\n\ny\n--b--\n",
	    "multipart/digest --b\n\nSubject: x\n\nx\n"
	    "--b\nContent-Type: text/plain\n\ny\n--b--\n"
	    "(message/rfc822 Subject: x\n\nx(text/plain x),text/plain y)" },
	{ "boundary right behind a header without an empty line",
	    "Content-Type: multipart/mixed; boundary=b\n \n--b\n\nx\n--b--\n",
	    "multipart/mixed --b\n\nx\n--b--\n(text/plain x)" },
	{ "outer boundary ends inner parts",
	    "Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\n"
	    "y\n--b\n--a--\n",
	    "multipart/mixed --a\n"
	    "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--a\n\n"
	    "y\n--b\n--a--\n"
	    "(multipart/mixed --b\n\nx(text/plain x),text/plain y\n--b)" },
	{ "message cut by a boundary in its header",
	    "Content-Type: multipart/mixed; boundary=a\n\n--a\n"
	    "Content-Type: message/rfc822\n\nSubject: x\n--a--\n",
	    "multipart/mixed --a\nContent-Type: message/rfc822\n\n"
	    "Subject: x\n--a--\n(message/rfc822 Subject: x\n(text/plain ))" },
};

static void
shape_is_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct mime_tree *t = tree_of(shapes[i].message);
		struct buf text = BUF_INIT(65536);

		describe(mime_tree_root(t), shapes[i].message, &text);
		if (strcmp(buf_text(&text), shapes[i].tree) != 0)
			fail_msg("%s: %s", shapes[i].name, buf_text(&text));
		assert_int_equal(mime_tree_size(t), strlen(shapes[i].message));
		buf_fini(&text);
		mime_tree_free(&t);
	}
}

static void
sizes_are_those_with_crlf(void **state)
{
	struct mime_tree *t = tree_of("Subject: x\r\n\na\nb\r\n\rc\n");
	const struct mime_part *p = mime_tree_root(t);

	(void)state;
	assert_int_equal(p->header_size, 13);
	assert_int_equal(p->header_sent, 14);
	assert_int_equal(p->body_at, 13);
	assert_int_equal(p->body_size, 8);
	assert_int_equal(p->body_sent, 10);
	assert_int_equal(p->body_lines, 3);
	assert_int_equal(mime_tree_sent(t), 24);
	mime_tree_free(&t);
}

/* RFC 9051 section 6.4.5.1, the example of part numbers. */
static void
numbers_find_parts(void **state)
{
	static const char message[] =
	    "Content-Type: multipart/mixed; boundary=a\n\n"
	    "--a\nContent-Type: text/plain\n\n1\n"
	    "--a\nContent-Type: application/octet-stream\n\n2\n"
	    "--a\nContent-Type: message/rfc822\n\n"
	    "Content-Type: multipart/mixed; boundary=b\n\n"
	    "--b\nContent-Type: text/plain\n\n3.1\n"
	    "--b\nContent-Type: application/octet-stream\n\n3.2\n--b--\n"
	    "--a\nContent-Type: multipart/mixed; boundary=c\n\n"
	    "--c\nContent-Type: image/gif\n\n4.1\n"
	    "--c\nContent-Type: message/rfc822\n\n"
	    "Content-Type: multipart/mixed; boundary=d\n\n"
	    "--d\nContent-Type: text/plain\n\n4.2.1\n"
	    "--d\nContent-Type: multipart/alternative; boundary=e\n\n"
	    "--e\nContent-Type: text/plain\n\n4.2.2.1\n"
	    "--e\nContent-Type: text/richtext\n\n4.2.2.2\n--e--\n"
	    "--d--\n--c--\n--a--\n";
	static const struct {
		const char *number, *body, *subtype;
	} rows[] = {
		{ "1", "1", "plain" },
		{ "2", "2", "octet-stream" },
		{ "3", NULL, "rfc822" },
		{ "3.1", "3.1", "plain" },
		{ "3.2", "3.2", "octet-stream" },
		{ "4", NULL, "mixed" },
		{ "4.1", "4.1", "gif" },
		{ "4.2", NULL, "rfc822" },
		{ "4.2.1", "4.2.1", "plain" },
		{ "4.2.2", NULL, "alternative" },
		{ "4.2.2.1", "4.2.2.1", "plain" },
		{ "4.2.2.2", "4.2.2.2", "richtext" },
		{ "0", NULL, NULL },
		{ "5", NULL, NULL },
		{ "1.1", NULL, NULL },
		{ "4.2.2.3", NULL, NULL },
		{ "4.2.2.2.1", NULL, NULL },
		{ "x", NULL, NULL },
		{ "1..1", NULL, NULL },
		{ "99999999999", NULL, NULL },
	};
	struct mime_tree *t = tree_of(message);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct mime_part *p =
		    mime_tree_find(t, span_of(rows[i].number));

		if (rows[i].subtype == NULL) {
			assert_null(p);
			continue;
		}
		assert_non_null(p);
		assert_true(span_is(p->subtype, rows[i].subtype));
		if (rows[i].body != NULL)
			assert_true(span_is((struct span){ message + p->body_at,
						p->body_size },
			    rows[i].body));
	}
	mime_tree_free(&t);
	t = tree_of("Subject: x\n\nbody");
	assert_ptr_equal(mime_tree_find(t, SPAN("1")), mime_tree_root(t));
	assert_null(mime_tree_find(t, SPAN("2")));
	assert_null(mime_tree_find(t, SPAN("1.1")));
	mime_tree_free(&t);
}

static const struct {
	const char *value, *name, *expected, *extended;
} parameters[] = {
	{ "a/b; charset=us-ascii", "charset", "us-ascii", NULL },
	{ "a/b; Charset = \"us\\-ascii\" (comment)", "charset", "us-ascii",
	    NULL },
	{ "a/b;charset=utf-8;name=x", "name", "x", NULL },
	{ "a/b; (a;b=c) name=(no value\n here)x", "name", "x", NULL },
	{ "a/b; name", "name", NULL, NULL },
	{ "a/b; name=a b.txt; x=y", "x", "y", NULL },
	{ "a/b; name=\"open", "name", "open", NULL },
	{ "a/b; ;; =x; name=1; name=2", "name", "1", NULL },
	/* RFC 2231 sections 3, 4, and 4.1 */
	{ "a/b; url*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub\"", "url",
	    "ftp://cs.utk.edu/pub", NULL },
	{ "a/b; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
	    "title", "This is ***fun***",
	    "utf-8''This%20is%20%2A%2A%2Afun%2A%2A%2A" },
	{ "a/b; title*0*=us-ascii'en'This%20is%20even%20more%20; "
	  "title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
	    "title", "This is even more ***fun*** isn't it!",
	    "utf-8''This%20is%20even%20more%20%2A%2A%2Afun%2A%2A%2A%20"
	    "isn%27t%20it!" },
	{ "a/b; n*1*=%62; n*0*=iso-8859-1''%e4", "n",
	    "\xc3\xa4"
	    "b",
	    "utf-8''%C3%A4b" },
	{ "a/b; name=plain; name*=utf-8''%C3%A4", "name", "\xc3\xa4",
	    "utf-8''%C3%A4" },
	{ "a/b; n*0=a; n*2=c", "n", "a", NULL },
	{ "a/b; n*x=a", "n*x", "a", NULL },
	{ "a/b; n*=no%20charset", "n", "no charset", "utf-8''no%20charset" },
	{ "a/b; n*=utf-8''%zz%4", "n", "%zz%4", "utf-8''%25zz%254" },
};

static void
parameters_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]);
	     i++) {
		struct buf m = BUF_INIT(65536);
		struct mime_tree *t;
		const struct mime_part *p;
		struct span value;

		buf_printf(&m, "Content-Type: %s\n\n", parameters[i].value);
		t = tree_of(buf_text(&m));
		p = mime_tree_root(t);
		value = mime_part_parameter(p, parameters[i].name);
		if (parameters[i].expected == NULL) {
			assert_null(value.p);
		} else if (!span_is(value, parameters[i].expected)) {
			fail_msg("%s: %.*s", parameters[i].value,
			    SPAN_ARG(value));
		}
		for (size_t j = 0; j < p->parameter_count; j++)
			if (p->parameters[j].value.p == value.p &&
			    (parameters[i].extended == NULL ?
				    p->parameters[j].extended.p != NULL :
				    !span_is(p->parameters[j].extended,
					parameters[i].extended)))
				fail_msg("%s: %.*s", parameters[i].value,
				    SPAN_ARG(p->parameters[j].extended));
		mime_tree_free(&t);
		buf_fini(&m);
	}
}

static void
fields_are_kept(void **state)
{
	struct mime_tree *t = tree_of(
	    "From: a@b\nSubject: one\nsubject: two\nTo:\n"
	    "Content-Disposition: Attachment;\n filename=\"x y\"\n"
	    "Content-ID: <i>\nContent-Description: a\n b\n"
	    "Content-Transfer-Encoding: BASE64 (really)\n"
	    "Content-MD5: m\nContent-Location: l\nContent-Language: de, en\n"
	    "\nbody");
	const struct mime_part *p = mime_tree_root(t);

	(void)state;
	assert_true(span_is(p->disposition, "Attachment"));
	assert_int_equal(p->disposition_parameter_count, 1);
	assert_true(span_is(p->disposition_parameters[0].value, "x y"));
	assert_true(span_is(p->id, "<i>"));
	assert_true(span_is(p->description, "a b"));
	assert_true(span_is(p->encoding, "base64"));
	assert_true(span_is(p->md5, "m"));
	assert_true(span_is(p->location, "l"));
	assert_true(span_is(p->language, "de, en"));
	assert_true(span_is(p->envelope->subject, " one"));
	assert_true(span_is(p->envelope->from, " a@b"));
	assert_non_null(p->envelope->to.p);
	assert_null(p->envelope->cc.p);
	mime_tree_free(&t);
}

static void
add_nested(struct buf *m, size_t depth, const char *type)
{
	for (size_t i = 0; i < depth; i++)
		buf_printf(m, "Content-Type: %s; boundary=b%zu\n\n--b%zu\n",
		    type, i, i);
}

static size_t
depth_of(const struct mime_tree *t)
{
	const struct mime_part *p = mime_tree_root(t);
	size_t depth = 1;

	for (; p->children != NULL; p = p->children)
		depth++;
	return depth;
}

/*
 * CVE-2020-12100, CVE-2020-25275, CVE-2006-1173: at the limit, one below and
 * one above it, for parts of each kind.
 */
static void
depth_is_limited(void **state)
{
	(void)state;
	for (size_t n = MIME_TREE_DEPTH_MAX - 3; n < MIME_TREE_DEPTH_MAX + 3;
	     n++) {
		struct buf m = BUF_INIT(1 << 20);
		struct mime_tree *t;
		size_t expected =
		    n + 1 < MIME_TREE_DEPTH_MAX ? n + 1 : MIME_TREE_DEPTH_MAX;

		add_nested(&m, n, "multipart/mixed");
		t = tree_of(buf_text(&m));
		assert_int_equal(depth_of(t), expected);
		mime_tree_free(&t);
		buf_reset(&m);
		for (size_t i = 0; i < n; i++)
			buf_add_text(&m, "Content-Type: message/rfc822\n\n");
		t = tree_of(buf_text(&m));
		assert_int_equal(depth_of(t), expected);
		mime_tree_free(&t);
		buf_fini(&m);
	}
}

static void
parts_are_limited(void **state)
{
	(void)state;
	for (size_t n = MIME_TREE_PARTS_MAX - 3; n < MIME_TREE_PARTS_MAX + 3;
	     n++) {
		struct buf m = BUF_INIT(1 << 20);
		struct mime_tree *t;

		buf_add_text(&m,
		    "Content-Type: multipart/digest; boundary=b\n\n");
		for (size_t i = 0; i < n / 2; i++)
			buf_add_text(&m, "--b\n\n");
		t = tree_of(buf_text(&m));
		assert_int_equal(mime_tree_parts(t),
		    1 + n / 2 * 2 < MIME_TREE_PARTS_MAX ? 1 + n / 2 * 2 :
							  MIME_TREE_PARTS_MAX);
		mime_tree_free(&t);
		buf_fini(&m);
	}
}

static double
seconds_for(const char *line, size_t n, const char *start)
{
	struct mime_tree_builder *b = mime_tree_begin();
	struct mime_tree *t;
	clock_t from = clock();

	mime_tree_put(b, span_of(start));
	for (size_t i = 0; i < n; i++)
		mime_tree_put(b, span_of(line));
	t = mime_tree_end(&b);
	mime_tree_free(&t);
	return (double)(clock() - from) / CLOCKS_PER_SEC;
}

/* 10^5 of anything takes no time at all. */
static void
time_is_linear(void **state)
{
	static const struct {
		const char *start, *line;
	} rows[] = {
		{ "Content-Type: multipart/mixed; boundary=b\n\n", "--b\n\n" },
		{ "Content-Type: multipart/digest; boundary=b\n\n", "--b\n\n" },
		{ "", "Content-Type: multipart/mixed; boundary=b\n\n--b\n" },
		{ "", "Content-Type: message/rfc822\n\n" },
		{ "Content-Type: a/b", "; x=y" },
		{ "Content-Type: a/b", "; x*1=y" },
		{ "Content-Type: a/b; ", "((((" },
		{ "Content-Type: a/b; ", "\"" },
		{ "Content-Type: a/b; n*0=", "a; n*1=" },
		{ "", "A: b\n" },
		{ "To: ", "(" },
		{ "To: ", "a@b,\n " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		double s = seconds_for(rows[i].line, 100000, rows[i].start);

		if (s > 1.0)
			fail_msg("row %zu: %f s", i, s);
	}
}

static void
same_numbers(const struct mime_part *a, const struct mime_part *b)
{
	while (a != NULL && b != NULL) {
		assert_true(span_equal(a->type, b->type));
		assert_true(span_equal(a->subtype, b->subtype));
		assert_true(span_equal(a->encoding, b->encoding));
		assert_int_equal(a->header_at, b->header_at);
		assert_int_equal(a->header_size, b->header_size);
		assert_int_equal(a->header_sent, b->header_sent);
		assert_int_equal(a->body_at, b->body_at);
		assert_int_equal(a->body_size, b->body_size);
		assert_int_equal(a->body_sent, b->body_sent);
		assert_int_equal(a->body_lines, b->body_lines);
		same_numbers(a->children, b->children);
		a = a->next;
		b = b->next;
	}
	assert_true(a == NULL && b == NULL);
}

static void
packed_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct mime_tree *t = tree_of(shapes[i].message), *u;
		struct buf packed = BUF_INIT(65536);

		assert_true(mime_tree_pack(t, &packed));
		u = mime_tree_unpack(buf_span(&packed));
		assert_non_null(u);
		same_numbers(mime_tree_root(t), mime_tree_root(u));
		assert_int_equal(mime_tree_sent(t), mime_tree_sent(u));
		mime_tree_free(&u);
		/* cut anywhere it is damaged */
		for (size_t n = 0; n < packed.n; n++)
			assert_null(
			    mime_tree_unpack(span_take(buf_span(&packed), n)));
		buf_add_char(&packed, 'x');
		assert_null(mime_tree_unpack(buf_span(&packed)));
		buf_fini(&packed);
		mime_tree_free(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shape_is_right),
		cmocka_unit_test(sizes_are_those_with_crlf),
		cmocka_unit_test(numbers_find_parts),
		cmocka_unit_test(parameters_are_read),
		cmocka_unit_test(fields_are_kept),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(parts_are_limited),
		cmocka_unit_test(time_is_linear),
		cmocka_unit_test(packed_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
