/* SPDX-License-Identifier: ISC */
#include "smtpd/restriction.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "smtpd/checks.h"
#include "smtpd/session.h"

enum { DEPTH_MAX = 20 };

enum argument { ARGUMENT_NONE, ARGUMENT_TABLE, ARGUMENT_TEXT, ARGUMENT_NEXT };

struct keyword {
	const char *name;
	enum argument argument;
	restriction_check *check;
};

static const struct keyword keywords[] = {
#define RESTRICTION(name, argument, function, meaning) \
	{ #name, ARGUMENT_##argument, function },
#define MISSING(name, argument) { #name, ARGUMENT_##argument, NULL },
#include "smtpd/restrictions.def"
#undef RESTRICTION
#undef MISSING
};

struct rule {
	const struct keyword *keyword; /* NULL: a class, or a mistake */
	char *argument;
	struct rule_list *class;
	char *mistake; /* what is wrong with it */
	bool warn; /* behind warn_if_reject */
};

/* What a stranger's mail for another site meets first in a list. */
enum fate { FATE_UNKNOWN, FATE_OPEN, FATE_REFUSED, FATE_PASSED };

struct rule_list {
	struct rule *rules;
	size_t count;
	size_t room;
	enum fate fate; /* of a class, once it was asked for */
	bool entered; /* break_ring: by now, or before */
	bool left; /* break_ring: what it names is no ring */
};

struct class {
	char *name;
	struct rule_list list;
};

struct restriction_lists {
	struct rule_list stages[STAGE_COUNT];
	struct class *classes;
	size_t class_count;
	bool lenient; /* what is to come is left out */
};

/* What a bare type:table means in each list. */
static const char *const natural[STAGE_COUNT] = {
	[STAGE_CLIENT] = "check_client_access",
	[STAGE_HELO] = "check_helo_access",
	[STAGE_SENDER] = "check_sender_access",
	[STAGE_RELAY] = "check_recipient_access",
	[STAGE_RECIPIENT] = "check_recipient_access",
	[STAGE_DATA] = "check_client_access",
	[STAGE_END_OF_DATA] = "check_client_access",
};

static const char *const settings[STAGE_COUNT] = {
	[STAGE_CLIENT] = "smtpd_client_restrictions",
	[STAGE_HELO] = "smtpd_helo_restrictions",
	[STAGE_SENDER] = "smtpd_sender_restrictions",
	[STAGE_RELAY] = "smtpd_relay_restrictions",
	[STAGE_RECIPIENT] = "smtpd_recipient_restrictions",
	[STAGE_DATA] = "smtpd_data_restrictions",
	[STAGE_END_OF_DATA] = "smtpd_end_of_data_restrictions",
};

static const struct keyword *
find_keyword(struct span name)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (span_is_nocase(name, keywords[i].name))
			return &keywords[i];
	return NULL;
}

static struct rule *
add_rule(struct rule_list *l)
{
	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 8;
		l->rules = mem_resize(l->rules, l->room * sizeof(*l->rules));
	}
	l->rules[l->count] = (struct rule){ .keyword = NULL };
	return &l->rules[l->count++];
}

static void
free_rules(struct rule_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		free(l->rules[i].argument);
		free(l->rules[i].mistake);
	}
	free(l->rules);
}

/* Compiling: one word, and where it wants one, its argument. */
struct compile {
	struct restriction_lists *lists; /* NULL: no classes */
	const char *setting;
	enum stage stage;
	struct span rest;
	struct buf *error; /* NULL: said at run time only */
	bool lenient; /* missing_protection: do without */
};

static void
mistake(struct compile *c, struct rule *r, struct span word, const char *why)
{
	r->mistake = mem_printf("%s: %s: \"%.*s\"", c->setting, why,
	    (int)(word.n < 200 ? word.n : 200), word.p);
	if (c->error != NULL)
		buf_printf(c->error, "%s\n", r->mistake);
}

static bool
is_table(struct span word)
{
	return span_find(word, ':') < word.n;
}

static void
compile_class(struct compile *c, struct rule *r, struct span word)
{
	for (size_t i = 0; c->lists != NULL && i < c->lists->class_count; i++)
		if (span_is(word, c->lists->classes[i].name)) {
			r->class = &c->lists->classes[i].list;
			return;
		}
	mistake(c, r, word, "unknown restriction");
}

static void
compile_argument(struct compile *c, struct rule *r, struct span word)
{
	struct span argument;

	if (!conf_list_next(&c->rest, &argument)) {
		mistake(c, r, word, "an argument is missing behind");
		return;
	}
	if (r->keyword->argument == ARGUMENT_TABLE && !is_table(argument)) {
		mistake(c, r, argument, "a table (type:name) is wanted");
		return;
	}
	r->argument = mem_span_text(argument);
}

/* What is to come: a mistake, or nothing at all. */
static void
compile_missing(struct compile *c, struct rule_list *into, struct rule *r,
    struct span word)
{
	if (!c->lenient) {
		mistake(c, r, word, "this restriction is not supported yet");
		return;
	}
	free(r->argument);
	into->count--;
}

static void
compile_rules(struct compile *c, struct rule_list *into)
{
	struct span word;
	bool warn = false;

	while (conf_list_next(&c->rest, &word)) {
		struct rule *r;

		r = add_rule(into);
		r->keyword = find_keyword(word);
		r->warn = warn;
		warn = false;
		if (r->keyword == NULL && is_table(word)) {
			r->keyword = find_keyword(span_of(natural[c->stage]));
			r->argument = mem_span_text(word);
		} else if (r->keyword == NULL) {
			compile_class(c, r, word);
		} else if (r->keyword->argument == ARGUMENT_NEXT) {
			into->count--;
			warn = true;
		} else if (r->keyword->argument != ARGUMENT_NONE) {
			compile_argument(c, r, word);
		}
		if (r->keyword != NULL && r->keyword->check == NULL &&
		    r->mistake == NULL)
			compile_missing(c, into, r, word);
	}
}

/*
 * A class that leads back to itself is a mistake where it does: whoever comes
 * there is refused, and nothing goes around for ever, or four ways at each
 * turn. Each class is looked at once.
 */
static void
break_ring(struct restriction_lists *l, struct class *class, struct buf *error)
{
	class->list.entered = true;
	for (size_t i = 0; i < class->list.count; i++) {
		struct rule *r = &class->list.rules[i];
		struct class *next = l->classes;

		if (r->class == NULL || r->class->left)
			continue;
		while (&next->list != r->class)
			next++;
		if (next->list.entered) {
			struct compile c = { .setting = class->name,
				.error = error };

			r->class = NULL;
			mistake(&c, r, span_of(next->name),
			    "this class leads back to itself");
		} else {
			break_ring(l, next, error);
		}
	}
	class->list.left = true;
}

/*
 * Classes name each other: their rules are all compiled with every name known.
 */
static void
compile_classes(struct restriction_lists *l, struct conf *conf,
    const struct smtpd_params *p, struct buf *error)
{
	struct span rest = span_of(p->smtpd_restriction_classes), name;

	while (conf_list_next(&rest, &name)) {
		l->classes = mem_resize(l->classes,
		    (l->class_count + 1) * sizeof(*l->classes));
		l->classes[l->class_count++] = (struct class){
			.name = mem_span_text(name),
		};
	}
	for (size_t i = 0; i < l->class_count; i++) {
		const char *raw = conf_raw(conf, l->classes[i].name);
		const char *text =
		    raw == NULL ? NULL : conf_expand(conf, raw, error);
		struct compile c = { l, l->classes[i].name, STAGE_RECIPIENT,
			span_of(text), error, l->lenient };

		if (text == NULL)
			buf_printf(error,
			    "smtpd_restriction_classes: %s "
			    "is not set\n",
			    l->classes[i].name);
		compile_rules(&c, &l->classes[i].list);
	}
	for (size_t i = 0; i < l->class_count; i++)
		if (!l->classes[i].list.entered)
			break_ring(l, &l->classes[i], error);
}

static enum fate fate_in(struct rule_list *l);

static enum fate
fate_at(const struct rule *r)
{
	if (r->warn)
		return FATE_OPEN;
	if (r->class != NULL) {
		if (r->class->fate == FATE_UNKNOWN)
			r->class->fate = fate_in(r->class);
		return r->class->fate;
	}
	if (r->keyword == NULL)
		return FATE_OPEN;
	if (r->keyword->check == check_permit)
		return FATE_PASSED;
	if (r->keyword->check == check_unauth_destination ||
	    r->keyword->check == check_defer_destination ||
	    r->keyword->check == check_reject ||
	    r->keyword->check == check_defer)
		return FATE_REFUSED;
	return FATE_OPEN;
}

static enum fate
fate_in(struct rule_list *l)
{
	enum fate f = FATE_OPEN;

	for (size_t i = 0; f == FATE_OPEN && i < l->count; i++)
		f = fate_at(&l->rules[i]);
	return f;
}

/* What is behind a rule that all pass is never asked: before that. */
static void
insert_before_permit(struct rule_list *into, struct rule_list *safe)
{
	struct rule_list rest = *into;
	size_t at = 0;

	while (at < rest.count && fate_at(&rest.rules[at]) != FATE_PASSED)
		at++;
	*into = (struct rule_list){ .rules = NULL };
	for (size_t i = 0; i < at; i++)
		*add_rule(into) = rest.rules[i];
	for (size_t i = 0; i < safe->count; i++)
		*add_rule(into) = safe->rules[i];
	for (size_t i = at; i < rest.count; i++)
		*add_rule(into) = rest.rules[i];
	free(rest.rules);
	free(safe->rules);
}

/* Never an open relay, whatever main.cf says or leaves out. */
static void
protect(struct restriction_lists *l)
{
	static const char safe[] =
	    "permit_mynetworks, permit_sasl_authenticated, "
	    "reject_unauth_destination";
	struct compile c = { NULL, settings[STAGE_RELAY], STAGE_RELAY,
		span_of(safe), NULL, false };
	struct rule_list more = { .rules = NULL };

	if (fate_in(&l->stages[STAGE_RELAY]) == FATE_REFUSED ||
	    fate_in(&l->stages[STAGE_RECIPIENT]) == FATE_REFUSED)
		return;
	if (l->stages[STAGE_RELAY].count > 0)
		log_warning("neither smtpd_relay_restrictions nor "
			    "smtpd_recipient_restrictions has "
			    "reject_unauth_destination: \"%s\" is used as well",
		    safe);
	compile_rules(&c, &more);
	insert_before_permit(&l->stages[STAGE_RELAY], &more);
}

struct restriction_lists *
restriction_lists_new(struct conf *conf, const struct smtpd_params *p,
    struct buf *error)
{
	struct restriction_lists *l = mem_new(sizeof(*l));
	const char *const texts[STAGE_COUNT] = {
		[STAGE_CLIENT] = p->smtpd_client_restrictions,
		[STAGE_HELO] = p->smtpd_helo_restrictions,
		[STAGE_SENDER] = p->smtpd_sender_restrictions,
		[STAGE_RELAY] = p->smtpd_relay_restrictions,
		[STAGE_RECIPIENT] = p->smtpd_recipient_restrictions,
		[STAGE_DATA] = p->smtpd_data_restrictions,
		[STAGE_END_OF_DATA] = p->smtpd_end_of_data_restrictions,
	};

	l->lenient = strcmp(p->missing_protection, "warn") == 0;
	compile_classes(l, conf, p, error);
	for (int i = 0; i < STAGE_COUNT; i++) {
		struct compile c = { l, settings[i], (enum stage)i,
			span_of(texts[i]), error, l->lenient };

		compile_rules(&c, &l->stages[i]);
	}
	protect(l);
	return l;
}

bool
restriction_list_set(const struct restriction_lists *l, enum stage stage)
{
	return l->stages[stage].count > 0;
}

static enum decision
evaluate_rules(struct evaluation *e, const struct rule_list *l);

void
log_permit(const struct evaluation *e, struct span action, enum stage about,
    const char *table)
{
	const struct client_list *logged = e->s->config->logged_permits;
	struct stage_subject on = stage_parts(e, about);
	struct buf text = BUF_INIT(REFUSAL_TEXT_MAX);

	if (client_list_empty(logged) || e->if_permit.code != 0 ||
	    client_list_match_word(logged, action) != TABLE_FOUND)
		return;
	buf_printf(&text, "action=%.*s for %s=%s", SPAN_ARG(action), on.what,
	    on.name);
	if (table != NULL)
		buf_printf(&text, " from %s", table);
	log_action(e, "permit", buf_span(&text));
	buf_fini(&text);
}

/* Access tables tell of their actions themselves, by these. */
static void
log_passed(const struct evaluation *e, const struct keyword *k)
{
	enum stage about = e->stage;

	if (k->argument == ARGUMENT_TABLE)
		return;
	if (k->check == check_mynetworks || k->check == check_inet_interfaces ||
	    k->check == check_authenticated)
		about = STAGE_CLIENT;
	else if (k->check == check_auth_destination)
		about = STAGE_RECIPIENT;
	log_permit(e, span_of(k->name), about, NULL);
}

static enum decision
evaluate_rule(struct evaluation *e, const struct rule *r)
{
	bool outer = e->warn_only;
	enum decision d;

	e->warn_only = outer || r->warn;
	if (r->mistake != NULL)
		d = refuse_configuration(e, "%s", r->mistake);
	else if (r->class != NULL)
		d = evaluate_rules(e, r->class);
	else
		d = r->keyword->check(e, r->argument);
	if (d == PERMIT && r->keyword != NULL)
		log_passed(e, r->keyword);
	e->warn_only = outer;
	return d;
}

static enum decision
evaluate_rules(struct evaluation *e, const struct rule_list *l)
{
	enum decision d = DUNNO;

	if (e->depth >= DEPTH_MAX)
		return refuse_configuration(e,
		    "restriction classes or tables name each other");
	e->depth++;
	for (size_t i = 0; i < l->count && d == DUNNO; i++)
		d = evaluate_rule(e, &l->rules[i]);
	e->depth--;
	return d;
}

static struct mem_pool evaluations = MEM_POOL(struct evaluation);

struct evaluation *
evaluation_new(void)
{
	return mem_pool_get(&evaluations);
}

void
evaluation_free(struct evaluation *e)
{
	mem_pool_put(&evaluations, e);
}

enum decision
restrictions_evaluate(struct evaluation *e, enum stage stage)
{
	e->stage = stage;
	return evaluate_rules(e, &e->s->restrictions->stages[stage]);
}

enum decision
restrictions_evaluate_text(struct evaluation *e, const char *text)
{
	struct rule_list l = { .rules = NULL };
	struct compile c = { e->s->restrictions, "access table", e->stage,
		span_of(text), NULL, e->s->restrictions->lenient };
	enum decision d;

	compile_rules(&c, &l);
	d = evaluate_rules(e, &l);
	free_rules(&l);
	return d;
}

enum decision
restrictions_conclude(struct evaluation *e)
{
	if (e->if_permit.code == 0)
		return PERMIT;
	e->refusal = e->if_permit;
	return REFUSE;
}

struct stage_subject
stage_parts(const struct evaluation *e, enum stage stage)
{
	const struct client *c = &e->s->client;

	switch (stage) {
	case STAGE_CLIENT:
		return (struct stage_subject){ "Client host", c->full };
	case STAGE_REVERSE_NAME:
		return (struct stage_subject){ "Unverified Client host",
			c->unverified_name };
	case STAGE_HELO:
		return (struct stage_subject){ "Helo command",
			e->helo != NULL ? e->helo : "" };
	case STAGE_SENDER:
		return (struct stage_subject){ "Sender address",
			e->sender != NULL ? e->sender : "" };
	case STAGE_RELAY:
	case STAGE_RECIPIENT:
		return (struct stage_subject){ "Recipient address",
			e->recipient != NULL ? e->recipient : "" };
	case STAGE_DATA:
		return (struct stage_subject){ "Data command", e->s->where };
	default:
		return (struct stage_subject){ "End-of-data", e->s->where };
	}
}

void
stage_name(const struct evaluation *e, enum stage stage, struct buf *out)
{
	struct stage_subject about = stage_parts(e, stage);

	buf_printf(out, "<%s>: %s", about.name, about.what);
}

void
stage_subject(const struct evaluation *e, enum stage stage, struct buf *out)
{
	stage_name(e, stage, out);
	buf_add_text(out, " rejected");
}

static void
fill(struct refusal *r, int code, const char *dsn, const char *text)
{
	r->code = code;
	snprintf(r->dsn, sizeof(r->dsn), "%s", dsn);
	/* the class of both codes agrees, RFC 2034 section 4 */
	r->dsn[0] = (char)('0' + code / 100);
	snprintf(r->text, sizeof(r->text), "%s", text);
	r->hang_up = code == 421 || code == 521;
}

static enum decision
refuse(struct evaluation *e, int code, const char *dsn, const char *text)
{
	struct session *s = e->s;

	if (e->warn_only) {
		log_info("%s: reject_warning: %s from %s: %d %s %s; "
			 "from=<%s> to=<%s> proto=%s helo=<%s>",
		    session_id(s), s->where, s->client.full, code, dsn, text,
		    e->sender ? e->sender : "",
		    e->recipient ? e->recipient : "",
		    s->esmtp ? "ESMTP" : "SMTP", e->helo ? e->helo : "");
		return DUNNO;
	}
	if (code >= 500 && e->if_reject.code != 0) {
		e->refusal = e->if_reject;
		return REFUSE;
	}
	fill(&e->refusal, code, dsn, text);
	return REFUSE;
}

enum decision
refuse_with(struct evaluation *e, int code, const char *dsn, const char *format,
    ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	return refuse(e, code, dsn, text);
}

enum decision
defer_if_reject(struct evaluation *e, enum stage about, const char *dsn,
    const char *text)
{
	struct refusal before = e->refusal;

	if (e->if_reject.code == 0 && !e->warn_only) {
		refuse_stage(e, about, 450, dsn, text);
		e->if_reject = e->refusal;
		e->refusal = before;
	}
	return DUNNO;
}

enum decision
defer_if_permit(struct evaluation *e, const char *dsn, const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (e->warn_only)
		return refuse(e, 450, dsn, text);
	if (e->if_permit.code == 0)
		fill(&e->if_permit, 450, dsn, text);
	return DUNNO;
}

enum decision
defer_by(struct evaluation *e, const char *action, const char *dsn,
    const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (strcmp(action, "defer") == 0)
		return refuse(e, 450, dsn, text);
	return defer_if_permit(e, dsn, "%s", text);
}

enum decision
refuse_configuration(struct evaluation *e, const char *format, ...)
{
	char text[REFUSAL_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_warning("%s: %s", session_id(e->s), text);
	return refuse(e, 451, "4.3.5", "Server configuration error");
}

enum decision
refuse_lookup(struct evaluation *e, const char *what)
{
	char text[REFUSAL_TEXT_MAX];

	snprintf(text, sizeof(text), "<%s>: Temporary lookup failure", what);
	return refuse(e, 451, "4.3.0", text);
}
