/* SPDX-License-Identifier: ISC */
#include "smtpd/room.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/keyed_hash.h"
#include "lib/ipc/proto_quota.h"
#include "lib/log/log.h"
#include "lib/mail/resolve.h"
#include "lib/service/service.h"
#include "smtpd/checks.h"
#include "smtpd/resolve_cache.h"
#include "smtpd/session.h"

enum { ANSWER_DEADLINE_S = 30 };

static const char service[] = "quota";

/*
 * Addresses without a limit, so that where there are no quotas only the first
 * message of a minute costs a question. By hash, which nobody outside can aim
 * at; an address that collides is that of a full mailbox, which refuses then.
 */
enum { REMEMBERED = 4096, REMEMBER_MS = 60000 };

static struct {
	uint64_t hash;
	int64_t until;
} unlimited[REMEMBERED];

static uint64_t
hash_of(const char *address)
{
	return keyed_hash(address, strlen(address));
}

static bool
known_unlimited(uint64_t hash)
{
	return unlimited[hash % REMEMBERED].hash == hash &&
	    unlimited[hash % REMEMBERED].until > clock_ms();
}

static void
remember_unlimited(uint64_t hash)
{
	unlimited[hash % REMEMBERED].hash = hash;
	unlimited[hash % REMEMBERED].until = clock_ms() + REMEMBER_MS;
}

static enum verdict
ask(const struct msg_quota_room *question)
{
	int64_t deadline = clock_in(ANSWER_DEADLINE_S);
	struct ipc *c = service_ask(service, &protocol_quota, deadline);
	const struct msg_quota_answer *answer;
	enum verdict v = LATER;
	const void *message;
	bool whole = false;

	if (c == NULL)
		return LATER;
	if (ipc_send(c, &message_quota_room, question, deadline) == IPC_OK &&
	    ipc_expect(c, &message_quota_answer, &message, deadline) ==
		IPC_OK) {
		answer = message;
		v = (enum verdict)answer->verdict;
		if (v == OK && !answer->limited)
			remember_unlimited(hash_of(question->address));
		whole = true;
	} else {
		log_warning("no answer from %s", service);
	}
	service_done(service, &c, whole);
	return v;
}

/* Of RFC 1870's 20 digits; more than what can be asked for fits nowhere. */
static uint64_t
announced(const struct session *s)
{
	return s->mail->size < INT64_MAX ? s->mail->size : INT64_MAX;
}

static bool
has_mailbox_here(const struct msg_resolved_item *r)
{
	return r->verdict == OK && r->final &&
	    (r->class == CLASS_LOCAL || r->class == CLASS_VIRTUAL_MAILBOX) &&
	    (strcmp(r->transport, "local") == 0 ||
		strcmp(r->transport, "virtual") == 0);
}

enum decision
check_room(struct evaluation *e)
{
	const struct msg_resolved_item *r;
	struct msg_quota_room question;
	bool defer;

	if (!e->s->p->smtpd_reject_full_mailboxes || e->recipient == NULL)
		return DUNNO;
	r = resolve_recipient(e->s, e->recipient);
	if (r == NULL || !has_mailbox_here(r))
		return DUNNO;
	if (known_unlimited(hash_of(r->address)))
		return DUNNO;
	question = (struct msg_quota_room){
		.address = r->address,
		.local = r->class == CLASS_LOCAL,
		.size = announced(e->s),
	};
	if (ask(&question) != NEVER)
		return DUNNO;
	defer = e->s->config->common->quota_full_tempfail;
	return refuse_stage(e, STAGE_RECIPIENT, defer ? 452 : 552,
	    defer ? "4.2.2" : "5.2.2", "Mailbox is full");
}
