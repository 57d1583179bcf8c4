/* SPDX-License-Identifier: ISC */
/* check_*_access: access(5). */
#include <stdio.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/mail/header.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/reply.h"
#include "smtpd/ask.h"
#include "smtpd/checks.h"

enum { KEYS_MAX = 64 };

/* Keys in the order of access(5); the first is the whole one. */
struct keys {
	struct span list[KEYS_MAX];
	size_t count;
	struct arena *arena;
};

static void
add_key(struct keys *k, struct span key)
{
	if (k->count < KEYS_MAX)
		k->list[k->count++] = key;
}

/* example.test, and its parents: "test" or ".test" (access(5)). */
static void
add_parents(const struct session *s, struct keys *k, struct span domain)
{
	size_t dot;

	while ((dot = span_find(domain, '.')) < domain.n) {
		domain = span_skip(domain, dot);
		if (s->config->parents_match)
			add_key(k, span_skip(domain, 1));
		else
			add_key(k, domain);
		domain = span_skip(domain, 1);
	}
}

static void
domain_keys(const struct session *s, struct keys *k, struct span domain)
{
	add_key(k, domain);
	add_parents(s, k, domain);
}

/* 192.0.2.1, 192.0.2, 192.0, 192; the same by colons. */
static void
address_keys(struct keys *k, struct span address)
{
	char separator = span_find(address, ':') < address.n ? ':' : '.';

	add_key(k, address);
	for (;;) {
		size_t at = span_rfind(address, separator);

		if (at == address.n || at == 0)
			return;
		address = span_take(address, at);
		while (address.n > 0 && separator == ':' &&
		    address.p[address.n - 1] == ':')
			address.n--;
		add_key(k, address);
	}
}

/* user+extension@domain, user@domain, domain, parents, user@. */
static void
mail_keys(const struct session *s, struct keys *k, struct span address)
{
	const char *delimiters = s->config->common->recipient_delimiter;
	struct span local, domain;
	size_t cut = 0;

	if (!mail_address_split(address, &local, &domain)) {
		/* "bob" is bob@$myorigin wherever it will be written */
		address = span_of(arena_printf(k->arena, "%.*s@%s",
		    SPAN_ARG(address), s->config->common->myorigin));
		mail_address_split(address, &local, &domain);
	}
	add_key(k, address);
	while (cut < local.n &&
	    (local.p[cut] == '\0' || strchr(delimiters, local.p[cut]) == NULL))
		cut++;
	if (cut > 0 && cut < local.n && domain.n > 0)
		add_key(k,
		    span_of(arena_printf(k->arena, "%.*s@%.*s", (int)cut,
			local.p, SPAN_ARG(domain))));
	if (domain.n > 0)
		domain_keys(s, k, domain);
	add_key(k, span_of(arena_printf(k->arena, "%.*s@", SPAN_ARG(local))));
	if (cut > 0 && cut < local.n)
		add_key(k,
		    span_of(
			arena_printf(k->arena, "%.*s@", (int)cut, local.p)));
}

struct action {
	const char *name;
	enum decision (
	    *act)(struct evaluation *e, enum stage about, struct span rest);
};

static enum decision
refuse_code(struct evaluation *e, enum stage about, int code, const char *dsn,
    struct span text, const char *otherwise)
{
	char words[REFUSAL_TEXT_MAX];

	snprintf(words, sizeof(words), "%.*s", SPAN_ARG(text));
	return refuse_stage(e, about, code, dsn,
	    text.n > 0 ? words : otherwise);
}

static enum decision
act_reject(struct evaluation *e, enum stage about, struct span rest)
{
	char dsn[WHY_DSN_MAX] = "5.7.1";

	reply_take_dsn(&rest, dsn);
	return refuse_code(e, about, (int)e->s->p->access_map_reject_code, dsn,
	    rest, "Access denied");
}

static enum decision
act_defer(struct evaluation *e, enum stage about, struct span rest)
{
	char dsn[WHY_DSN_MAX] = "4.7.1";

	reply_take_dsn(&rest, dsn);
	return refuse_code(e, about, (int)e->s->p->access_map_defer_code, dsn,
	    rest, "Access denied");
}

static enum decision
act_if_permit(struct evaluation *e, enum stage about, struct span rest)
{
	struct buf subject = BUF_INIT(REFUSAL_TEXT_MAX);
	char dsn[WHY_DSN_MAX] = "4.7.1";
	enum decision d;

	reply_take_dsn(&rest, dsn);
	stage_subject(e, about, &subject);
	d = defer_if_permit(e, dsn, "%s: %.*s", buf_text(&subject),
	    SPAN_ARG(rest.n > 0 ? rest : SPAN("Service unavailable")));
	buf_fini(&subject);
	return d;
}

static enum decision
act_if_reject(struct evaluation *e, enum stage about, struct span rest)
{
	char dsn[WHY_DSN_MAX] = "4.7.1";
	char words[REFUSAL_TEXT_MAX];

	reply_take_dsn(&rest, dsn);
	snprintf(words, sizeof(words), "%.*s",
	    SPAN_ARG(rest.n > 0 ? rest : SPAN("Service unavailable")));
	return defer_if_reject(e, about, dsn, words);
}

void
log_action(const struct evaluation *e, const char *what, struct span text)
{
	struct buf out = BUF_INIT(4096);

	buf_printf(&out, "%s: %s: %s from %s: %.*s;", session_id(e->s), what,
	    e->s->where, e->s->client.full, SPAN_ARG(text));
	if (e->sender != NULL)
		buf_printf(&out, " from=<%s>", e->sender);
	if (e->recipient != NULL)
		buf_printf(&out, " to=<%s>", e->recipient);
	buf_printf(&out, " proto=%s", e->s->esmtp ? "ESMTP" : "SMTP");
	if (e->helo != NULL)
		buf_printf(&out, " helo=<%s>", e->helo);
	log_info("%s", buf_text(&out));
	buf_fini(&out);
}

/* "<x>: Sender address triggers HOLD action", or what the table says. */
static void
note_action(const struct evaluation *e, enum stage about, const char *what,
    struct span text)
{
	struct buf out = BUF_INIT(REFUSAL_TEXT_MAX);

	stage_name(e, about, &out);
	buf_printf(&out, " %.*s", SPAN_ARG(text));
	log_action(e, what, buf_span(&out));
	buf_fini(&out);
}

/* "<x>: Sender address triggers REDIRECT bob@example.test" */
static void
note_target(const struct evaluation *e, enum stage about, const char *what,
    const char *action, struct span target)
{
	struct buf out = BUF_INIT(REFUSAL_TEXT_MAX);

	buf_printf(&out, "triggers %s %.*s", action, SPAN_ARG(target));
	note_action(e, about, what, buf_span(&out));
	buf_fini(&out);
}

static enum decision
act_info(struct evaluation *e, enum stage about, struct span rest)
{
	(void)about;
	log_action(e, "info", rest);
	return DUNNO;
}

static enum decision
act_warn(struct evaluation *e, enum stage about, struct span rest)
{
	(void)about;
	log_action(e, "warn", rest);
	return DUNNO;
}

static enum decision
act_discard(struct evaluation *e, enum stage about, struct span rest)
{
	if (e->s->mail == NULL || e->warn_only)
		return DUNNO;
	note_action(e, about, "discard",
	    rest.n > 0 ? rest : SPAN("triggers DISCARD action"));
	e->s->mail->discard = true;
	return PERMIT;
}

/* The whole message waits in the hold queue for a person. */
static enum decision
act_hold(struct evaluation *e, enum stage about, struct span rest)
{
	if (e->s->mail == NULL || e->warn_only)
		return DUNNO;
	note_action(e, about, "hold",
	    rest.n > 0 ? rest : SPAN("triggers HOLD action"));
	e->s->mail->hold = true;
	return DUNNO;
}

/* One or several header lines, placed below our Received header. */
static enum decision
act_prepend(struct evaluation *e, enum stage about, struct span rest)
{
	struct transaction *t = e->s->mail;
	struct header_field field;
	struct span line = rest;
	char *text;

	(void)about;
	if (t == NULL || e->warn_only)
		return DUNNO;
	if (span_has_break(rest) ||
	    header_next(&line, true, &field) != HEADER_FIELD)
		return refuse_configuration(e,
		    "PREPEND is no header field: %.*s", SPAN_ARG(rest));
	text = arena_printf(t->arena, "%s%.*s\r\n",
	    t->prepend ? t->prepend : "", SPAN_ARG(rest));
	/* the same for several recipients is wanted once */
	if (t->prepend == NULL ||
	    strstr(t->prepend, text + strlen(t->prepend)) == NULL)
		t->prepend = text;
	return DUNNO;
}

static bool
address_argument(struct span rest)
{
	struct span local, domain;

	return mail_address_split(rest, &local, &domain) && local.n > 0 &&
	    domain.n > 0 && rest.n <= MAIL_ADDRESS_MAX && !span_has_break(rest);
}

static enum decision
act_redirect(struct evaluation *e, enum stage about, struct span rest)
{
	if (e->s->mail == NULL || e->warn_only)
		return DUNNO;
	if (!address_argument(rest))
		return refuse_configuration(e,
		    "REDIRECT needs user@domain: %.*s", SPAN_ARG(rest));
	note_target(e, about, "redirect", "REDIRECT", rest);
	e->s->mail->redirect = arena_span(e->s->mail->arena, rest);
	return DUNNO;
}

static enum decision
act_bcc(struct evaluation *e, enum stage about, struct span rest)
{
	struct transaction *t = e->s->mail;

	if (t == NULL || e->warn_only)
		return DUNNO;
	if (!address_argument(rest) || !buf_add_span(&t->bcc, rest) ||
	    !buf_add_char(&t->bcc, '\0'))
		return refuse_configuration(e, "BCC needs user@domain: %.*s",
		    SPAN_ARG(rest));
	note_target(e, about, "bcc", "BCC", rest);
	return DUNNO;
}

static enum decision
act_ok(struct evaluation *e, enum stage about, struct span rest)
{
	(void)rest;
	(void)e;
	(void)about;
	return PERMIT;
}

static enum decision
act_dunno(struct evaluation *e, enum stage about, struct span rest)
{
	(void)e;
	(void)about;
	(void)rest;
	return DUNNO;
}

static const struct action actions[] = {
#define ACTION(name, function) { #name, function },
#include "smtpd/access_actions.def"
#undef ACTION
};

static bool
all_digits(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.n > 0;
}

/* "450 4.7.1 words", "550 words", "521 words". */
static enum decision
act_code(struct evaluation *e, enum stage about, struct span value)
{
	char dsn[WHY_DSN_MAX] = "";
	int code = 0;

	reply_take_codes(&value, &code, dsn);
	if (code < 400)
		return refuse_configuration(e,
		    "an access table has a bad reply code");
	if (dsn[0] == '\0')
		memcpy(dsn, "5.7.1", 6);
	return refuse_code(e, about, code, dsn, value, "Access denied");
}

/* What lets pass is logged where that is wanted. */
static enum decision
act_and_tell(struct evaluation *e, enum stage about, const char *table,
    struct span word, const struct action *action, struct span rest)
{
	enum decision d = action->act(e, about, rest);

	if (action->act == act_ok)
		log_permit(e, word, about, table);
	return d;
}

static enum decision
act_on(struct evaluation *e, enum stage about, const char *table,
    const char *value)
{
	static const struct action number = { "", act_ok };
	struct span word, rest = span_trim(span_of(value)), whole = rest;

	if (!span_cut(&rest, " \t", false, &word))
		return refuse_configuration(e, "%s: an empty value", table);
	rest = span_trim(rest);
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (span_is_nocase(word, actions[i].name))
			return act_and_tell(e, about, table, word, &actions[i],
			    rest);
	if (word.n == 3 && all_digits(word) && word.p[0] >= '4' &&
	    word.p[0] <= '5')
		return act_code(e, about, whole);
	/* written by a program that relies on it: any number means yes */
	if (all_digits(word) && rest.n == 0)
		return act_and_tell(e, about, table, word, &number, rest);
	if (span_is_nocase(word, "FILTER"))
		return refuse_configuration(e,
		    "%s: the action FILTER is not supported", table);
	return restrictions_evaluate_text(e, value);
}

static enum decision
consult(struct evaluation *e, enum stage about, const char *table,
    const struct keys *k, bool *found)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum decision d = DUNNO;

	*found = true;
	switch (ask_tables(table, k->list, k->count, &value)) {
	case TABLE_FOUND:
		d = act_on(e, about, table, buf_text(&value));
		break;
	case TABLE_NONE:
		*found = false;
		break;
	case TABLE_AGAIN:
		log_warning("%s: table lookup problem: %s", table,
		    buf_text(&value));
		d = refuse_with(e, 451, "4.3.0",
		    "<%.*s>: Temporary lookup "
		    "failure",
		    SPAN_ARG(k->list[0]));
		break;
	default:
		d = refuse_configuration(e, "%s: %s", table, buf_text(&value));
	}
	buf_fini(&value);
	return d;
}

enum decision
check_client_table(struct evaluation *e, const char *table)
{
	const struct client *c = &e->s->client;
	struct keys name = { .count = 0 }, address = { .count = 0 };
	enum decision d;
	bool found;

	domain_keys(e->s, &name, span_of(c->name));
	d = consult(e, STAGE_CLIENT, table, &name, &found);
	if (found)
		return d;
	address_keys(&address, span_of(c->address_text));
	return consult(e, STAGE_CLIENT, table, &address, &found);
}

enum decision
check_reverse_table(struct evaluation *e, const char *table)
{
	struct keys k = { .count = 0 };
	bool found;

	domain_keys(e->s, &k, span_of(e->s->client.unverified_name));
	return consult(e, STAGE_REVERSE_NAME, table, &k, &found);
}

enum decision
check_helo_table(struct evaluation *e, const char *table)
{
	struct keys k = { .count = 0 };
	bool found;

	if (e->helo == NULL)
		return DUNNO;
	domain_keys(e->s, &k, span_of(e->helo));
	return consult(e, STAGE_HELO, table, &k, &found);
}

static enum decision
address_table(struct evaluation *e, enum stage about, const char *table,
    const char *address)
{
	struct keys k = { .count = 0 };
	enum decision d;
	bool found;

	if (address == NULL)
		return DUNNO;
	k.arena = arena_new();
	if (address[0] == '\0')
		add_key(&k, span_of(e->s->p->smtpd_null_access_lookup_key));
	else
		mail_keys(e->s, &k, span_of(address));
	d = consult(e, about, table, &k, &found);
	arena_free(&k.arena);
	return d;
}

enum decision
check_sender_table(struct evaluation *e, const char *table)
{
	return address_table(e, STAGE_SENDER, table, e->sender);
}

enum decision
check_recipient_table(struct evaluation *e, const char *table)
{
	return address_table(e, STAGE_RECIPIENT, table, e->recipient);
}

enum decision
check_login_table(struct evaluation *e, const char *table)
{
	struct keys k = { .count = 0 };
	bool found;

	if (e->s->user == NULL)
		return DUNNO;
	add_key(&k, span_of(e->s->user));
	return consult(e, STAGE_CLIENT, table, &k, &found);
}
