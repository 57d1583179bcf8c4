/* SPDX-License-Identifier: ISC */
#include "lib/mail/status_filter.h"

#include <stdio.h>

#include "lib/log/log.h"

void
status_filter_key(const struct why *why, struct buf *key)
{
	buf_init(key, STATUS_FILTER_KEY_MAX);
	(void)buf_add_text(key, why->dsn);
	(void)buf_add_char(key, ' ');
	(void)buf_add_span(key,
	    span_take(span_of(why->text), STATUS_FILTER_KEY_MAX - key->n));
}

bool
status_filter_take(const char *setting, struct span answer, enum verdict *v,
    struct why *why)
{
	struct span rest = span_trim(answer), word;
	char dsn[WHY_DSN_MAX] = "";

	if (span_cut(&rest, " \t", true, &word))
		snprintf(dsn, sizeof(dsn), "%.*s", SPAN_ARG(word));
	rest = span_trim(rest);
	if (word.n >= sizeof(dsn) || !why_dsn_valid(dsn)) {
		log_warning("%s: \"%.*s\" begins with no status code: ignored",
		    setting, SPAN_ARG(span_take(answer, 200)));
		return false;
	}
	if ((dsn[0] == '2') != (*v == OK)) {
		log_warning("%s: \"%.*s\" would turn %s: ignored", setting,
		    SPAN_ARG(span_take(answer, 200)),
		    *v == OK ? "success into failure" : "failure into success");
		return false;
	}
	*v = dsn[0] == '2' ? OK : dsn[0] == '4' ? LATER : NEVER;
	snprintf(why->dsn, sizeof(why->dsn), "%s", dsn);
	if (rest.n > 0) /* else the text stays */
		snprintf(why->text, sizeof(why->text), "%.*s",
		    (int)(rest.n < WHY_TEXT_MAX ? rest.n : WHY_TEXT_MAX - 1),
		    rest.p);
	return true;
}
