/* SPDX-License-Identifier: ISC */
/* Several tables in a row; and addresses looked up in them, part by part. */
#include "lib/table/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/table/words.h"

struct table_list {
	struct table **tables;
	size_t count;
};

struct table_list *
table_list_open_flags(const char *specs, unsigned int flags, struct buf *error)
{
	struct table_list *l = mem_new(sizeof(*l));
	struct span rest = span_of(specs);
	struct span word;

	while (words_next(&rest, &word)) {
		struct table *t = table_open_flags(word, flags, error);

		if (t == NULL) {
			table_list_free(&l);
			return NULL;
		}
		l->tables = mem_resize(l->tables,
		    (l->count + 1) * sizeof(struct table *));
		l->tables[l->count++] = t;
	}
	return l;
}

struct table_list *
table_list_open(const char *specs, struct buf *error)
{
	return table_list_open_flags(specs, 0, error);
}

void
table_list_free(struct table_list **l)
{
	if (*l == NULL)
		return;
	for (size_t i = 0; i < (*l)->count; i++)
		table_free(&(*l)->tables[i]);
	free((*l)->tables);
	free(*l);
	*l = NULL;
}

bool
table_list_empty(const struct table_list *l)
{
	return l == NULL || l->count == 0;
}

static enum table_result
lookup(struct table_list *l, struct span key, bool partial, struct buf *value)
{
	buf_reset(value);
	for (size_t i = 0; l != NULL && i < l->count; i++) {
		enum table_result r;

		if (partial && !table_takes_partial(l->tables[i]))
			continue;
		r = table_lookup(l->tables[i], key, value);
		if (r != TABLE_NONE)
			return r;
	}
	return TABLE_NONE;
}

enum table_result
table_list_lookup(struct table_list *l, struct span key, struct buf *value)
{
	return lookup(l, key, false, value);
}

enum table_result
table_list_lookup_partial(struct table_list *l, struct span key,
    struct buf *value)
{
	return lookup(l, key, true, value);
}

static bool owner_special = true;

void
table_owner_request_special(bool on)
{
	owner_special = on;
}

size_t
table_extension(struct span user, const char *delimiter)
{
	if (delimiter == NULL || *delimiter == '\0')
		return user.n;
	/* names that have delimiters of their own */
	if (span_is_nocase(user, "mailer-daemon") ||
	    span_is_nocase(user, "double-bounce"))
		return user.n;
	if (owner_special && strchr(delimiter, '-') != NULL &&
	    (span_starts_nocase(user, "owner-") ||
		span_ends_nocase(user, "-request")))
		return user.n;
	for (size_t i = 1; i < user.n; i++)
		if (user.p[i] != '\0' && strchr(delimiter, user.p[i]) != NULL)
			return i;
	return user.n;
}

size_t
table_address_keys(struct span address, const char *delimiter,
    bool local_domain, struct table_key keys[TABLE_ADDRESS_KEYS],
    struct buf *text)
{
	size_t at = span_rfind(address, '@');
	struct span user = span_take(address, at);
	struct span domain = span_skip(address, at); /* "@domain" */
	struct span bare = span_take(user, table_extension(user, delimiter));
	size_t extension = user.n - bare.n;
	size_t n = 0;

	keys[n++] = (struct table_key){ address, 0 };
	buf_reset(text);
	if (domain.n > 0 && extension > 0 && buf_add_span(text, bare) &&
	    buf_add_span(text, domain))
		keys[n++] = (struct table_key){ buf_span(text), extension };
	if (domain.n > 0 && local_domain && user.n > 0)
		keys[n++] = (struct table_key){ user, 0 };
	if ((domain.n == 0 || local_domain) && extension > 0)
		keys[n++] = (struct table_key){ bare, extension };
	if (domain.n > 0)
		keys[n++] = (struct table_key){ domain, 0 };
	return n;
}

enum table_result
table_list_lookup_address(struct table_list *l, struct span address,
    const char *delimiter, bool local_domain, struct buf *value,
    struct buf *extension)
{
	struct buf text = BUF_INIT(TABLE_KEY_MAX);
	struct table_key keys[TABLE_ADDRESS_KEYS];
	size_t count =
	    table_address_keys(address, delimiter, local_domain, keys, &text);
	size_t user = span_rfind(address, '@');
	enum table_result r = TABLE_NONE;

	buf_reset(extension);
	for (size_t i = 0; i < count && r == TABLE_NONE; i++) {
		r = lookup(l, keys[i].key, i > 0, value);
		if (r == TABLE_FOUND)
			buf_add_span(extension,
			    span_skip(span_take(address, user),
				user - keys[i].left_out));
	}
	buf_fini(&text);
	return r;
}
