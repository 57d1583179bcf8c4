/* SPDX-License-Identifier: ISC */
#include "cleanup/qmgr_notice.h"

#include "lib/base/clock.h"
#include "lib/ipc/proto_qmgr.h"
#include "lib/service/service.h"

enum {
	/*
	 * A notice of so few recipients goes as one piece or not at all; a
	 * larger one may wait a little.
	 */
	NOTICE_SMALL = 8,
	NOTICE_S = 2,
	/* until the next attempt; twice as long after each */
	OWED_LEAST_MS = 1000,
	OWED_MOST_MS = 30000,
	OWED_PATIENCE_MS = 300, /* master thinks that we are idle */
};

/* Kept for all messages: what is asked of a pool costs a call each time. */
static struct ipc *qmgr;
static bool owed; /* there was no connection: qmgr is to look */
static int64_t owed_pause;
static int64_t owed_next; /* not tried before */

static void
owe(void)
{
	if (owed)
		return;
	owed = true;
	owed_pause = OWED_LEAST_MS;
	owed_next = clock_ms() + owed_pause;
}

static bool
connect_qmgr(int64_t deadline)
{
	if (qmgr == NULL)
		qmgr = service_ask("qmgr", &protocol_qmgr, deadline);
	if (qmgr == NULL)
		owe();
	return qmgr != NULL;
}

static void
pay(int64_t deadline)
{
	static const struct msg_scan scan = { .all = false };

	for (int tries = 0; tries < 2 && owed && connect_qmgr(deadline);
	     tries++)
		if (ipc_send(qmgr, &message_scan, &scan, deadline) == IPC_OK)
			owed = false;
		else
			service_done("qmgr", &qmgr, false);
}

int64_t
qmgr_notice_owed(void)
{
	if (owed && clock_ms() >= owed_next) {
		pay(clock_ms() + OWED_PATIENCE_MS);
		owed_pause *= 2;
		if (owed_pause > OWED_MOST_MS)
			owed_pause = OWED_MOST_MS;
		owed_next = clock_ms() + owed_pause;
	}
	return owed ? owed_next : INT64_MAX;
}

/*
 * A connection that fails may be to a qmgr that has ended. One that is full is
 * closed: qmgr, when it has read what is in it, finds the end, and then looks
 * through incoming.
 */
static void
send_notice(const struct msg_queued *m)
{
	int64_t deadline = clock_in(NOTICE_S);
	enum ipc_result r = IPC_ERROR;

	for (int tries = 0; tries < 2 && r != IPC_OK; tries++) {
		if (!connect_qmgr(deadline))
			return;
		r = m->recipients.count > NOTICE_SMALL ?
		    ipc_send(qmgr, &message_queued, m, deadline) :
		    ipc_send_now(qmgr, &message_queued, m);
		if (r != IPC_OK)
			service_done("qmgr", &qmgr, false);
		if (r == IPC_TIMEOUT)
			return;
	}
	if (r != IPC_OK)
		owe();
	else if (owed)
		pay(deadline);
}

void
qmgr_notice(struct arena *a, const char *id, const struct queue_envelope *e,
    const struct recipient *recipients)
{
	struct msg_queued_recipient *items =
	    arena_alloc(a, e->recipient_count * sizeof(*items));
	struct msg_queued m = { .queue_id = id,
		.sender = e->sender,
		.envid = e->envid,
		.ret = e->ret,
		.flags = e->flags,
		.arrival = (uint64_t)e->arrival,
		.content_offset = (uint64_t)e->content_offset,
		.content_size = (uint64_t)e->content_size,
		.recipients = { items, e->recipient_count } };

	for (size_t i = 0; i < e->recipient_count; i++)
		items[i] = (struct msg_queued_recipient){
			.address = e->recipients[i].address,
			.original = e->recipients[i].original,
			.orcpt = e->recipients[i].orcpt,
			.notify = e->recipients[i].notify,
			.offset = (uint64_t)e->recipients[i].offset,
			.transport = recipients[i].transport,
			.nexthop = recipients[i].nexthop,
		};
	send_notice(&m);
}
