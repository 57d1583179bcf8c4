/* SPDX-License-Identifier: ISC */
#include "pickup/drop_return.h"

#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/mail/mail_address.h"
#include "lib/service/service.h"

enum {
	ORIGINAL_MAX = 50000, /* more of the message is not returned */
	REPORT_MAX = ORIGINAL_MAX + (1 << 20),
	RECIPIENTS_TOLD = 100,
};

/* The beginning of the content; *whole: all of it. */
static void
read_original(int fd, struct buf *out, bool *whole)
{
	struct drop_reader *in;
	struct arena *a = arena_new();
	struct drop_envelope e;
	struct span chunk;
	enum drop_read result = DROP_ERROR;

	*whole = false;
	if (lseek(fd, 0, SEEK_SET) == 0) {
		in = drop_reader_new(fd);
		result = drop_read_envelope(in, a, &e);
		while (result == DROP_OK && out->n < ORIGINAL_MAX) {
			result = drop_read_chunk(in, &chunk);
			if (result == DROP_OK)
				buf_add_span(out,
				    span_take(chunk, ORIGINAL_MAX - out->n));
		}
		drop_reader_free(&in);
	}
	*whole = result == DROP_ENDED;
	arena_free(&a);
}

static void
add_head(struct buf *b, const struct common_params *c, const char *id,
    const struct drop_envelope *e)
{
	buf_printf(b, "From: MAILER-DAEMON (Mail Delivery System)\nTo: ");
	mail_address_quote(span_of(e->sender), b);
	buf_printf(b,
	    "\nSubject: Undelivered Mail Returned to Sender\n"
	    "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
	    "Content-Type: multipart/report; report-type=delivery-status;\n"
	    "\tboundary=\"%s/%s\"\n\n",
	    id, c->myhostname);
}

static void
begin_part(struct buf *b, const struct common_params *c, const char *id,
    const char *type)
{
	buf_printf(b, "\n--%s/%s\nContent-Type: %s\n\n", id, c->myhostname,
	    type);
}

static void
add_status(struct buf *b, const struct common_params *c, const char *id,
    const struct drop_envelope *e, const char *dsn, const char *why)
{
	buf_printf(b, "Reporting-MTA: dns; %s\nX-%s-Queue-ID: %s\n",
	    c->myhostname, c->mail_name, id);
	for (size_t i = 0; i < e->recipient_count && i < RECIPIENTS_TOLD; i++) {
		buf_add_text(b, "\nFinal-Recipient: rfc822; ");
		mail_address_quote(span_of(e->recipients[i].address), b);
		buf_printf(b,
		    "\nAction: failed\nStatus: %s\n"
		    "Diagnostic-Code: X-%s; %s\n",
		    dsn, c->mail_name, why);
	}
}

static void
compose(struct buf *b, const struct common_params *c, const char *id, int fd,
    const struct drop_envelope *e, const char *dsn, const char *why)
{
	struct buf original = BUF_INIT(ORIGINAL_MAX + 1);
	bool whole;

	read_original(fd, &original, &whole);
	add_head(b, c, id, e);
	begin_part(b, c, id, "text/plain; charset=us-ascii");
	buf_printf(b,
	    "This is the mail system at host %s.\n\n"
	    "Your message could not be accepted:\n\n    %s\n\n"
	    "%s of it is attached.\n",
	    c->myhostname, why, whole ? "All" : "The beginning");
	begin_part(b, c, id, "message/delivery-status");
	add_status(b, c, id, e, dsn, why);
	begin_part(b, c, id,
	    whole ? "message/rfc822\n"
		    "Content-Transfer-Encoding: 8bit" :
		    "text/plain");
	buf_add_span(b, buf_span(&original));
	buf_printf(b, "\n--%s/%s--\n", id, c->myhostname);
	buf_fini(&original);
}

static void
send_report(struct ipc *c, const struct msg_submit *m, struct span content)
{
	struct msg_submit_end end = { .size = content.n };

	ipc_put(c, &message_submit, m);
	while (content.n > 0) {
		struct span part = span_take(content, IPC_CHUNK_MAX);

		ipc_put_chunk(c, part.p, part.n);
		content = span_skip(content, part.n);
	}
	ipc_put_chunk(c, "", 0);
	ipc_put(c, &message_submit_end, &end);
}

enum verdict
drop_return(const struct common_params *common, const char *id, int fd,
    const struct drop_envelope *e, const char *dsn, const char *why)
{
	struct msg_submit_recipient to = { .address = e->sender,
		.original = "",
		.orcpt = "",
		.transport = "",
		.nexthop = "" };
	struct msg_submit m = { .queue_id = "",
		.origin = "bounce",
		.sender = "",
		.full_name = "",
		.envid = "",
		.trusted = true,
		.dot_lf = true,
		.client = "pickup",
		.trace = "",
		.recipients = { &to, 1 } };
	int64_t deadline = clock_in(common->ipc_timeout);
	struct ipc *c = service_ask("cleanup", &protocol_cleanup, deadline);
	struct buf report = BUF_INIT(REPORT_MAX);
	const void *message;
	enum verdict v = LATER;
	enum ipc_result r;

	if (c == NULL)
		return LATER;
	compose(&report, common, id, fd, e, dsn, why);
	send_report(c, &m, buf_span(&report));
	r = ipc_flush(c, deadline);
	if (r == IPC_OK)
		r = ipc_expect(c, &message_submit_result, &message, deadline);
	if (r == IPC_OK)
		v = (enum verdict)((const struct msg_submit_result *)message)
			->verdict;
	service_done("cleanup", &c, r == IPC_OK);
	buf_fini(&report);
	return v;
}
