/* SPDX-License-Identifier: ISC */
/* Restrictions that ask lookup what an address is, and whose. */
#include <stdio.h>
#include <string.h>

#include "lib/base/why.h"
#include "lib/conf/receive_override.h"
#include "lib/mail/author.h"
#include "lib/mail/mail_address.h"
#include "lib/mail/reply.h"
#include "lib/mail/resolve.h"
#include "smtpd/ask.h"
#include "smtpd/checks.h"
#include "smtpd/resolve_cache.h"

const struct msg_resolved_item *
evaluated_recipient(struct evaluation *e)
{
	return e->recipient == NULL ? NULL :
				      resolve_recipient(e->s, e->recipient);
}

/*
 * Ours, or somewhere we relay to. A local part that routes on ("user%else",
 * "else!user") has been followed by lookup.
 */
static bool
authorised(const struct msg_resolved_item *r)
{
	return r->class != CLASS_DEFAULT;
}

static enum decision
destination(struct evaluation *e, enum decision ours, int code)
{
	const struct msg_resolved_item *r;

	if (e->recipient == NULL)
		return DUNNO;
	r = evaluated_recipient(e);
	if (r == NULL)
		return refuse_lookup(e, e->recipient);
	if (r->verdict == LATER && !authorised(r))
		return refuse_lookup(e, e->recipient);
	if (authorised(r))
		return ours;
	if (code == 0)
		return DUNNO;
	return refuse_with(e, code, "5.7.1", "<%s>: Relay access denied",
	    e->recipient);
}

enum decision
check_auth_destination(struct evaluation *e, const char *argument)
{
	(void)argument;
	return destination(e, PERMIT, 0);
}

enum decision
check_unauth_destination(struct evaluation *e, const char *argument)
{
	(void)argument;
	return destination(e, DUNNO, (int)e->s->p->relay_domains_reject_code);
}

enum decision
check_defer_destination(struct evaluation *e, const char *argument)
{
	(void)argument;
	return destination(e, DUNNO, 454);
}

static int
unknown_code(const struct smtpd_params *p, uint64_t class)
{
	switch (class) {
	case CLASS_LOCAL:
		return (int)p->unknown_local_recipient_reject_code;
	case CLASS_RELAY:
		return (int)p->unknown_relay_recipient_reject_code;
	case CLASS_VIRTUAL_ALIAS:
		return (int)p->unknown_virtual_alias_reject_code;
	case CLASS_VIRTUAL_MAILBOX:
		return (int)p->unknown_virtual_mailbox_reject_code;
	default:
		return 550;
	}
}

/* transport_maps may send a recipient to "error:5.1.1 words" or "retry". */
static enum decision
transport_refuses(struct evaluation *e, const struct msg_resolved_item *r)
{
	bool retry = strcmp(r->transport, "retry") == 0;
	char dsn[WHY_DSN_MAX];
	struct span words = span_of(r->nexthop);

	if (!retry && strcmp(r->transport, "error") != 0)
		return DUNNO;
	memcpy(dsn, "5.0.0", 6);
	reply_take_dsn(&words, dsn);
	return refuse_stage(e, STAGE_RECIPIENT, retry ? 450 : 550, dsn,
	    words.n > 0 ? words.p : "undeliverable");
}

/* For mail that a filter brings back, and that was asked about before. */
static bool
leaves_unknown(const struct evaluation *e)
{
	return e->s->config->left_out & RECEIVE_UNKNOWN_RECIPIENTS;
}

enum decision
check_listed_recipient(struct evaluation *e, bool unlisted)
{
	const struct msg_resolved_item *r;

	if (e->recipient == NULL || leaves_unknown(e))
		return DUNNO;
	r = evaluated_recipient(e);
	if (r == NULL || (r->verdict == LATER && unlisted))
		return refuse_lookup(e, e->recipient);
	if (!unlisted)
		return DUNNO;
	if (r->verdict == NEVER)
		return refuse_stage(e, STAGE_RECIPIENT,
		    unknown_code(e->s->p, r->class), r->dsn, r->text);
	return transport_refuses(e, r);
}

enum decision
check_unlisted_recipient(struct evaluation *e, const char *argument)
{
	(void)argument;
	return check_listed_recipient(e, true);
}

enum decision
check_unlisted_sender(struct evaluation *e, const char *argument)
{
	struct arena *a;
	struct msg_address_item item = { e->sender };
	const struct msg_resolved_item *r;
	enum decision d = DUNNO;

	(void)argument;
	if (e->sender == NULL || e->sender[0] == '\0' || leaves_unknown(e))
		return DUNNO;
	a = arena_new();
	r = ask_resolve(a, e->s->config->service_key, "", true, &item, 1);
	if (r == NULL || r->verdict == LATER)
		d = refuse_lookup(e, e->sender);
	else if (r->verdict == NEVER)
		d = refuse_stage(e, STAGE_SENDER,
		    unknown_code(e->s->p, r->class),
		    strcmp(r->dsn, "5.1.1") == 0 ? "5.1.0" : r->dsn, r->text);
	arena_free(&a);
	return d;
}

enum owner { OWNER_NONE, OWNER_US, OWNER_OTHER, OWNER_UNKNOWN };

/* Who owns the sender address: smtpd_sender_login_maps. */
static enum owner
sender_owner(struct evaluation *e)
{
	const char *maps = e->s->p->smtpd_sender_login_maps;
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum owner owner = OWNER_NONE;

	if (maps[0] == '\0' || !e->s->p->smtpd_sasl_auth_enable)
		return OWNER_NONE; /* where nobody logs in nobody owns */
	switch (ask_address_tables(maps, span_of(e->sender), &value)) {
	case TABLE_FOUND:
		owner = author_owners_have(buf_text(&value), e->s->user) ?
		    OWNER_US :
		    OWNER_OTHER;
		break;
	case TABLE_NONE:
		break;
	default:
		owner = OWNER_UNKNOWN;
	}
	buf_fini(&value);
	return owner;
}

static enum decision
not_owner(struct evaluation *e)
{
	char words[400];

	snprintf(words, sizeof(words), "not owned by user %s",
	    e->s->user != NULL ? e->s->user : "");
	return refuse_stage(e, STAGE_SENDER, 553, "5.7.1", words);
}

/* smtpd_from_login_match: the same will be asked of the header. */
static void
authors_too(const struct evaluation *e, bool known_only)
{
	static const enum author_match asked[2][2] = {
		{ AUTHOR_ALL, AUTHOR_KNOWN },
		{ AUTHOR_WARN_ALL, AUTHOR_WARN_KNOWN },
	};
	enum author_match match = asked[e->warn_only][known_only];

	if (match > e->s->author_match)
		e->s->author_match = match;
}

/*
 * For clients that have logged in: is the sender theirs? The empty one is
 * everybody's, for receipts and reports that programs of users send.
 */
static enum decision
login_owns(struct evaluation *e, bool known_only)
{
	if (e->s->user == NULL || e->sender == NULL)
		return DUNNO;
	authors_too(e, known_only);
	if (e->sender[0] == '\0')
		return DUNNO;
	switch (sender_owner(e)) {
	case OWNER_US:
		return DUNNO;
	case OWNER_NONE:
		return known_only ? DUNNO : not_owner(e);
	case OWNER_UNKNOWN:
		return refuse_lookup(e, e->sender);
	default:
		return not_owner(e);
	}
}

enum decision
check_login_known(struct evaluation *e, const char *argument)
{
	(void)argument;
	return login_owns(e, false);
}

/* What is owned is nobody's who has not logged in. */
enum decision
check_login_missing(struct evaluation *e, const char *argument)
{
	(void)argument;
	if (e->s->user != NULL || e->sender == NULL || e->sender[0] == '\0')
		return DUNNO;
	switch (sender_owner(e)) {
	case OWNER_NONE:
		return DUNNO;
	case OWNER_UNKNOWN:
		return refuse_lookup(e, e->sender);
	default:
		return refuse_stage(e, STAGE_SENDER, 553, "5.7.1",
		    "not logged in");
	}
}

enum decision
check_login_owned(struct evaluation *e, const char *argument)
{
	return e->s->user != NULL ? login_owns(e, true) :
				    check_login_missing(e, argument);
}

enum decision
check_login_mismatch(struct evaluation *e, const char *argument)
{
	return e->s->user != NULL ? check_login_known(e, argument) :
				    check_login_missing(e, argument);
}
