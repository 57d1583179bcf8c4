/* SPDX-License-Identifier: ISC */
#include "tools/postconf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/conf/conf_parts.h"
#include "lib/conf/master_cf.h"
#include "lib/log/log.h"

enum { FOLD_COLUMN = 80 };

struct names {
	const char **list;
	size_t count;
};

static void
add_name(struct names *n, const char *name)
{
	n->list = mem_resize(n->list, (n->count + 1) * sizeof(*n->list));
	n->list[n->count++] = name;
}

static void
add_set(void *with, const char *name, const char *raw, const char *origin)
{
	(void)raw;
	(void)origin;
	add_name(with, name);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void
sort(struct names *n)
{
	size_t kept = 0;

	if (n->count == 0)
		return;
	qsort(n->list, n->count, sizeof(*n->list), by_name);
	for (size_t i = 0; i < n->count; i++)
		if (kept == 0 || strcmp(n->list[kept - 1], n->list[i]) != 0)
			n->list[kept++] = n->list[i];
	n->count = kept;
}

/* "name = value" with words beyond the column on lines of their own. */
static void
print_folded(const char *name, const char *value)
{
	struct span rest = span_of(value), word;
	size_t column = strlen(name) + 2;

	printf("%s =", name);
	while (span_cut(&rest, " \t", true, &word)) {
		if (column + 1 + word.n > FOLD_COLUMN && column > 4) {
			printf("\n    %.*s", SPAN_ARG(word));
			column = 4 + word.n;
		} else {
			printf(" %.*s", SPAN_ARG(word));
			column += 1 + word.n;
		}
	}
	putchar('\n');
}

void
postconf_print(const struct postconf *p, const char *name, const char *value)
{
	if (p->no_value)
		printf("%s\n", name);
	else if (p->no_name)
		printf("%s\n", value);
	else if (p->fold)
		print_folded(name, value);
	else
		printf("%s =%s%s\n", name, value[0] != '\0' ? " " : "", value);
}

/* NULL when nothing of that name exists. */
static const char *
value_of(struct postconf *p, const char *name)
{
	const char *text = NULL, *value;
	struct buf error = BUF_INIT(4096);

	if (!p->defaults)
		text = conf_raw(p->conf, name);
	if (text == NULL)
		text = conf_fallback(p->conf, name);
	if (text == NULL || !p->expand)
		return text;
	value = conf_expand(p->conf, text, &error);
	if (value == NULL)
		log_warning("%s: %s: %.*s", conf_origin(p->conf, name), name,
		    SPAN_ARG(span_trim(buf_span(&error))));
	buf_fini(&error);
	return value != NULL ? value : text;
}

static void
list_named(struct postconf *p, char **names)
{
	for (; *names != NULL; names++) {
		const char *value = value_of(p, *names);

		if (value != NULL &&
		    (!p->changed_only || conf_raw(p->conf, *names) != NULL)) {
			postconf_print(p, *names, value);
		} else if (value == NULL) {
			/* no failure, as scripts have known it for long */
			log_warning("%s: unknown parameter", *names);
		}
	}
}

static void
all_names(struct postconf *p, struct names *n)
{
	for (const struct param_group *const *g = param_groups; *g; g++)
		for (size_t i = 0; i < (*g)->count; i++)
			add_name(n, (*g)->params[i].name);
	if (!p->defaults)
		conf_each(p->conf, add_set, n);
}

/* Names nobody knows or uses, and what else is wrong with main.cf. */
static void
warn(struct postconf *p)
{
	struct buf errors = BUF_INIT(1 << 20);
	struct master_cf *cf;
	struct span rest, line;

	cf = master_cf_read(p->directory, p->conf, &errors, NULL);
	if (cf != NULL) {
		master_cf_mention(cf, p->conf);
		master_cf_free(&cf);
	}
	buf_reset(&errors); /* of master.cf: -M tells */
	conf_check(p->conf, &errors, NULL);
	rest = buf_span(&errors);
	while (span_cut(&rest, "\n", true, &line))
		log_warning("%s/%.*s", p->directory, SPAN_ARG(line));
	buf_fini(&errors);
}

void
postconf_list(struct postconf *p, char **names)
{
	struct names n = { 0 };

	if (*names != NULL) {
		list_named(p, names);
		return;
	}
	if (p->changed_only)
		conf_each(p->conf, add_set, &n);
	else
		all_names(p, &n);
	sort(&n);
	for (size_t i = 0; i < n.count; i++)
		postconf_print(p, n.list[i], value_of(p, n.list[i]));
	free(n.list);
	fflush(stdout);
	if (!p->quiet && !p->defaults)
		warn(p);
}
