/* SPDX-License-Identifier: ISC */
#include "smtpd/xforward.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/mail/reply.h"
#include "smtpd/attributes.h"

struct forwarded {
	struct attributes said;
	char client[2 * ATTRIBUTE_MAX + 4]; /* "name[address]" or "" */
};

static const char *
text_of(const struct forwarded *f, enum attribute_index i)
{
	const struct attribute *a = &f->said.list[i];

	return a->given && !a->unavailable ? a->text : "unknown";
}

static bool
told(const struct forwarded *f, enum attribute_index i)
{
	return f != NULL && f->said.list[i].given;
}

void
forwarded_origin(const struct forwarded *f, char out[FORWARDED_ORIGIN_MAX])
{
	bool id = told(f, ATTRIBUTE_IDENT) &&
	    !f->said.list[ATTRIBUTE_IDENT].unavailable;
	bool client = f != NULL && f->client[0] != '\0';

	snprintf(out, FORWARDED_ORIGIN_MAX, "%s%s%s%s",
	    id ? ", orig_queue_id=" : "", id ? text_of(f, ATTRIBUTE_IDENT) : "",
	    client ? ", orig_client=" : "", client ? f->client : "");
}

const char *
forwarded_client(const struct forwarded *f, const char *otherwise)
{
	return f != NULL && f->client[0] != '\0' ? f->client : otherwise;
}

bool
forwarded_trusted(const struct forwarded *f, bool otherwise)
{
	if (!told(f, ATTRIBUTE_SOURCE) ||
	    f->said.list[ATTRIBUTE_SOURCE].unavailable)
		return otherwise;
	return span_is_nocase(span_of(text_of(f, ATTRIBUTE_SOURCE)), "LOCAL");
}

/* Several commands may say one thing each. */
static void
take(struct session *s, const struct attributes *said)
{
	struct forwarded *f = s->forwarded;

	if (f == NULL)
		f = s->forwarded = mem_new(sizeof(*f));
	for (int i = 0; i < ATTRIBUTE_COUNT; i++)
		if (said->list[i].given)
			f->said.list[i] = said->list[i];
	if (told(f, ATTRIBUTE_NAME) || told(f, ATTRIBUTE_ADDR))
		snprintf(f->client, sizeof(f->client), "%s[%s]",
		    text_of(f, ATTRIBUTE_NAME), text_of(f, ATTRIBUTE_ADDR));
}

static struct mem_pool parsed = MEM_POOL(struct attributes);

void
verb_xforward(struct session *s, struct span arguments)
{
	struct attributes *said = mem_pool_get(&parsed);
	struct buf reply = BUF_INIT(REPLY_LINE_MAX);

	if (!s->client.may_xforward) {
		say_no(s, 550, "5.7.0", "Error: insufficient authorization");
	} else if (!attributes_parse(arguments, FOR_XFORWARD, said, &reply)) {
		say_text(s, buf_text(&reply));
	} else {
		take(s, said);
		say(s, 250, "2.0.0", "Ok");
	}
	buf_fini(&reply);
	mem_pool_put(&parsed, said);
}
