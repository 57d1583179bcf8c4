/* SPDX-License-Identifier: ISC */
#include "imapd/acl_list.h"

#include <string.h>

static const char letters[] = ACL_LETTERS;

enum { LETTERS = sizeof(letters) - 1, REST_MAX = 65536 };

/* Of the file; the rest of Dovecot's words are letters as well. */
static const struct {
	const char *word;
	char letter;
} words[] = {
#define GROUP(...)
#define EVERY(...)
#define RIGHT(word, letter) { word, letter },
#include "imapd/acl_words.def"
#undef RIGHT
#undef GROUP
#undef EVERY
};

static const struct {
	const char *file, *imap;
} prefixes[] = {
#define RIGHT(...)
#define EVERY(...)
#define GROUP(file, imap) { file, imap },
#include "imapd/acl_words.def"
#undef RIGHT
#undef GROUP
#undef EVERY
};

static const char *const whole[] = {
#define RIGHT(...)
#define GROUP(...)
#define EVERY(word) word,
#include "imapd/acl_words.def"
#undef RIGHT
#undef GROUP
#undef EVERY
};

enum {
	WORDS = sizeof(words) / sizeof(words[0]),
	PREFIXES = sizeof(prefixes) / sizeof(prefixes[0]),
	WHOLE = sizeof(whole) / sizeof(whole[0]),
};

static unsigned int
bit_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(letters, c);

	return at == NULL ? 0 : 1u << (at - letters);
}

bool
acl_rights_parse(struct span text, unsigned int *out)
{
	unsigned int rights = 0, bit;

	for (size_t i = 0; i < text.n; i++) {
		bit = text.p[i] == 'c' ? bit_of('k') | bit_of('x') :
		    text.p[i] == 'd'   ? bit_of('e') | bit_of('t') :
					 bit_of(text.p[i]);
		if (bit == 0)
			return false;
		rights |= bit;
	}
	*out = rights;
	return true;
}

static void
write_letters(unsigned int rights, struct buf *out)
{
	for (size_t i = 0; i < LETTERS; i++)
		if ((rights >> i & 1) != 0)
			buf_add_char(out, letters[i]);
}

void
acl_rights_write(unsigned int rights, struct buf *out)
{
	write_letters(rights, out);
	if ((rights & (bit_of('k') | bit_of('x'))) != 0)
		buf_add_char(out, 'c');
	if ((rights & (bit_of('e') | bit_of('t'))) != 0)
		buf_add_char(out, 'd');
}

static struct span
without_sign(struct span who)
{
	return span_starts(who, "-") ? span_skip(who, 1) : who;
}

/* How long is what says that it is a group? */
static size_t
group_sign(struct span bare)
{
	return span_starts(bare, "!$") ? 2 : span_starts(bare, "$") ? 1 : 0;
}

/* What stands behind the kind. */
static bool
name_valid(struct span name)
{
	if (name.n == 0 || name.n > ACL_WHO_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f ||
		    name.p[i] == '"' || name.p[i] == '\\')
			return false;
	return true;
}

bool
acl_who_valid(struct span who)
{
	struct span bare = without_sign(who);

	return bare.n <= ACL_WHO_MAX && !span_starts(bare, "-") &&
	    name_valid(span_skip(bare, group_sign(bare)));
}

const char *
acl_who_kept(struct span who, struct arena *arena)
{
	char *text = arena_span(arena, who);

	for (char *c = text; group_sign(without_sign(who)) == 0 && *c != '\0';
	     c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return text;
}

/*
 * "user=fred" to "fred"; NULL: of another kind, or an identifier that can not
 * be told apart from one of another kind.
 */
static const char *
who_of(struct span file, struct arena *arena)
{
	const char *sign = "";

	if (file.n > 0 && file.p[0] == '-') {
		sign = "-";
		file = span_skip(file, 1);
	}
	for (size_t i = 0; i < WHOLE; i++)
		if (span_is(file, whole[i]))
			return arena_printf(arena, "%s%s", sign, whole[i]);
	for (size_t i = 0; i < PREFIXES; i++) {
		struct span name;
		const char *who;

		if (!span_starts(file, prefixes[i].file))
			continue;
		name = span_skip(file, strlen(prefixes[i].file));
		who = arena_printf(arena, "%s%s%.*s", sign, prefixes[i].imap,
		    SPAN_ARG(name));
		who = acl_who_kept(span_of(who), arena);
		/* nobody is everybody by being called so */
		if (!acl_who_valid(span_of(who)) ||
		    (i == 0 &&
			(span_starts(name, "-") ||
			    acl_who_special(span_of(who)))))
			return NULL;
		return who;
	}
	return NULL;
}

static bool
take_words(struct span text, unsigned int *rights)
{
	struct span one;

	while (span_cut(&text, " \t", true, &one)) {
		unsigned int bit = 0;

		for (size_t i = 0; i < WORDS; i++)
			if (span_is(one, words[i].word))
				bit = bit_of(words[i].letter);
		if (bit == 0 && one.n > 0)
			return false;
		*rights |= bit;
	}
	return true;
}

/* "lrs :expunge" */
static bool
take_rights(struct span text, unsigned int *rights)
{
	size_t colon = span_find(text, ':');
	struct span named =
	    colon < text.n ? span_skip(text, colon + 1) : SPAN("");

	*rights = 0;
	return acl_rights_parse(span_trim(span_take(text, colon)), rights) &&
	    take_words(named, rights);
}

/* The identifier may be in quotes, where it has blanks. */
static bool
take_line(struct acl_list *l, struct span line)
{
	struct span file, rest;
	struct acl_entry *e;
	unsigned int rights;
	const char *who;
	size_t end;

	if (line.n > 0 && line.p[0] == '"') {
		line = span_skip(line, 1);
		end = span_find(line, '"');
		file = span_take(line, end);
		rest = span_skip(line, end < line.n ? end + 1 : end);
	} else {
		end = span_find(line, ' ');
		file = span_take(line, end);
		rest = span_skip(line, end);
	}
	who = who_of(file, l->arena);
	if (who == NULL || !take_rights(rest, &rights))
		return false;
	/* -user=Fred and -user=fred: what either takes is taken */
	e = who[0] == '-' ? acl_list_find(l, span_of(who)) : NULL;
	if (e != NULL)
		rights |= e->rights;
	acl_list_set(l, span_of(who), rights);
	return true;
}

void
acl_list_parse(struct span text, struct arena *arena, struct acl_list *l)
{
	struct span line;

	*l = (struct acl_list){ .arena = arena, .rest = BUF_INIT(REST_MAX) };
	while (span_cut(&text, "\n", true, &line)) {
		line = span_trim(line);
		if (line.n == 0 || (line.p[0] != '#' && take_line(l, line)))
			continue;
		l->doubtful = l->doubtful || line.p[0] != '#';
		buf_add_span(&l->rest, line);
		buf_add_char(&l->rest, '\n');
	}
}

void
acl_list_fini(struct acl_list *l)
{
	buf_fini(&l->rest);
}

struct acl_entry *
acl_list_find(const struct acl_list *l, struct span who)
{
	for (struct acl_entry *e = l->first; e != NULL; e = e->next)
		if (span_is(who, e->who))
			return e;
	return NULL;
}

void
acl_list_set(struct acl_list *l, struct span who, unsigned int rights)
{
	struct acl_entry **at = &l->first;

	while (*at != NULL && !span_is(who, (*at)->who))
		at = &(*at)->next;
	if (*at == NULL) {
		*at = arena_alloc(l->arena, sizeof(**at));
		(*at)->who = arena_span(l->arena, who);
	}
	(*at)->rights = rights;
}

void
acl_list_remove(struct acl_list *l, struct span who)
{
	struct acl_entry **at = &l->first;

	while (*at != NULL && !span_is(who, (*at)->who))
		at = &(*at)->next;
	if (*at != NULL)
		*at = (*at)->next;
}

bool
acl_who_is(const char *who, const char *user, const char *domain)
{
	size_t n = strlen(who);

	if (strcmp(who, user) == 0)
		return true;
	return domain != NULL && domain[0] != '\0' &&
	    strchr(who, '@') == NULL && strncmp(user, who, n) == 0 &&
	    user[n] == '@' && strcmp(user + n + 1, domain) == 0;
}

bool
acl_who_special(struct span who)
{
	who = without_sign(who);
	for (size_t i = 0; i < WHOLE; i++)
		if (span_is(who, whole[i]))
			return true;
	return group_sign(who) > 0;
}

enum { OF_NOBODY, OF_ANYONE, OF_AUTHENTICATED, OF_USER };

/* How close the entry is to the user. */
static int
closeness(const char *who, const char *user, const char *domain)
{
	/* an account of that name would be everybody */
	if (strcmp(who, "anyone") == 0)
		return OF_ANYONE;
	if (strcmp(who, "authenticated") == 0)
		return OF_AUTHENTICATED;
	return !acl_who_special(span_of(who)) && acl_who_is(who, user, domain) ?
	    OF_USER :
	    OF_NOBODY;
}

unsigned int
acl_list_rights(const struct acl_list *l, const char *user, const char *domain)
{
	unsigned int given[OF_USER + 1] = { 0 }, taken = 0;
	bool has[OF_USER + 1] = { false };
	int level = OF_USER;

	if (l->doubtful)
		return 0;
	for (const struct acl_entry *e = l->first; e != NULL; e = e->next) {
		const char *bare = e->who[0] == '-' ? e->who + 1 : e->who;
		int close = closeness(bare, user, domain);
		size_t group = group_sign(span_of(bare));

		if (bare > e->who && (close != OF_NOBODY || group > 0)) {
			taken |= e->rights;
		} else if (group == 2) {
			taken |= ACL_ALL & ~e->rights;
		} else if (bare == e->who) {
			given[close] |= e->rights;
			has[close] = true;
		}
	}
	while (level > OF_NOBODY && !has[level])
		level--;
	return level == OF_NOBODY ? 0 : given[level] & ~taken;
}

static void
write_who(const char *who, struct buf *out)
{
	const char *bare = who[0] == '-' ? who + 1 : who;
	const char *quote = strchr(who, ' ') != NULL ? "\"" : "";
	size_t kind = 0;

	buf_printf(out, "%s%s", quote, bare > who ? "-" : "");
	for (size_t i = 0; i < WHOLE; i++)
		if (strcmp(bare, whole[i]) == 0) {
			buf_printf(out, "%s%s", bare, quote);
			return;
		}
	for (size_t i = 1; i < PREFIXES; i++)
		if (span_starts(span_of(bare), prefixes[i].imap))
			kind = i;
	buf_printf(out, "%s%s%s", prefixes[kind].file,
	    bare + strlen(prefixes[kind].imap), quote);
}

void
acl_list_write(const struct acl_list *l, struct buf *out)
{
	for (const struct acl_entry *e = l->first; e != NULL; e = e->next) {
		write_who(e->who, out);
		buf_add_char(out, ' ');
		write_letters(e->rights, out);
		buf_add_char(out, '\n');
	}
	buf_add_span(out, buf_span(&l->rest));
}
