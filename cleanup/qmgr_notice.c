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
};

/* Kept for all messages: what is asked of a pool costs a call each time. */
static struct ipc *qmgr;

/*
 * If it cannot be told now, qmgr finds the file when it looks through
 * incoming. A connection that fails may be to a qmgr that has ended.
 */
static void
send_notice(const struct msg_queued *m)
{
	int64_t deadline = clock_in(NOTICE_S);
	enum ipc_result r = IPC_ERROR;

	for (int tries = 0; tries < 2 && r != IPC_OK; tries++) {
		if (qmgr == NULL)
			qmgr = service_ask("qmgr", &protocol_qmgr, deadline);
		if (qmgr == NULL)
			return;
		r = m->recipients.count > NOTICE_SMALL ?
		    ipc_send(qmgr, &message_queued, m, deadline) :
		    ipc_send_now(qmgr, &message_queued, m);
		if (r == IPC_TIMEOUT && m->recipients.count <= NOTICE_SMALL)
			return;
		if (r != IPC_OK)
			service_done("qmgr", &qmgr, false);
	}
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
