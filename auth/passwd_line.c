/* SPDX-License-Identifier: ISC */
/* One line of an accounts file. Pure. */
#include "auth/passwd_file.h"

#include <string.h>

#include "lib/store/quota_rule.h"

bool
account_name_valid(struct span name)
{
	if (name.n == 0 || name.n > ACCOUNT_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && !(c >= '0' && c <= '9') &&
		    (c == '\0' || strchr("._-@+=&~#'", c) == NULL))
			return false;
		/* names become parts of paths */
		if (c == '.' && i > 0 && name.p[i - 1] == '.')
			return false;
	}
	return name.p[0] != '.' && name.p[0] != '-';
}

static void
lower(char *text)
{
	for (; *text != '\0'; text++)
		if (*text >= 'A' && *text <= 'Z')
			*text += 'a' - 'A';
}

static const char *
take_quota(struct span value, struct arena *a, struct passwd_entry *out)
{
	struct quota_rule rule;

	if (!quota_rule_parse(value, &rule))
		return "has a quota_rule that is not understood, and is as if"
		       " it had none";
	out->quota = arena_span(a, value);
	return NULL;
}

const char *
passwd_word(struct span name, struct span value, struct arena *a,
    struct passwd_entry *out)
{
	if (span_is(name, "userdb_mail") || span_is(name, "mail"))
		out->mail = arena_span(a, value);
	else if (span_is(name, "allow_nets"))
		out->allow_nets = arena_span(a, value);
	else if (span_is(name, "nologin"))
		out->nologin = !span_is_nocase(value, "no");
	else if (span_is(name, "userdb_quota_rule") ||
	    span_is(name, "quota_rule"))
		return take_quota(value, a, out);
	return NULL;
}

static const char *
take_extra(struct span field, struct arena *a, struct passwd_entry *out)
{
	size_t at = span_find(field, '=');

	return passwd_word(span_take(field, at),
	    at < field.n ? span_skip(field, at + 1) : SPAN(""), a, out);
}

/* A value may hold colons (maildir:/path): the last field takes the rest. */
static const char *
take_fields(struct span rest, struct arena *a, struct passwd_entry *out)
{
	struct span fields[7] = { { NULL, 0 } }, extra;
	const char *error = NULL, *one;
	size_t n = 0;

	while (n < 6 && span_cut(&rest, ":", false, &fields[n]))
		n++;
	fields[6] = rest;
	out->password = arena_span(a, fields[0]);
	out->uid = arena_span(a, fields[1]);
	out->gid = arena_span(a, fields[2]);
	out->home = arena_span(a, fields[4]);
	/* fields 3 and 5 are the name of a person and a shell */
	while (span_cut(&fields[6], " \t", true, &extra)) {
		one = take_extra(extra, a, out);
		if (one != NULL)
			error = one;
	}
	return error;
}

bool
passwd_line_parse(struct span line, struct arena *a, struct passwd_entry *out,
    const char **error)
{
	struct span rest = line, user;
	char *name;

	*error = NULL;
	*out = (struct passwd_entry){ "", "", "", "", "", "", "", "", false };
	if (span_trim(line).n == 0 || line.p[0] == '#')
		return false;
	if (memchr(line.p, '\0', line.n) != NULL) {
		*error = "has a NUL";
		return false;
	}
	if (!span_cut(&rest, ":", false, &user) || user.n == line.n) {
		*error = "has no colon";
		return false;
	}
	if (!account_name_valid(user)) {
		*error = "has a name that nobody can log in with";
		return false;
	}
	name = arena_span(a, user);
	lower(name);
	out->user = name;
	*error = take_fields(rest, a, out);
	return true;
}
