/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_account_location.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/beneath.h"

/* Behind a colon, or behind the key of an option: "...:INBOX=". */
static bool
begins_path(const char *pattern, const char *p)
{
	if (p == pattern || p[-1] == ':')
		return true;
	if (p[-1] != '=')
		return false;
	for (p--; p > pattern && p[-1] != ':'; p--)
		if (p[-1] < 'A' || p[-1] > 'Z')
			return false;
	return p > pattern;
}

void
mail_location_expand(const char *pattern, const char *user, const char *home,
    struct buf *out)
{
	struct span name = span_of(user);
	size_t at = span_find(name, '@');

	for (const char *p = pattern; *p != '\0'; p++) {
		if (*p == '~' && (p[1] == '/' || p[1] == ':' || p[1] == '\0') &&
		    begins_path(pattern, p)) {
			buf_add_text(out, home);
		} else if (*p != '%' || p[1] == '\0') {
			buf_add_char(out, *p);
		} else if (*++p == 'u') {
			buf_add_text(out, user);
		} else if (*p == 'n') {
			buf_add_span(out, span_take(name, at));
		} else if (*p == 'd') {
			if (at < name.n)
				buf_add_span(out, span_skip(name, at + 1));
		} else if (*p == 'h') {
			buf_add_text(out, home);
		} else {
			buf_add_char(out, *p);
		}
	}
}

typedef bool
take_option(struct mail_location *l, struct span value, struct why *why);

/* A directory; "MEMORY" of Dovecot is none. */
static bool
take_path(char **into, const char *key, struct span value, struct why *why)
{
	while (value.n > 1 && value.p[value.n - 1] == '/')
		value.n--;
	if (value.n == 0 || span_is(value, "MEMORY")) {
		why_set(why, "4.3.5", "mail location: %s=%.*s is no directory",
		    key, SPAN_ARG(value));
		return false;
	}
	free(*into);
	*into = mem_span_text(value);
	return true;
}

static bool
take_inbox(struct mail_location *l, struct span value, struct why *why)
{
	return take_path(&l->inbox, "INBOX", value, why);
}

static bool
take_control(struct mail_location *l, struct span value, struct why *why)
{
	return take_path(&l->control, "CONTROL", value, why);
}

static bool
take_index(struct mail_location *l, struct span value, struct why *why)
{
	return take_path(&l->index, "INDEX", value, why);
}

/* A file name beside the mail, no path. */
static bool
take_subscriptions(struct mail_location *l, struct span value, struct why *why)
{
	if (value.n == 0 || value.n > 200 || value.p[0] == '.' ||
	    span_find(value, '/') < value.n || span_has_break(value)) {
		why_set(why, "4.3.5",
		    "mail location: SUBSCRIPTIONS=%.*s is no file name",
		    SPAN_ARG(value));
		return false;
	}
	free(l->subscriptions);
	l->subscriptions = mem_span_text(value);
	return true;
}

static bool
take_layout(struct mail_location *l, struct span value, struct why *why)
{
	l->naming.fs = span_is_nocase(value, "fs");
	if (l->naming.fs || span_is_nocase(value, "maildir++"))
		return true;
	why_set(why, "4.3.5", "mail location: LAYOUT=%.*s is not known",
	    SPAN_ARG(value));
	return false;
}

static bool
take_utf8(struct mail_location *l, struct span value, struct why *why)
{
	(void)value, (void)why;
	l->naming.utf8 = true;
	return true;
}

/* NULL: accepted, and of no meaning here. */
static const struct {
	const char *key;
	take_option *take;
} options[] = {
	{ "INBOX", take_inbox },
	{ "CONTROL", take_control },
	{ "INDEX", take_index },
	{ "LAYOUT", take_layout },
	{ "SUBSCRIPTIONS", take_subscriptions },
	{ "UTF-8", take_utf8 },
	{ "VOLATILEDIR", NULL },
	{ "LISTINDEX", NULL },
	{ "ITERINDEX", NULL },
	{ "NO-NOSELECT", NULL },
	{ "KEEP-NOSELECT", NULL },
	{ "ALT", NULL },
	{ "NOALT", NULL },
};

static bool
take(struct mail_location *l, struct span option, struct why *why)
{
	size_t equals = span_find(option, '=');
	struct span key = span_take(option, equals);

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		if (span_is_nocase(key, options[i].key))
			return options[i].take == NULL ||
			    options[i].take(l, span_skip(option, equals + 1),
				why);
	why_set(why, "4.3.5", "mail location: option %.*s is not supported",
	    SPAN_ARG(key));
	return false;
}

static bool
parse(struct span rest, struct mail_location *l, struct why *why)
{
	struct span part;

	if (span_starts(rest, "maildir:")) {
		rest = span_skip(rest, 8);
	} else if (span_starts(rest, "mbox:")) {
		rest = span_skip(rest, 5);
		l->mbox = true;
	} else {
		why_set(why, "4.3.5", "mail location \"%.*s\" is not supported",
		    SPAN_ARG(rest));
		return false;
	}
	if (!span_cut(&rest, ":", false, &part) ||
	    !take_path(&l->path, "path", part, why)) {
		why_set(why, "4.3.5", "mail location has no path");
		return false;
	}
	while (span_cut(&rest, ":", false, &part))
		if (part.n > 0 && !take(l, part, why))
			return false;
	/* files and directories are the folders' tree */
	l->naming.fs |= l->mbox;
	l->naming.mbox = l->mbox;
	return true;
}

bool
mail_location_parse(const char *text, struct mail_location *out,
    struct why *why)
{
	memset(out, 0, sizeof(*out));
	why_clear(why);
	if (parse(span_of(text), out, why))
		return true;
	mail_location_fini(out);
	return false;
}

void
mail_location_fini(struct mail_location *l)
{
	free(l->path);
	free(l->inbox);
	free(l->control);
	free(l->index);
	free(l->subscriptions);
	memset(l, 0, sizeof(*l));
}

/* What remains of the path below the directory; NULL: it is not below. */
static const char *
below(const char *path, const char *directory)
{
	size_t n = strlen(directory);

	if (strncmp(path, directory, n) != 0)
		return NULL;
	if (n > 0 && directory[n - 1] != '/') {
		if (path[n] != '/')
			return path[n] == '\0' ? "." : NULL;
		n++;
	}
	return beneath_valid(path + n) ? path + n : NULL;
}

static bool
add_option(const char *key, const char *path, const char *directory,
    struct buf *out, struct why *why)
{
	const char *rest;

	if (path == NULL)
		return true;
	rest = below(path, directory);
	if (rest == NULL) {
		why_set(why, "4.3.5",
		    "mail location: %s=%s is not below %s, which a session"
		    " cannot leave",
		    key, path, directory);
		return false;
	}
	buf_printf(out, ":%s=%s", key, rest);
	return true;
}

static void
add_naming(const struct mail_location *l, struct buf *out)
{
	if (l->naming.fs)
		buf_add_text(out, ":LAYOUT=fs");
	if (l->naming.utf8)
		buf_add_text(out, ":UTF-8");
	if (l->subscriptions != NULL)
		buf_printf(out, ":SUBSCRIPTIONS=%s", l->subscriptions);
}

/*
 * INBOX comes from the process that opens it. Index and lists are in the
 * mail's directory, whatever Dovecot is told of its own.
 */
static bool
confine_mbox(struct mail_location *l, char **directory, char **inside)
{
	struct buf out = BUF_INIT(8192);

	buf_add_text(&out, "mbox:.");
	l->naming.fs = false; /* goes without saying */
	add_naming(l, &out);
	*directory = l->inbox == NULL ? NULL : mem_text(l->path);
	*inside = mem_text(buf_text(&out));
	buf_fini(&out);
	mail_location_fini(l);
	return true;
}

char *
mail_location_mbox(const char *text)
{
	struct mail_location l;
	const char *path;
	char *file = NULL;
	struct why why;

	if (strncmp(text, "mbox:", 5) != 0 ||
	    !mail_location_parse(text, &l, &why))
		return NULL;
	path = l.inbox == NULL ? l.path : l.inbox;
	if (path[0] == '/' && path[1] != '\0' && path[strlen(path) - 1] != '/')
		file = mem_text(path);
	mail_location_fini(&l);
	return file;
}

static bool
confine(const char *text, bool inbox_alone, char **directory, char **inside,
    struct why *why)
{
	struct buf out = BUF_INIT(8192);
	struct mail_location l;
	bool good;

	if (!mail_location_parse(text, &l, why))
		return false;
	if (inbox_alone && l.inbox != NULL) {
		free(l.path);
		l.path = l.inbox;
		l.inbox = NULL;
	}
	if (l.mbox)
		return confine_mbox(&l, directory, inside);
	buf_add_text(&out, "maildir:.");
	add_naming(&l, &out);
	if (l.index != NULL && below(l.index, l.path) != NULL)
		buf_printf(&out, ":INDEX=%s", below(l.index, l.path));
	good = add_option("INBOX", l.inbox, l.path, &out, why) &&
	    add_option("CONTROL", l.control, l.path, &out, why);
	if (good) {
		*directory = mem_text(l.path);
		*inside = mem_text(buf_text(&out));
	}
	buf_fini(&out);
	mail_location_fini(&l);
	return good;
}

bool
mail_location_confine(const char *text, char **directory, char **inside,
    struct why *why)
{
	return confine(text, false, directory, inside, why);
}

bool
mail_location_confine_inbox(const char *text, char **directory, char **inside,
    struct why *why)
{
	return confine(text, false, directory, inside, why) ||
	    confine(text, true, directory, inside, why);
}
