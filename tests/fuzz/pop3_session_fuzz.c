/* SPDX-License-Identifier: ISC */
/*
 * A whole session of POP3 behind the login, with any commands: what is said is
 * lines, no message is removed but by DELE and QUIT, and no file outside of
 * the mailbox is touched.
 */
#include "pop3d/session.h"

#include <string.h>

#include "lib/log/log.h"
#include "pop3d/unique_ids.h"
#include "tests/fuzz/defaults.h"
#include "tests/fuzz/mail_tree.h"
#include "tests/fuzz/talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES = 3 /* in the mailbox */ };

static struct session_settings settings;

static const char *const messages[] = { "Subject: x\n\n.\n..dots\nend",
	"Subject: y\r\n\r\nwith CR\r\nand \xff\n", NULL };

/* In place of pop3d/unique_ids.c: they are made of the files' names. */
bool
unique_ids_take(const char *mail, const struct store_ids **out, struct why *why)
{
	(void)mail, (void)why;
	*out = NULL;
	return true;
}

static void
prepare(void)
{
	log_threshold(LEVEL_PANIC);
	defaults_fill(&common_param_group, &settings.stage.settings.common);
	defaults_fill(&pop3d_param_group, &settings.pop3);
	mail_tree_prepare("pop3_session");
}

static void
serve(struct stream *io)
{
	struct pop3_client c = { .settings = &settings,
		.mail = "maildir:mail",
		.mail_exists = true,
		.user = "bob",
		.behind = "",
		.id = "1",
		.client = "192.0.2.1",
		.method = "PLAIN",
		.tls = "",
		.io = io };

	dialogue_run(&c);
}

/* How many answers begin so; all is lines, for the longest answer too. */
static unsigned int
count_lines(struct span said, const char *beginning)
{
	unsigned int n = 0;
	struct span line;

	while (said.n > 0) {
		ensure(span_cut(&said, "\n", false, &line));
		ensure(line.n > 0 && line.p[line.n - 1] == '\r');
		n += span_starts(line, beginning);
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct talk t = { .serve = serve };
	unsigned int deleted, left;
	struct span said;

	if (size > TALK_MOST)
		return 0;
	if (mail_tree.base[0] == '\0')
		prepare();
	mail_tree_make(messages);
	talk_run(&t, data, size);
	said = buf_span(&t.said);
	ensure(span_starts(said, "+OK Logged in\r\n"));
	deleted = count_lines(said, "+OK Message ");
	left = mail_tree_files("mail/cur") + mail_tree_files("mail/new");
	ensure(left + deleted >= MESSAGES && left <= MESSAGES);
	ensure(left == MESSAGES || count_lines(said, "+OK Good bye") > 0);
	buf_fini(&t.said);
	mail_tree_end();
	return 0;
}
