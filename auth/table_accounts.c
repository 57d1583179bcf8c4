/* SPDX-License-Identifier: ISC */
#include "auth/table_accounts.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/table/table.h"

enum { KEPT = 16, KEEP_MS = 1000 };

/* An answer; without memory there is none. */
struct kept {
	struct arena *memory;
	bool found;
	struct passwd_entry entry; /* user: the name, found or not */
	int64_t until;
};

struct table_accounts {
	struct table *table;
	struct kept kept[KEPT];
	size_t next; /* the oldest */
	char *sample;
};

struct table_accounts *
table_accounts_new(struct span spec, struct buf *error)
{
	/* what an answer says, a stranger's name must not be part of */
	struct table *table =
	    table_open_flags(spec, TABLE_NO_SUBSTITUTION, error);
	struct table_accounts *t;

	if (table == NULL)
		return NULL;
	t = mem_new(sizeof(*t));
	t->table = table;
	return t;
}

static void
forget(struct kept *k)
{
	if (k->memory != NULL)
		arena_wipe(k->memory);
	arena_free(&k->memory);
}

static void
wipe(char *text)
{
	if (text != NULL)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

void
table_accounts_free(struct table_accounts **tp)
{
	struct table_accounts *t = *tp;

	*tp = NULL;
	if (t == NULL)
		return;
	for (size_t i = 0; i < KEPT; i++)
		forget(&t->kept[i]);
	wipe(t->sample);
	table_free(&t->table);
	free(t);
}

static const struct kept *
look(const struct table_accounts *t, const char *name)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < KEPT; i++)
		if (t->kept[i].memory != NULL && now < t->kept[i].until &&
		    strcmp(t->kept[i].entry.user, name) == 0)
			return &t->kept[i];
	return NULL;
}

static void
take(struct table_accounts *t, struct kept *k, struct span text)
{
	const char *user = k->entry.user, *error;

	account_text_parse(user, text, k->memory, &k->entry, &error);
	if (error != NULL)
		log_warning("%s: account %s %s", table_name(t->table), user,
		    error);
	if (k->entry.password[0] == '\0')
		return;
	wipe(t->sample);
	t->sample = mem_text(k->entry.password);
}

static const struct kept *
keep(struct table_accounts *t, const char *name, bool found, struct span text)
{
	struct kept *k = &t->kept[t->next];

	t->next = (t->next + 1) % KEPT;
	forget(k);
	k->memory = arena_new();
	k->found = found;
	k->until = clock_ms() + KEEP_MS;
	k->entry = (struct passwd_entry){ .user = arena_text(k->memory, name) };
	if (found)
		take(t, k, text);
	return k;
}

/* NULL: it cannot be had. */
static const struct kept *
ask(struct table_accounts *t, const char *name)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	const struct kept *k = NULL;
	enum table_result r = table_lookup(t->table, span_of(name), &value);

	if (r != TABLE_FOUND && r != TABLE_NONE)
		log_warning("%s lookup error: %s", table_name(t->table),
		    buf_text(&value));
	else if (r == TABLE_FOUND &&
	    span_find(buf_span(&value), '\0') < value.n)
		log_warning("%s: account %s has a NUL", table_name(t->table),
		    name);
	else
		k = keep(t, name, r == TABLE_FOUND, buf_span(&value));
	if (value.p != NULL)
		OPENSSL_cleanse(value.p, value.n);
	buf_fini(&value);
	return k;
}

enum passwd_result
table_accounts_find(struct table_accounts *t, const char *name,
    const struct passwd_entry **entry)
{
	const struct kept *k = look(t, name);

	if (k == NULL)
		k = ask(t, name);
	if (k == NULL)
		return PASSWD_UNREADABLE;
	if (!k->found)
		return PASSWD_NONE;
	*entry = &k->entry;
	return PASSWD_FOUND;
}

const char *
table_accounts_sample(const struct table_accounts *t)
{
	return t->sample;
}
