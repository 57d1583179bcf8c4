/* SPDX-License-Identifier: ISC */
/*
 * An account as a table answers it. Pure.
 *
 * SECURITY. A password may be any text that its owner has chosen, where the
 * table keeps it as it is: so nothing behind "password=" is looked at, and
 * nobody can write himself another uid.
 */
#include "auth/passwd_file.h"

#include <stddef.h>
#include <string.h>

#define PASSWORD "password"

static const struct {
	const char *name;
	bool userdb; /* "userdb_" may stand before it, as Dovecot has it */
} names[] = {
#define ACCOUNT_FIELD(name, userdb) { name, userdb },
#include "auth/account_fields.def"
#undef ACCOUNT_FIELD
};

enum { NAMES = sizeof(names) / sizeof(names[0]) };

/* Which of the names the text begins with; *n: with its "=". */
static size_t
known_name(struct span text, size_t *n)
{
	static const char userdb[] = "userdb_";
	bool prefixed = span_starts(text, userdb);
	size_t skip = prefixed ? sizeof(userdb) - 1 : 0, i = 0;

	text = span_skip(text, skip);
	for (; i < NAMES; i++) {
		size_t length = strlen(names[i].name);

		if ((!prefixed || names[i].userdb) && text.n > length &&
		    text.p[length] == '=' && span_starts(text, names[i].name)) {
			*n = skip + length + 1;
			break;
		}
	}
	return i;
}

/* Up to a comma with another name behind it. */
static size_t
value_length(struct span text)
{
	size_t n = 0, unused;

	while (n < text.n &&
	    (text.p[n] != ',' ||
		known_name(span_skip(text, n + 1), &unused) == NAMES))
		n++;
	return n;
}

/* As databases write a boolean. */
static bool
is_no(struct span value)
{
	static const char *const words[] = { "", "0", "n", "no", "f", "false" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is_nocase(value, words[i]))
			return true;
	return false;
}

static const char *
take(const char *name, struct span value, struct arena *a,
    struct passwd_entry *out)
{
	if (strcmp(name, "uid") == 0)
		out->uid = arena_span(a, value);
	else if (strcmp(name, "gid") == 0)
		out->gid = arena_span(a, value);
	else if (strcmp(name, "home") == 0)
		out->home = arena_span(a, value);
	else if (strcmp(name, "nologin") == 0)
		out->nologin = out->nologin || !is_no(value);
	else if (value.n > 0)
		return passwd_word(span_of(name), value, a, out);
	return NULL;
}

void
account_text_parse(const char *user, struct span text, struct arena *a,
    struct passwd_entry *out, const char **error)
{
	size_t n = 0, i;

	*error = NULL;
	*out = (struct passwd_entry){ user, "", "", "", "", "", "", "", false };
	while (text.n > 0 && (i = known_name(text, &n)) < NAMES &&
	    strcmp(names[i].name, PASSWORD) != 0) {
		struct span value = span_skip(text, n);
		const char *one;

		value = span_take(value, value_length(value));
		one = take(names[i].name, span_trim(value), a, out);
		if (one != NULL)
			*error = one;
		text = span_skip(text, n + value.n);
		if (text.n == 0)
			return;
		text = span_skip(text, 1);
	}
	if (known_name(text, &n) < NAMES)
		text = span_skip(text, n);
	out->password = arena_span(a, text);
}
