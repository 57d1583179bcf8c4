/* SPDX-License-Identifier: ISC */
#include "qmgr/admit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/base/fdio.h"
#include "lib/ipc/proto_lookup.h"
#include "lib/log/log.h"
#include "lib/mail/mail_address.h"
#include "lib/queue/queue_file.h"
#include "lib/queue/queue_reason.h"
#include "qmgr/dispatch.h"
#include "qmgr/entry.h"
#include "qmgr/entry_file.h"
#include "qmgr/outcome.h"
#include "qmgr/patience.h"
#include "qmgr/report_recover.h"
#include "qmgr/route.h"
#include "qmgr/scan.h"
#include "qmgr/settings.h"
#include "qmgr/soon.h"

enum { LOOKUP_TIMEOUT_S = 60, RESOLVE_AT_ONCE = 1000 };

bool
admit_room(bool again)
{
	const struct qmgr_params *p = settings_params();
	int64_t messages = p->qmgr_message_active_limit;
	int64_t recipients = p->qmgr_message_recipient_limit;

	if (entry_count() == 0)
		return true;
	if (again) {
		messages -= messages / 4;
		recipients -= recipients / 4;
	}
	return (int64_t)entry_count() < messages &&
	    (int64_t)entry_recipients() < recipients;
}

static void
log_active(const struct entry *e)
{
	char from[MAIL_ADDRESS_SHOWN_MAX];

	log_info("%s: from=<%s>, size=%lld, nrcpt=%u (queue active)", e->id,
	    mail_address_shown(e->sender, from), (long long)e->content_size,
	    e->count);
}

/* The entry is complete: under way, or settled if nothing waits. */
static void
begin(struct entry *e)
{
	if (e->busy == 0)
		outcome_settle(e);
	else
		dispatch_entry(e);
}

static void
envelope_of(const struct msg_queued *n, struct queue_envelope *e,
    struct queue_recipient *to)
{
	const struct msg_queued_recipient *from = n->recipients.items;

	*e = (struct queue_envelope){
		.sender = n->sender,
		.envid = n->envid,
		.ret = (unsigned int)n->ret,
		.flags = (unsigned int)n->flags,
		.arrival = (int64_t)n->arrival,
		.client = "",
		.content_offset = (off_t)n->content_offset,
		.content_size = (off_t)n->content_size,
		.recipients = to,
		.recipient_count = n->recipients.count,
	};
	for (size_t i = 0; i < e->recipient_count; i++)
		to[i] = (struct queue_recipient){
			.address = from[i].address,
			.original = from[i].original,
			.orcpt = from[i].orcpt,
			.notify = (unsigned int)from[i].notify,
			.status = QUEUE_RECIPIENT_PENDING,
			.offset = (off_t)from[i].offset,
		};
}

bool
admit_notice(const struct msg_queued *n)
{
	const struct msg_queued_recipient *from = n->recipients.items;
	size_t count = n->recipients.count;
	struct queue_recipient *recipients;
	struct queue_envelope envelope;
	struct route *routes;
	struct entry *e;

	if (service_retiring())
		return true; /* the next qmgr finds it on disk */
	if (!queue_id_valid(n->queue_id) || count == 0) {
		log_warning("notice about a message without id or recipients");
		return true;
	}
	if (entry_find(n->queue_id) != NULL)
		return true; /* a scan was faster */
	if (!admit_room(false))
		return false;
	recipients = mem_array(count, sizeof(*recipients));
	routes = mem_array(count, sizeof(*routes));
	envelope_of(n, &envelope, recipients);
	e = entry_new(n->queue_id, "incoming", &envelope, clock_wall_us());
	for (size_t i = 0; i < count; i++)
		routes[i] = (struct route){ .transport = from[i].transport,
			.nexthop = from[i].nexthop };
	entry_add(e);
	log_active(e);
	route_entry(e, routes, false);
	begin(e);
	free(recipients);
	free(routes);
	return true;
}

/*
 * Where the recipients [first, first + count) of the entry go. False when
 * lookup gave no answer.
 */
static bool
ask_routes(const struct entry *e, uint32_t first, uint32_t count,
    struct route *routes, struct arena *a)
{
	struct msg_address_item *items = mem_array(count, sizeof(*items));
	const struct msg_resolve question = { .sender = e->sender,
		.sender_settled = true, /* by cleanup */
		.service = "",
		.accepted = true,
		.recipients = { items, count } };
	const struct service_question q = { &message_resolve, &question,
		&message_resolve_reply };
	const struct msg_resolve_reply *reply;
	const struct msg_resolved_item *found;
	struct ipc *lookup;
	bool done;

	for (uint32_t i = 0; i < count; i++)
		items[i].address = e->recipients[first + i].address;
	reply = service_question("lookup", &protocol_lookup, &q,
	    clock_in(LOOKUP_TIMEOUT_S), &lookup);
	free(items);
	done = reply != NULL && reply->results.count == count;
	if (!done)
		goto out;
	found = reply->results.items;
	for (uint32_t i = 0; i < count; i++)
		routes[first + i] = (struct route){
			.verdict = (enum verdict)found[i].verdict,
			.dsn = arena_text(a, found[i].dsn),
			.text = arena_text(a, found[i].text),
			.transport = arena_text(a, found[i].transport),
			.nexthop = arena_text(a, found[i].nexthop),
		};
out:
	service_done("lookup", &lookup, done);
	return done;
}

static bool
resolve(const struct entry *e, struct route *routes, struct arena *a)
{
	bool done = true;

	for (uint32_t at = 0; done && at < e->waiting; at += RESOLVE_AT_ONCE)
		done = ask_routes(e, at,
		    e->waiting - at < RESOLVE_AT_ONCE ? e->waiting - at :
							RESOLVE_AT_ONCE,
		    routes, a);
	return done;
}

/* The file is no good as a message. */
static enum admitted
refuse(const char *queue, const char *id, enum queue_read result)
{
	switch (result) {
	case QUEUE_INCOMPLETE:
		if (queue_remove_incomplete(queue, id) == 1)
			log_info("%s: unfinished file removed from queue "
				 "\"%s\"",
			    id, queue);
		return ADMITTED;
	case QUEUE_CORRUPT:
		log_warning("saving corrupt file \"%s\" from queue \"%s\" to "
			    "queue \"corrupt\"",
		    id, queue);
		if (queue_move(id, queue, "corrupt") == -1)
			log_error("%s: cannot move to corrupt: %s", id,
			    strerror(errno));
		return ADMITTED;
	case QUEUE_GONE:
		return ADMIT_GONE;
	case QUEUE_UNREADABLE:
	case QUEUE_OK:
		break;
	}
	log_warning("%s: cannot read %s/%s: %s", id, queue, id,
	    strerror(errno));
	return ADMITTED; /* each scan tries again */
}

/* One that was moved into a mailbox is its owner's; there it is kept. */
static enum admitted
leave_to_mailbox(const char *queue, const char *id)
{
	log_info("%s: is in a mailbox: its name in queue \"%s\", left by a"
		 " crash, is removed",
	    id, queue);
	queue_remove(queue, id);
	return ADMITTED;
}

static enum admitted
cannot_open(const char *queue, const char *id)
{
	int error = errno;

	if (error == ENOENT)
		return ADMIT_GONE;
	if (error == EACCES && queue_has_other_name(queue, id))
		return leave_to_mailbox(queue, id);
	errno = error;
	return refuse(queue, id, QUEUE_UNREADABLE);
}

/* It was given away, and may not have been cut yet. */
static bool
is_in_a_mailbox(int fd, const char *queue, const char *id)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_nlink > 1 &&
	    st.st_uid != geteuid() && queue_has_other_name(queue, id);
}

/* Reads the file and enters it in the table, so that it is there once. */
static enum admitted
read_entry(const char *queue, const char *id, struct arena *a,
    struct entry **out)
{
	enum admitted result = ADMITTED;
	struct queue_envelope envelope;
	enum queue_read read;
	int fd = queue_open(queue, id, true);

	*out = NULL;
	if (fd == -1)
		return cannot_open(queue, id);
	if (is_in_a_mailbox(fd, queue, id)) {
		fd_close(&fd);
		return leave_to_mailbox(queue, id);
	}
	read = queue_read_envelope(fd, id, a, &envelope);
	if (read == QUEUE_OK && !fd_is_written(fd))
		read = QUEUE_CORRUPT;
	if (read != QUEUE_OK)
		result = refuse(queue, id, read);
	else if (patience_in_use(fd, id) ||
	    !report_recover_message(fd, id, &envelope))
		result = ADMIT_IN_USE;
	fd_close(&fd);
	if (read != QUEUE_OK || result != ADMITTED)
		return result;
	*out = entry_new(id, queue, &envelope, clock_wall_us());
	if (*out == NULL) { /* a crash came between the last mark and unlink */
		log_info("%s: removed", id);
		queue_remove(queue, id);
		queue_reason_remove(id);
	} else {
		(*out)->noted = true;
		entry_add(*out);
	}
	return ADMITTED;
}

enum admitted
admit_file(const char *queue, const char *id, bool urgent)
{
	struct arena *a = arena_new();
	struct route *routes = NULL;
	enum admitted result = ADMITTED;
	struct entry *e = NULL;

	if (!service_retiring() && entry_find(id) == NULL)
		result = read_entry(queue, id, a, &e);
	if (e == NULL)
		goto out;
	routes = mem_array(e->count, sizeof(*routes));
	if (!resolve(e, routes, a)) {
		entry_free(&e);
		result = ADMIT_LATER;
		goto out;
	}
	e->urgent = urgent;
	if (service_retiring()) { /* since we asked: it is not ours now */
		entry_file_leave(e, urgent);
		entry_free(&e);
		goto out;
	}
	log_active(e);
	route_entry(e, routes, strcmp(queue, "deferred") == 0);
	begin(e);
out:
	if (result == ADMIT_IN_USE)
		soon_in_use(queue, id);
	free(routes);
	arena_free(&a);
	return result;
}
