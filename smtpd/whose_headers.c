/* SPDX-License-Identifier: ISC */
#include "smtpd/whose_headers.h"

#include <stdlib.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "smtpd/ask.h"
#include "smtpd/session.h"

static const char setting[] = "local_header_rewrite_clients";

static enum table_result
in_interfaces(struct session *s)
{
	struct evaluation e = { .s = s };

	return check_inet_interfaces(&e, NULL) == PERMIT ? TABLE_FOUND :
							   TABLE_NONE;
}

static enum table_result
in_mynetworks(struct session *s)
{
	if (s->client.mynetworks_trouble)
		return TABLE_AGAIN; /* logged when it connected */
	return s->client.mynetworks ? TABLE_FOUND : TABLE_NONE;
}

static enum table_result
logged_in(struct session *s)
{
	return s->user != NULL ? TABLE_FOUND : TABLE_NONE;
}

static enum table_result
has_address(struct session *s, struct span table)
{
	struct span key = span_of(s->client.address_text);
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r;
	char *name;

	/* everybody: no table knows better, nor may one be down */
	if (span_starts(table, "static:"))
		return TABLE_FOUND;
	name = mem_span_text(table);
	r = ask_tables(name, &key, 1, &value);
	if (r != TABLE_FOUND && r != TABLE_NONE)
		log_warning("%s: %s: %s", setting, name, buf_text(&value));
	buf_fini(&value);
	free(name);
	return r;
}

/* What is no word of these and no table, check has named. */
static enum table_result
one(struct session *s, struct span word)
{
	static const struct {
		const char *word;
		enum table_result (*in)(struct session *s);
	} words[] = {
		{ "permit_inet_interfaces", in_interfaces },
		{ "permit_mynetworks", in_mynetworks },
		{ "permit_sasl_authenticated", logged_in },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is_nocase(word, words[i].word))
			return words[i].in(s);
	return span_find(word, ':') < word.n ? has_address(s, word) :
					       TABLE_NONE;
}

enum table_result
whose_headers_ours(struct session *s)
{
	struct span rest = span_of(s->p->local_header_rewrite_clients), word;
	enum table_result r = TABLE_NONE;

	while (r == TABLE_NONE && conf_list_next(&rest, &word))
		r = one(s, word);
	return r;
}
