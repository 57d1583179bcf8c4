/* SPDX-License-Identifier: ISC */
#include "cleanup/author_check.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup/ask_lookup.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"

enum { FROM, SENDER, RESENT_FROM };

static const struct {
	const char *name;
	unsigned int most; /* more of them are refused; 0: the first counts */
} fields[AUTHOR_FIELDS] = {
	[FROM] = { "From", 1 },
	[SENDER] = { "Sender", 1 },
	[RESENT_FROM] = { "Resent-From", 0 },
};

struct author_check *
author_check_new(struct arena *a, const struct msg_submit *m,
    const struct rewrite_rules *rules)
{
	struct author_check *c;

	if (m->author_match == AUTHOR_ANY)
		return NULL;
	c = arena_alloc(a, sizeof(*c));
	*c = (struct author_check){
		.arena = a,
		.match = (enum author_match)m->author_match,
		.login = arena_text(a, m->login),
		.owners = arena_text(a, m->login_owners),
		.sender = arena_text(a, m->sender),
		.rules = rules,
	};
	return c;
}

static void
add(void *with, struct span address)
{
	struct author_check *c = with;

	if (c->count == AUTHORS_MAX) {
		c->wrong = "has too many addresses";
		return;
	}
	c->authors[c->count++] = (struct author){
		.field = c->field,
		.address = c->rules != NULL ?
		    rewrite_address_within(c->rules, address, c->arena) :
		    arena_span(c->arena, address),
	};
}

static bool
known_only(const struct author_check *c)
{
	return c->match == AUTHOR_KNOWN || c->match == AUTHOR_WARN_KNOWN;
}

/* Nobody owns the name of a device that has no address. */
static bool
is_harmless(const struct author_check *c, struct span value)
{
	return known_only(c) && author_names_nobody(value);
}

void
author_check_see(struct author_check *c, const struct header_field *f)
{
	size_t i = 0;

	if (c == NULL || c->wrong != NULL)
		return;
	while (i < AUTHOR_FIELDS && !header_is(f, fields[i].name))
		i++;
	if (i == AUTHOR_FIELDS)
		return;
	if (c->seen[i]++ > 0 && fields[i].most == 0)
		return;
	c->field = fields[i].name;
	if (c->seen[i] > 1)
		c->wrong = "is there twice";
	else if (!author_each(f->value, add, c) && c->wrong == NULL &&
	    !is_harmless(c, f->value))
		c->wrong = "names nobody, or not clearly";
}

enum { FORMS = 3 };

/* The address with this domain; NULL: that is the one it has. */
static const char *
with_domain(struct arena *a, const char *address, const char *domain)
{
	struct span local, old;

	if (!mail_address_split(span_of(address), &local, &old) ||
	    span_is_nocase(old, domain))
		return NULL;
	return arena_printf(a, "%.*s@%s", SPAN_ARG(local), domain);
}

/*
 * The address as it is, and with its domain in ASCII and in Unicode (RFC 5890):
 * the latter of the ASCII form, so that letters written decomposed, or large,
 * are as tables have them. NULL: there is none, or nothing new.
 */
static void
find_forms(struct arena *a, const char *address, const char *forms[FORMS])
{
	struct span local, domain;
	char *made = NULL, *unicode = NULL;
	const char *ascii;
	int r = IDN2_OK;

	forms[0] = address;
	forms[1] = forms[2] = NULL;
	if (!mail_address_split(span_of(address), &local, &domain))
		return;
	ascii = arena_span(a, domain);
	if (!span_is_ascii(domain)) {
		r = idn2_to_ascii_8z(ascii, &made, IDN2_NONTRANSITIONAL);
		ascii = made;
	}
	if (r == IDN2_OK)
		forms[1] = with_domain(a, address, ascii);
	if (r == IDN2_OK && idn2_to_unicode_8z8z(ascii, &unicode, 0) == IDN2_OK)
		forms[2] = with_domain(a, address, unicode);
	idn2_free(unicode);
	idn2_free(made);
}

/* Owners of the address, NULL when it has none. */
static enum verdict
ask_owners(const struct author_check *c, const char *address,
    const char **owners, struct why *why)
{
	const char *forms[FORMS];
	enum verdict v = OK;

	find_forms(c->arena, address, forms);
	*owners = NULL;
	for (size_t i = 0; i < FORMS && v == OK && *owners == NULL; i++)
		if (c->owners[0] != '\0' && forms[i] != NULL)
			v = ask_address_query(c->arena, c->owners, forms[i],
			    owners, why);
	return v;
}

static bool
warns_only(const struct author_check *c)
{
	return c->match == AUTHOR_WARN_KNOWN || c->match == AUTHOR_WARN_ALL;
}

static enum verdict
judge_one(const struct author_check *c, const struct author *who,
    struct why *why)
{
	char shown[MAIL_ADDRESS_SHOWN_MAX];
	const char *owners;

	mail_address_shown(who->address, shown);
	if (ask_owners(c, who->address, &owners, why) != OK)
		return why_set(why, "4.3.0", "<%s>: Temporary lookup failure",
		    shown);
	if (owners != NULL ? author_owners_have(owners, c->login) :
			     known_only(c))
		return OK;
	return why_set(why, "5.7.1",
	    "<%.500s>: Sender address rejected: not owned by user %s "
	    "(%s)",
	    shown, c->login, who->field);
}

static enum verdict
judge(struct author_check *c, struct why *why)
{
	enum verdict v = OK;

	if (c->wrong != NULL)
		return why_set(why, "5.7.1",
		    "Sender address rejected: header %s %s: user %s", c->field,
		    c->wrong, c->login);
	/* who is shown the message is shown that */
	if (c->seen[FROM] == 0)
		c->authors[c->count++] =
		    (struct author){ "no header From", c->sender };
	for (size_t i = 0; i < c->count && v == OK; i++)
		v = judge_one(c, &c->authors[i], why);
	return v;
}

enum verdict
author_check_judge(struct author_check *c, const char *queue_id,
    const char *client, struct why *why)
{
	enum verdict v = judge(c, why);

	if (v == OK || !warns_only(c))
		return v;
	log_info("%s: reject_warning: %s from=<%s>: %s %s "
		 "(smtpd_from_login_match)",
	    queue_id, client, c->sender, why->dsn, why->text);
	why_clear(why);
	return OK;
}
