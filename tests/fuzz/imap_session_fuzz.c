/* SPDX-License-Identifier: ISC */
/*
 * A whole session of IMAP behind the login, with any commands: whatever they
 * are, all that is said is made of lines (and literals) that a client can tell
 * apart, nothing fails that only a disk could make fail, and no file outside
 * of the account is touched.
 */
#include "imapd/session.h"

#include <string.h>

#include "imapd/namespaces.h"
#include "lib/log/log.h"
#include "lib/login/session_stage.h"
#include "lib/mail/charset.h"
#include "tests/fuzz/defaults.h"
#include "tests/fuzz/mail_tree.h"
#include "tests/fuzz/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct common_params common;
static struct imapd_params params;
static struct mail_account *account;

static const char *const messages[] = {
	"From: A <a@example.test>\nTo: b@example.test, c@[192.0.2.1]\n"
	"Date: Mon, 2 Mar 2026 10:00:00 +0100\nMessage-ID: <1@example.test>\n"
	"Subject: Re: =?utf-8?q?caf=C3=A9?=\nMIME-Version: 1.0\n"
	"Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n"
	"Content-Type: text/plain; charset=utf-8\n"
	"Content-Transfer-Encoding: base64\n\nY2Fmw6kK\n--b\n"
	"Content-Type: message/rfc822\n\nTo: c@d\n"
	"Content-Type: text/html; name*0*=utf-8''%41; name*1=\"b\"\n\n"
	"<p>\n--b--\nend\n",
	"From: b@example.test\nReferences: <1@example.test>\n"
	"Subject: caf\xc3\xa9\n\nline\nanother line\n",
	NULL,
};

/* lib/login/session_child.c: these are its process's. */
void
session_share(const char *owner, const char *grantee, bool on)
{
	(void)on;
	ensure(owner != NULL && grantee[0] != '\0');
}

bool
session_park(struct session_client *c, const struct session_parking *p)
{
	(void)c, (void)p;
	unreachable(); /* there is nobody to park it */
}

void
session_retire(void)
{
	unreachable(); /* the disk is good */
}

static void
prepare(void)
{
	const struct namespace_texts own = { "", "", "" };
	const char *setting;
	struct why why;

	log_threshold(LEVEL_PANIC);
	defaults_fill(&common_param_group, &common);
	defaults_fill(&imapd_param_group, &params);
	ensure(namespaces_configure(&own, '/', &setting, &why));
	charset_prepare();
	mail_account_prepare();
	mail_tree_prepare("imap_session");
}

static void
serve(struct stream *io)
{
	struct imap_session s = { .common = &common,
		.params = &params,
		.io = io,
		.account = account,
		.user = "bob",
		.id = "1",
		.client = "192.0.2.1",
		.state = IMAP_AUTHENTICATED };

	s.reader = imap_reader_new(io, &imap_limits_session);
	imap_session_run(&s, "login");
	imap_reader_free(&s.reader);
}

/* Does a literal follow this line of data, and of how many bytes? */
static bool
has_literal(struct span line, uint64_t *n)
{
	size_t at = line.n;

	if (line.n < 3 || line.p[line.n - 1] != '}')
		return false;
	while (at > 0 && line.p[at - 1] != '{')
		at--;
	ensure(at > 0);
	ensure(span_u64(span_take(span_skip(line, at), line.n - at - 1),
	    SIZE_MAX, n));
	return true;
}

static bool
is_text(struct span line)
{
	return span_starts(line, "OK ") || span_starts(line, "NO ") ||
	    span_starts(line, "BAD ") || span_starts(line, "BYE ");
}

static struct span
check_line(struct span *said)
{
	struct span line;

	ensure(span_cut(said, "\n", false, &line));
	ensure(line.n > 0 && line.p[line.n - 1] == '\r');
	line.n--;
	ensure(memchr(line.p, '\r', line.n) == NULL);
	ensure(memchr(line.p, '\0', line.n) == NULL);
	return line;
}

/* A line, with the literals in it. False: what follows is compressed. */
static bool
check_reply(struct span *said)
{
	struct span line = check_line(said);
	struct span rest = span_skip(line, span_find(line, ' ') + 1);
	uint64_t n;

	if (is_text(rest))
		return !span_is(rest, "OK DEFLATE active");
	ensure(span_starts(line, "* ") || span_starts(line, "+"));
	while (has_literal(line, &n)) {
		ensure(n <= said->n);
		*said = span_skip(*said, (size_t)n);
		line = check_line(said);
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct mail_account_settings settings = {
		.location = "maildir:mail",
		.separator = '/',
		.quota_bytes = 100000,
		.quota_messages = 50,
	};
	struct talk t = { .serve = serve };
	struct span said;
	struct why why;

	if (size > TALK_MOST)
		return 0;
	if (mail_tree.base[0] == '\0')
		prepare();
	mail_tree_make(messages);
	ensure(mail_account_open(&settings, &account, &why) == MAIL_OK);
	namespaces_open_as(&settings);
	talk_run(&t, data, size);
	namespaces_close();
	mail_account_close(&account);
	said = buf_span(&t.said);
	ensure(span_starts(said, "login OK [CAPABILITY "));
	while (said.n > 0 && check_reply(&said))
		;
	buf_fini(&t.said);
	mail_tree_end();
	return 0;
}
