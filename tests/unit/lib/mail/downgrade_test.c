/* SPDX-License-Identifier: ISC */
#include "lib/mail/downgrade.h"
#include "lib/mail/mime_walk.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "lib/base/buf.h"

#define E "\xc3\xa9" /* é in UTF-8 */
#define L "\xe9" /* in Latin 1 */

static const struct {
	const char *name;
	const char *in;
	const char *out; /* NULL: cannot be converted */
} rows[] = {
	{ "nothing to do", "Subject: x\r\n\r\nbody \r\n=20\r\n",
	    "Subject: x\r\n\r\nbody \r\n=20\r\n" },
	{ "no MIME fields", "Subject: x\r\n\r\nna" E "\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "na=C3=A9\r\n" },
	{ "parts in what says an encoding that nobody knows",
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: x-foo\r\n\r\n--b\r\n\r\n" E
	    "\r\n--b--\r\n",
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: x-foo\r\n\r\n--b\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9"
	    "\r\n--b--\r\n" },
	{ "a multipart in an encoding that nobody knows: it is not 7bit",
	    "Subject: " E "\r\nContent-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: x-uuencode\r\n\r\n"
	    "begin 644 x\r\n#86)C\r\n`\r\nend\r\n",
	    "Subject: =?utf-8?Q?=C3=A9?=\r\n"
	    "Content-Type: multipart/mixed; boundary=b\r\n"
	    "Content-Transfer-Encoding: x-uuencode\r\n\r\n"
	    "begin 644 x\r\n#86)C\r\n`\r\nend\r\n" },
	{ "a message in such a one",
	    "Subject: " E "\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: x-uuencode\r\n\r\n"
	    "begin 644 x\r\n#86)C\r\n`\r\nend\r\n",
	    "Subject: =?utf-8?Q?=C3=A9?=\r\n"
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: x-uuencode\r\n\r\n"
	    "\r\nbegin 644 x\r\n#86)C\r\n`\r\nend\r\n" },
	{ "two encodings: the last",
	    "Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n" E "\r\n",
	    "Content-Type: text/plain\r\nMIME-Version: 1.0\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n" },
	{ "no known charset", "Subject: x\r\n\r\nna" L "\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "na=E9\r\n" },
	{ "labelled text",
	    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n<p>" E " = \t\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "<p>=C3=A9 =3D =09\r\n" },
	{ "long line",
	    "\r\n0123456789012345678901234567890123456789012345678901234567890"
	    "12345678901" E "x\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "0123456789012345678901234567890123456789012345678901234567890"
	    "12345678901=C3=\r\n=A9x\r\n" },
	{ "parts",
	    "Content-Type: multipart/mixed; boundary=\"b b\"\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "pre" E "\r\n--b b\r\n\r\nplain\r\n--b b  \r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "content-transfer-encoding: 8BIT (yes)\r\n\r\n" E "\r\n"
	    "\r\n--b b\r\nContent-Type: image/x\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\n\xff\xfe\r\nab\r\n"
	    "--b b--\r\nepi\r\n",
	    "Content-Type: multipart/mixed; boundary=\"b b\"\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "pre??\r\n--b b\r\n\r\nplain\r\n--b b\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n"
	    "\r\n--b b\r\nContent-Type: image/x\r\n"
	    "Content-Transfer-Encoding: base64\r\n\r\n//4NCmFi\r\n"
	    "--b b--\r\nepi\r\n" },
	{ "message within",
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nSubject: in\r\n\r\n" E
	    "\r\n",
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\nSubject: in\r\n"
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9\r\n" },
	{ "boundary of a part that did not end",
	    "Content-Type: multipart/a; boundary=o\r\n\r\n--o\r\n"
	    "Content-Type: multipart/b; boundary=oi\r\n\r\n--oi\r\n\r\n" E
	    "\r\n--o\r\n\r\nx\r\n--o--\r\n",
	    "Content-Type: multipart/a; boundary=o\r\n\r\n--o\r\n"
	    "Content-Type: multipart/b; boundary=oi\r\n\r\n--oi\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9"
	    "\r\n--o\r\n\r\nx\r\n--o--\r\n" },
	{ "mislabelled quoted-printable",
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=3D" E "\r\n",
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "=3D=C3=A9\r\n" },
	{ "no empty line", "Subject: x\r\nno field " E "\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    "no field =C3=A9\r\n" },
	{ "last line without an end", "\r\n" E " ",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    "Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A9=20" },
	{ "subject", "Subject: un caf" E " cr" E "me fin\r\n\r\n",
	    "Subject: un =?utf-8?Q?caf=C3=A9_cr=C3=A9me?= fin\r\n\r\n" },
	{ "names",
	    "From: J" L "rg <j@x.test>, \"A " E "\" <a@x.test>\r\n"
	    "To: b@x.test (caf" E ")\r\n\r\n",
	    "From: =?unknown-8bit?Q?J=E9rg?= <j@x.test>, "
	    "=?utf-8?Q?A_=C3=A9?= <a@x.test>\r\n"
	    "To: b@x.test (=?utf-8?Q?caf=C3=A9?=)\r\n\r\n" },
	{ "address", "From: j" E "rg@x.test\r\n\r\n", NULL },
	{ "bracketed address", "From: <j" E "rg@x.test>\r\n\r\n", NULL },
	{ "quoted address", "From: \"j" E "\"@x.test\r\n\r\n", NULL },
	{ "parameter",
	    "Content-Disposition: attachment; filename=" E ".doc\r\n\r\n",
	    "Content-Disposition: attachment;\r\n"
	    " filename*=utf-8''%C3%A9.doc\r\n\r\n" },
	{ "parameter in quotes",
	    "Content-Type: text/plain; name=\"a; \\\"" L "\\\"\" ;\r\n"
	    " charset=x\r\n\r\n",
	    "Content-Type: text/plain;\r\n"
	    " name*=unknown-8bit''a%3B%20%22%E9%22; charset=x\r\n\r\n" },
	{ "long parameter",
	    "Content-Disposition: inline;\r\n"
	    " filename=\"01234567890123456789012345678901234567890123" E
	    "\"\r\n\r\n",
	    "Content-Disposition: inline;\r\n"
	    " filename*0*=utf-8''01234567890123456789012345678901234567890123;"
	    "\r\n filename*1*=%C3%A9\r\n\r\n" },
	{ "type", "Content-Type: text/" E "; name=x\r\n\r\n", NULL },
	{ "open quotes", "Content-Type: a/b; name=\"" E "\r\n\r\n", NULL },
	{ "text behind quotes", "Content-Type: a/b; name=\"" E "\" x\r\n\r\n",
	    NULL },
	{ "parameter without a name", "Content-Type: a/b; " E "\r\n\r\n",
	    NULL },
	{ "parameter of a strange name", "Content-Type: a/b; a*0=" E "\r\n\r\n",
	    NULL },
	{ "extension field", "Author: J" L "rg, again\r\n\r\n",
	    "Author: =?unknown-8bit?Q?J=E9rg=2C?= again\r\n\r\n" },
	{ "id", "References: <" E "@x.test>\r\n\r\n", NULL },
	{ "signature", "ARC-Seal: " E "\r\n\r\n", NULL },
	{ "none of its parts",
	    "Content-Type: multipart/mixed; boundary=b\r\n\r\n" E "\r\n",
	    NULL },
	{ "signed",
	    "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\n\r\n" E "\r\n--b--\r\n",
	    NULL },
	{ "signed, but clean",
	    "Subject: " E "\r\nContent-Type: multipart/signed; boundary=b\r\n"
	    "\r\n--b\r\n\r\nx\r\n--b--\r\n",
	    "Subject: =?utf-8?Q?=C3=A9?=\r\n"
	    "Content-Type: multipart/signed; boundary=b\r\n"
	    "\r\n--b\r\n\r\nx\r\n--b--\r\n" },
	{ "fragment", "Content-Type: message/partial\r\n\r\n" E "\r\n", NULL },
	{ "unknown encoding",
	    "Content-Transfer-Encoding: x-odd\r\n\r\n" E "\r\n", NULL },
	{ "empty", "", "" },
};

static void
collect(void *with, struct span bytes)
{
	assert_true(span_is_ascii(bytes));
	buf_add_span(with, bytes);
}

static void
check(size_t i, size_t step)
{
	struct buf out = BUF_INIT(100000);
	struct downgrade *d = downgrade_new(MIME_DEPTH_MAX);
	struct span in;

	for (in = span_of(rows[i].in); in.n > 0; in = span_skip(in, step))
		downgrade_look(d, span_take(in, step));
	if (downgrade_obstacle(d) != NULL) {
		if (rows[i].out != NULL)
			fail_msg("%s: %s", rows[i].name, downgrade_obstacle(d));
	} else {
		downgrade_begin(d, collect, &out);
		for (in = span_of(rows[i].in); in.n > 0;
		     in = span_skip(in, step))
			downgrade_convert(d, span_take(in, step));
		downgrade_end(d);
		if (rows[i].out == NULL)
			fail_msg("%s: converted", rows[i].name);
		if (strcmp(buf_text(&out), rows[i].out) != 0)
			fail_msg("%s, step %zu:\n%s", rows[i].name, step,
			    buf_text(&out));
	}
	downgrade_free(&d);
	buf_fini(&out);
}

static void
every_split_gives_the_same(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step < 40; step++)
			check(i, step == 39 ? 100000 : step);
}

/* What is beyond the depth goes out as it is, or not at all. */
static void
check_depth(int levels, const char *text, const char *obstacle)
{
	struct buf in = BUF_INIT(100000), out = BUF_INIT(100000);
	struct downgrade *d = downgrade_new(5);
	const char *said;

	buf_add_text(&in, "Subject: " E "\r\n");
	for (int i = 0; i < levels; i++)
		buf_printf(&in,
		    "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n"
		    "--b%d\r\n",
		    i, i);
	buf_printf(&in, "\r\n%s\r\n", text);
	downgrade_look(d, buf_span(&in));
	said = downgrade_obstacle(d);
	if (obstacle != NULL) {
		assert_string_equal(said, obstacle);
	} else {
		assert_null(said);
		downgrade_begin(d, collect, &out);
		downgrade_convert(d, buf_span(&in));
		downgrade_end(d);
		assert_int_equal(strstr(buf_text(&out), "=C3=A9\r\n") != NULL,
		    strcmp(text, E) == 0);
		assert_non_null(strstr(buf_text(&out), "Subject: =?utf-8?"));
	}
	downgrade_free(&d);
	buf_fini(&in);
	buf_fini(&out);
}

static void
too_deep_is_no_obstacle_without_8_bits(void **state)
{
	(void)state;
	check_depth(7, E, NULL);
	check_depth(8, E,
	    "8-bit content, and MIME nesting exceeds mime_nesting_limit");
	check_depth(8, "x", NULL);
	check_depth(300, "x", NULL);
}

static void
long_subject_is_folded_between_characters(void **state)
{
	struct buf in = BUF_INIT(10000), out = BUF_INIT(10000);
	struct downgrade *d = downgrade_new(MIME_DEPTH_MAX);
	struct span rest, line;

	(void)state;
	buf_add_text(&in, "Subject: ");
	for (int i = 0; i < 100; i++)
		buf_add_text(&in, E);
	buf_add_text(&in, "\r\n\r\n");
	downgrade_look(d, buf_span(&in));
	assert_null(downgrade_obstacle(d));
	downgrade_begin(d, collect, &out);
	downgrade_convert(d, buf_span(&in));
	downgrade_end(d);
	rest = buf_span(&out);
	while (span_cut(&rest, "\r\n", true, &line)) {
		assert_true(line.n <= 76 + 9);
		assert_true(span_ends_nocase(line, "=A9?="));
	}
	downgrade_free(&d);
	buf_fini(&in);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_gives_the_same),
		cmocka_unit_test(too_deep_is_no_obstacle_without_8_bits),
		cmocka_unit_test(long_subject_is_folded_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
