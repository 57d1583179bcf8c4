/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: runs in a set-gid command. Who cannot be told to be allowed is
 * not; a table that fails is no permission.
 */
#include "tools/login_senders.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

const char *
login_name(void)
{
	static char number[32];
	const struct passwd *user = getpwuid(getuid());

	if (user != NULL)
		return user->pw_name;
	snprintf(number, sizeof(number), "uid:%ld", (long)getuid());
	return number;
}

char *
login_senders(const char *tables)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX), error = BUF_INIT(4096);
	struct table_list *l = table_list_open(tables, &error);
	enum table_result r;
	char *patterns;

	if (l == NULL)
		fatal_status(EX_CONFIG, "local_login_sender_maps: %s",
		    buf_text(&error));
	r = table_list_lookup(l, span_of(login_name()), &value);
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		fatal_status(EX_TEMPFAIL, "local_login_sender_maps: %s",
		    buf_text(&value));
	patterns = mem_text(r == TABLE_FOUND ? buf_text(&value) : "");
	table_list_free(&l);
	buf_fini(&value);
	buf_fini(&error);
	return patterns;
}

/* "user+ext@domain" without "+ext". */
static bool
is_address(struct span pattern, struct span sender, const char *delimiters)
{
	struct span local = span_take(sender, span_rfind(sender, '@'));
	struct span rest = span_skip(sender, local.n);
	size_t n = table_extension(local, delimiters);

	if (span_equal_nocase(pattern, sender))
		return true;
	return pattern.n == n + rest.n &&
	    span_equal_nocase(span_take(pattern, n), span_take(local, n)) &&
	    span_equal_nocase(span_skip(pattern, n), rest);
}

static bool
matches(struct span pattern, struct span sender, const char *delimiters)
{
	if (span_is(pattern, "*"))
		return true;
	if (pattern.n > 1 && pattern.p[0] == '@')
		return span_equal_nocase(pattern,
		    span_skip(sender, span_rfind(sender, '@')));
	return is_address(pattern, sender, delimiters);
}

bool
login_sender_allowed(const char *patterns, const char *sender,
    const char *empty, const char *delimiters)
{
	struct span rest = span_of(patterns), word;
	struct span as = span_of(sender[0] == '\0' ? empty : sender);

	while (span_cut(&rest, ", \t\r\n", true, &word))
		if (word.n > 0 && matches(word, as, delimiters))
			return true;
	return false;
}
