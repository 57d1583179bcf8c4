/* SPDX-License-Identifier: ISC */
/*
 * Any text as an expression, in settings that refer to one another: the first
 * line is expanded, the others are a main.cf.
 */
#include <string.h>

#include "lib/base/ensure.h"
#include "lib/conf/conf_parts.h"

struct names {
	size_t count, bytes;
};

static void
count(void *with, struct span name)
{
	struct names *n = with;

	n->count++;
	n->bytes += name.n;
}

static void
expand_and_scan(struct conf *c, const char *text)
{
	struct buf errors = BUF_INIT(1 << 20);
	struct names names = { 0 };
	const char *first = conf_expand(c, text, &errors), *again;
	bool scanned;

	/* a failure is explained, and a result is found again */
	ensure(first != NULL || errors.n > 0);
	ensure(first == NULL || strlen(first) <= CONF_VALUE_MAX);
	again = conf_expand(c, text, &errors);
	ensure((first == NULL) == (again == NULL));
	ensure(first == NULL || strcmp(first, again) == 0);
	buf_reset(&errors);
	scanned = conf_scan(c, text, count, &names, &errors);
	ensure(scanned == (errors.n == 0));
	/* each name stands in the text, behind a "$" */
	ensure(names.bytes + names.count <= strlen(text));
	if (strchr(text, '$') == NULL)
		ensure(strcmp(first, text) == 0 && names.count == 0);
	buf_fini(&errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span all = { (const char *)data, size }, text;
	struct buf errors = BUF_INIT(1 << 20);
	struct conf *c;

	if (size > 1 << 14 || memchr(data, '\0', size) != NULL)
		return 0;
	text = span_take(all, span_find(all, '\n'));
	c = conf_new("/nowhere");
	conf_parse(c, span_skip(all, text.n + 1), "main.cf", &errors, NULL);
	/* keep the name service and files out of it */
	conf_set(c, SPAN("myhostname"), SPAN("h.test"), "fuzz");
	conf_set(c, SPAN("mynetworks"), SPAN("::1"), "fuzz");
	conf_set(c, SPAN("inet_interfaces"), SPAN("all"), "fuzz");
	conf_set(c, SPAN("myorigin"), SPAN("$myhostname"), "fuzz");
	expand_and_scan(c, arena_span(c->arena, text));
	conf_free(&c);
	buf_fini(&errors);
	return 0;
}
