/* SPDX-License-Identifier: ISC */
/*
 * From a local recipient to what is to be done: aliases, .forward, and the
 * rules for those who are neither.
 *
 * An alias or .forward that names one address of this machine is followed
 * at once; one that names several becomes a new message to them, so that
 * each succeeds, waits or fails for itself. What names itself is its mailbox.
 */
#include "local/local_state.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "local/destinations.h"

enum { DEPTH_MAX = 50 }; /* aliases of aliases, includes of includes */

enum origin { FROM_ALIAS, FROM_FORWARD, FROM_INCLUDE };

static const char *const origin_words[] = { "alias", "forward", "include" };

/* Where we are: what led here, innermost first. */
struct step {
	const struct step *outer;
	const char *alias; /* name of the alias being expanded, or NULL */
	const char *forward_of; /* user whose .forward it is, or NULL */
	const char *include; /* file, or NULL */
	enum origin origin;
	const struct person *person; /* whose rights apply */
	const char *extension; /* "+ext" to pass on to addresses, or "" */
	bool relayed; /* luser_relay was tried */
	bool users; /* what a user wrote, not root */
	unsigned int depth;
};

static enum verdict
expand_list(struct plan *p, const struct step *step, const char *text);
static enum verdict
expand_local(struct plan *p, const struct step *step, const char *name);

static struct step
step_within(const struct step *outer, enum origin origin, const char *extension)
{
	return (struct step){
		.outer = outer,
		.origin = origin,
		.extension = extension,
		.relayed = outer != NULL && outer->relayed,
		.users = outer != NULL && outer->users,
		.depth = outer != NULL ? outer->depth + 1 : 1,
	};
}

static bool
has_word(const char *list, const char *word)
{
	struct span rest = span_of(list), item;

	while (conf_list_next(&rest, &item))
		if (span_is_nocase(item, word))
			return true;
	return false;
}

static bool
same_action(const struct action *a, enum action_kind kind, const char *text)
{
	return a->kind == kind && strcasecmp(a->text, text) == 0;
}

/* Whose text it is, for those who are to mend it. */
static const char *
place(struct plan *p, const struct step *s)
{
	if (s->include != NULL)
		return arena_printf(p->r->arena, ":include:%s", s->include);
	if (s->forward_of != NULL)
		return arena_printf(p->r->arena, ".forward of %s",
		    s->forward_of);
	return arena_printf(p->r->arena, "alias %s",
	    s->alias != NULL ? s->alias : p->local);
}

/* "step" may be NULL: nothing led here. */
static enum verdict
count(struct plan *p, const struct step *step, enum counted kind, size_t n)
{
	const char *much = plan_count(p, kind, n, step != NULL && step->users);

	if (much == NULL)
		return OK;
	if (step == NULL)
		return why_set(p->why, "5.2.4", "%s", much);
	log_warning("%s: %s: %s", p->r->m->queue_id, place(p, step), much);
	return why_set(p->why, "5.2.4", "%s: %s", place(p, step), much);
}

static enum verdict
add_action(struct plan *p, const struct step *step, enum action_kind kind,
    const char *text, const struct person *person)
{
	struct action *a;
	enum verdict v;

	/* long lists are checked for duplicates by cleanup */
	if (p->count < 500)
		for (a = p->first; a != NULL; a = a->next)
			if (same_action(a, kind, text))
				return OK;
	v = count(p, step, COUNT_DESTINATIONS, 1);
	if (v != OK)
		return v;
	a = arena_alloc(p->r->arena, sizeof(*a));
	a->kind = kind;
	a->text = arena_text(p->r->arena, text);
	a->person = person;
	a->sender = p->sender;
	*p->last = a;
	p->last = &a->next;
	p->count++;
	p->forwards += kind == ACTION_FORWARD;
	return OK;
}

/* Commands and files are never root's. */
static const struct person *
rights_of(const struct plan *p, const struct step *step)
{
	if (step->person != NULL && step->person->uid != 0)
		return step->person;
	return p->state->default_person;
}

static enum verdict
restricted(struct plan *p, const char *what)
{
	return why_set(p->why, "5.7.1", "mail to %s is restricted", what);
}

static enum verdict
loop(struct plan *p, const char *name)
{
	log_warning("%s: possible alias database loop for %s",
	    p->r->m->queue_id, name);
	return why_set(p->why, "5.4.6", "possible alias database loop for %s",
	    name);
}

static bool
expanding_alias(const struct step *s, const char *name)
{
	for (; s != NULL; s = s->outer)
		if (s->alias != NULL && strcasecmp(s->alias, name) == 0)
			return true;
	return false;
}

static bool
expanding_forward(const struct step *s, const char *user)
{
	for (; s != NULL; s = s->outer)
		if (s->forward_of != NULL &&
		    strcasecmp(s->forward_of, user) == 0)
			return true;
	return false;
}

/* NULL when it is somebody else's; its local part otherwise. */
static enum verdict
is_local(struct plan *p, const char *address, const char **local)
{
	struct span user, domain;
	struct buf why = BUF_INIT(1024);
	enum table_result t;
	enum verdict v = OK;

	*local = NULL;
	if (!mail_address_split(span_of(address), &user, &domain))
		domain = span_of(p->r->agent->common.myorigin);
	t = match_list_match(p->state->destination, domain, &why);
	if (t == TABLE_FOUND)
		*local = arena_span(p->r->arena, user);
	else if (t != TABLE_NONE)
		v = agent_table_failed(p->why, t, "mydestination",
		    buf_text(&why));
	buf_fini(&why);
	return v;
}

static enum verdict
add_forward(struct plan *p, const struct step *step, const char *address)
{
	struct span user, domain;

	if (!mail_address_split(span_of(address), &user, &domain))
		address = arena_printf(p->r->arena, "%s@%s", address,
		    p->r->agent->common.myorigin);
	return add_action(p, step, ACTION_FORWARD, address, NULL);
}

static const char *
lower(struct arena *a, struct span s)
{
	char *text = arena_span(a, s);

	for (char *c = text; *c != '\0'; c++)
		*c = (char)tolower((unsigned char)*c);
	return text;
}

/* A local part without its extension, in the case that it was written in. */
static const char *
base_of(const struct plan *p, const char *local)
{
	size_t n = table_extension(span_of(local),
	    p->r->agent->common.recipient_delimiter);

	return arena_span(p->r->arena, (struct span){ local, n });
}

/* propagate_unmatched_extensions: user+ext@domain for user@domain. */
static const char *
with_extension(struct plan *p, const struct step *step, const char *address)
{
	size_t at = span_rfind(span_of(address), '@');

	if (step->extension[0] == '\0' ||
	    !has_word(p->state->propagate, origin_words[step->origin]))
		return address;
	return arena_printf(p->r->arena, "%.*s%s%s", (int)at, address,
	    step->extension, address + at);
}

/* As lookup makes it of an address: site!user, user%domain, user@host. */
static const char *
completed(struct plan *p, const char *address)
{
	const char *text =
	    rewrite_address(&p->state->rules, span_of(address), p->r->arena);

	return text[0] != '\0' ? text : address;
}

/* "alone": it is the only one of its list. */
static enum verdict
expand_address(struct plan *p, const struct step *step, const char *address,
    bool alone)
{
	const char *local, *base;
	enum verdict v;

	address = with_extension(p, step, address);
	v = is_local(p, address, &local);
	if (v != OK)
		return v;
	if (local == NULL)
		return add_forward(p, step, address);
	base = base_of(p, local);
	if (!alone && !expanding_alias(step, local) &&
	    !expanding_alias(step, base) && !expanding_forward(step, base))
		return add_forward(p, step, address);
	return expand_local(p, step, local);
}

static enum verdict
expand_include(struct plan *p, const struct step *outer, const char *path)
{
	struct step step = step_within(outer, FROM_INCLUDE, outer->extension);
	const char *text;
	bool users;
	enum verdict v;

	step.include = path;
	step.person = outer->person;

	for (const struct step *s = outer; s != NULL; s = s->outer)
		if (s->include != NULL && strcmp(s->include, path) == 0)
			return loop(p, path);
	v = count(p, outer, COUNT_FILES, 1);
	if (v == OK)
		v = include_file_read(p, path, &step.person, &users, &text);
	if (v != OK)
		return v;
	step.users = step.users || users;
	v = count(p, &step, COUNT_BYTES, strlen(text));
	if (v != OK)
		return v;
	return expand_list(p, &step, text);
}

static enum verdict
expand_one(struct plan *p, const struct step *step, enum destination_kind kind,
    const char *text, bool alone)
{
	const struct local_params *own = &p->r->agent->own;
	const char *from = origin_words[step->origin];
	const struct person *person;
	enum verdict v;

	switch (kind) {
	case DESTINATION_ADDRESS:
		return expand_address(p, step, completed(p, text), alone);
	case DESTINATION_DIRECT:
		v = person_by_name(p->r->arena,
		    lower(p->r->arena, span_of(text)), &person, p->why);
		if (v == OK && person == NULL)
			v = why_set(p->why, "5.1.1", "unknown user: \"%s\"",
			    text);
		return v == OK ?
		    add_action(p, step, ACTION_MAILBOX, person->name, person) :
		    v;
	case DESTINATION_COMMAND:
		if (!has_word(own->allow_mail_to_commands, from))
			return restricted(p, "command");
		return add_action(p, step, ACTION_COMMAND, text,
		    rights_of(p, step));
	case DESTINATION_FILE:
		if (!has_word(own->allow_mail_to_files, from))
			return restricted(p, "file");
		return add_action(p, step, ACTION_FILE, text,
		    rights_of(p, step));
	case DESTINATION_INCLUDE:
		return expand_include(p, step, text);
	case DESTINATION_BAD:
		break;
	}
	return why_set(p->why, "5.1.3", "%s of %s: bad address syntax: %s",
	    from, p->to->address, text);
}

static enum verdict
expand_list(struct plan *p, const struct step *step, const char *text)
{
	bool alone = destinations_count(text, 2) == 1;
	struct span rest = span_of(text);
	struct buf one = BUF_INIT(65536);
	enum destination_kind kind;
	enum verdict v = OK;

	if (step->depth > DEPTH_MAX)
		return loop(p, p->to->address);
	while (v == OK && destinations_next(&rest, &kind, &one)) {
		v = count(p, step, COUNT_ENTRIES, 1);
		if (v == OK)
			v = expand_one(p, step, kind,
			    arena_text(p->r->arena, buf_text(&one)), alone);
	}
	buf_fini(&one);
	return v;
}

/* *done: this was an alias, and v says what came of it. */
static enum verdict
expand_alias(struct plan *p, const struct step *outer, const char *name,
    const char *extension, bool *done)
{
	struct step step = step_within(outer, FROM_ALIAS, extension);
	const char *value;
	enum verdict v;
	uid_t owner = 0;

	step.alias = name;
	*done = false;
	if (expanding_alias(outer, name))
		return OK;
	v = plan_find_alias(p, name, &value, &owner);
	if (v == OK && value != NULL && destinations_count(value, 1) == 0) {
		log_warning("alias %s is empty", name);
		return OK;
	}
	if (v != OK || value == NULL)
		return v;
	*done = true;
	/* root's own too, if a user led to it: he may do so many times */
	step.users = step.users || owner != 0;
	if (owner != 0)
		step.person = person_by_uid(p->r->arena, owner);
	v = plan_take_owner(p, name);
	return v == OK ? expand_list(p, &step, value) : v;
}

/*
 * Ourselves again, by name or because nobody is named: mail would come back as
 * often as it is sent. Refused now: nothing has been done yet that the next
 * attempt would repeat.
 */
static enum verdict
leads_elsewhere(struct plan *p, const char *transport)
{
	struct span text = span_of(transport);
	struct span name = span_take(text, span_find(text, ':'));

	if (name.n > 0 && !span_is(name, p->r->agent->service->name))
		return OK;
	log_warning("%s: transport \"%s\" leads back to this service",
	    p->r->m->queue_id, transport);
	return why_set(p->why, "4.3.5", "mail system configuration error");
}

/* mailbox_transport and its like; *transport NULL: none is set. */
static enum verdict
find_transport(struct plan *p, struct table_list *maps, const char *name,
    const char *maps_name, const char *fixed, const char **transport)
{
	struct buf value = BUF_INIT(4096);
	enum table_result t = TABLE_NONE;
	enum verdict v = OK;

	*transport = fixed[0] != '\0' ? fixed : NULL;
	if (!table_list_empty(maps))
		t = table_list_lookup(maps, span_of(name), &value);
	if (t == TABLE_FOUND)
		*transport = arena_text(p->r->arena, buf_text(&value));
	else if (t != TABLE_NONE)
		v = agent_table_failed(p->why, t, maps_name, buf_text(&value));
	if (v == OK && *transport != NULL) {
		*transport =
		    arena_span(p->r->arena, span_trim(span_of(*transport)));
		v = leads_elsewhere(p, *transport);
	}
	buf_fini(&value);
	return v;
}

/*
 * SECURITY: $local and its kin are a stranger's words. What they make is one
 * address, whatever is in it: read as a list of destinations, "|command" or
 * ":include:" in a recipient would be obeyed. An "@" in a local part would
 * choose the domain.
 */
static enum verdict
expand_luser(struct plan *p, const struct step *outer, const char *name)
{
	const struct local_params *own = &p->r->agent->own;
	struct step step = step_within(outer, FROM_ALIAS, "");
	struct buf address = BUF_INIT(MAIL_ADDRESS_MAX);
	enum verdict v;

	step.relayed = true;
	if (own->luser_relay[0] == '\0' || (outer && outer->relayed) ||
	    strchr(p->local, '@') != NULL)
		return why_set(p->why, "5.1.1", "unknown user: \"%s\"", name);
	if (!plan_expand(p, NULL, own->luser_relay, NULL, &address) ||
	    address.n == 0 || span_has_break(buf_span(&address)))
		v = why_set(p->why, "4.3.5",
		    "mail system configuration error: luser_relay");
	else
		v = expand_address(p, &step,
		    arena_text(p->r->arena, buf_text(&address)), true);
	buf_fini(&address);
	return v;
}

static enum verdict
expand_unknown(struct plan *p, const struct step *step, const char *name)
{
	const struct local_params *own = &p->r->agent->own;
	const char *transport;
	enum verdict v =
	    find_transport(p, p->state->fallback_transport_maps, name,
		"fallback_transport_maps", own->fallback_transport, &transport);

	if (v != OK)
		return v;
	if (transport != NULL)
		return add_action(p, step, ACTION_TRANSPORT, transport, NULL);
	return expand_luser(p, step, name);
}

static enum verdict
expand_mailbox(struct plan *p, const struct step *step, const char *name,
    const struct person *person)
{
	const struct local_params *own = &p->r->agent->own;
	const char *transport;
	enum verdict v = find_transport(p, p->state->mailbox_transport_maps,
	    name, "mailbox_transport_maps", own->mailbox_transport, &transport);

	if (v != OK)
		return v;
	if (transport != NULL)
		return add_action(p, step, ACTION_TRANSPORT, transport, person);
	if (person == NULL)
		return expand_unknown(p, step, name);
	return add_action(p, step, ACTION_MAILBOX, person->name, person);
}

static enum verdict
expand_person(struct plan *p, const struct step *outer, const char *name,
    const char *extension, const struct person *person)
{
	struct step step = step_within(outer, FROM_FORWARD, extension);
	const char *text = NULL;
	bool for_extension = false;
	enum verdict v = OK;

	step.forward_of = person->name;
	step.users = step.users || person->uid != 0;
	step.person = person;
	if (!expanding_forward(outer, person->name))
		v = forward_file_read(p, person, &text, &for_extension);
	if (for_extension)
		step.extension = "";
	if (v != OK)
		return v;
	if (text == NULL || destinations_count(text, 1) == 0)
		return expand_mailbox(p, outer, name, person);
	return expand_list(p, &step, text);
}

/* A local part: an alias, a user, or neither; with and without extension. */
static enum verdict
expand_local(struct plan *p, const struct step *step, const char *local)
{
	const char *name = lower(p->r->arena, span_of(local));
	const char *base = base_of(p, name);
	const char *extension = name + strlen(base);
	const struct person *person;
	bool done;
	enum verdict v;

	if (step != NULL && step->depth > DEPTH_MAX)
		return loop(p, name);
	v = expand_alias(p, step, name, "", &done);
	if (v != OK || done)
		return v;
	if (extension[0] != '\0') {
		v = expand_alias(p, step, base, extension, &done);
		if (v != OK || done)
			return v;
	}
	v = person_by_name(p->r->arena, base, &person, p->why);
	if (v != OK)
		return v;
	return person != NULL ?
	    expand_person(p, step, base, extension, person) :
	    expand_mailbox(p, step, base, NULL);
}

static void
split_recipient(struct plan *p)
{
	struct arena *a = p->r->arena;
	struct span user, domain;
	size_t n;

	if (!mail_address_split(span_of(p->to->address), &user, &domain)) {
		user = span_of(p->to->address);
		domain = span_of(p->r->agent->common.myorigin);
	}
	p->local = lower(a, user);
	p->user = base_of(p, p->local);
	n = strlen(p->user);
	p->extension = n < user.n ? p->local + n + 1 : NULL;
	p->domain = lower(a, domain);
}

enum verdict
plan_make(struct plan *p)
{
	p->last = &p->first;
	p->sender = p->r->m->sender;
	split_recipient(p);
	if (p->local[0] == '\\')
		return why_set(p->why, "5.1.3", "bad address syntax");
	return expand_local(p, NULL, p->local);
}
