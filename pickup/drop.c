/* SPDX-License-Identifier: ISC */
#include "pickup/drop.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/conf/receive_override.h"
#include "lib/ipc/proto_cleanup.h"
#include "lib/log/log.h"
#include "lib/mail/received.h"
#include "lib/queue/drop_file.h"
#include "lib/queue/queue_file.h"
#include "pickup/drop_return.h"

enum {
	/* postdrop died over it and never said that it was accepted */
	ABANDONED_S = 86400,
	TRACE_MAX = 4096,
};

/* What is known of one file. */
struct drop {
	const struct drop_settings *set;
	const char *id;
	int fd;
	uid_t uid;
	struct arena *arena;
	struct drop_envelope e;
	const char *why; /* it is corrupt */
};

/* To be tried with any queue file that is no longer wanted. */
static enum drop_result
unlink_it(const struct drop *d)
{
	if (queue_remove("maildrop", d->id) == 0)
		return DROP_TAKEN;
	log_error("%s: cannot remove maildrop file: %m", d->id);
	return DROP_LEFT;
}

static enum drop_result
move_to_corrupt(const struct drop *d, const char *why)
{
	if (queue_move(d->id, "maildrop", "corrupt") == 0) {
		log_warning("%s: uid=%ld: %s; moved to corrupt", d->id,
		    (long)d->uid, why);
		return DROP_TAKEN;
	}
	log_error("%s: cannot move maildrop file to corrupt: %m", d->id);
	return DROP_LEFT;
}

/*
 * postdrop makes a file readable for others as its last step but one. One
 * that stays unreadable for a day was abandoned.
 */
static enum drop_result
not_ready(const struct drop *d, const struct stat *st)
{
	if (st->st_mtime > clock_wall_us() / 1000000 - ABANDONED_S)
		return DROP_LEFT;
	log_warning("%s: uid=%ld: remove abandoned maildrop file", d->id,
	    (long)st->st_uid);
	return unlink_it(d);
}

static const char *
make_trace(const struct drop *d)
{
	struct buf b = BUF_INIT(TRACE_MAX);
	char local[64];
	struct received r = {
		.local = local,
		.hostname = d->set->common.myhostname,
		.mail_name = d->set->common.mail_name,
		.id = d->id,
		.when = queue_id_time(d->id) / 1000000,
	};
	const char *text;

	snprintf(local, sizeof(local), "userid %ld", (long)d->uid);
	text =
	    received_format(&r, &b) ? arena_text(d->arena, buf_text(&b)) : "";
	buf_fini(&b);
	return text;
}

static struct msg_submit
make_submit(const struct drop *d)
{
	struct msg_submit_recipient *items =
	    arena_alloc(d->arena, d->e.recipient_count * sizeof(*items));

	for (size_t i = 0; i < d->e.recipient_count; i++)
		items[i] = (struct msg_submit_recipient){
			.address = d->e.recipients[i].address,
			.original = "",
			.orcpt = d->e.recipients[i].orcpt,
			.notify = d->e.recipients[i].notify,
			.transport = "",
			.nexthop = "",
		};
	return (struct msg_submit){
		.queue_id = d->id,
		.origin = "pickup",
		.sender = d->e.sender,
		.full_name = d->e.full_name,
		.header_domain = "",
		.envid = d->e.envid,
		.ret = d->e.ret,
		.body = d->e.body,
		.trusted = !(d->e.notes & DROP_GATEWAY),
		.unmapped = d->set->left_out & RECEIVE_UNMAPPED,
		.unchecked = d->set->left_out & RECEIVE_UNCHECKED,
		.dot_lf = true,
		.extract = d->e.notes & DROP_EXTRACT,
		.extract_notify = d->e.extract_notify,
		.verify = d->e.notes & DROP_VERIFY,
		.trace_deliveries = d->e.notes & DROP_TRACE,
		.arrival = (uint64_t)queue_id_time(d->id),
		.client = arena_printf(d->arena, "uid=%ld", (long)d->uid),
		.trace = make_trace(d),
		.recipients = { items, d->e.recipient_count },
	};
}

/* The content, from the file to cleanup. False: d->why, or *r, says why. */
static bool
send_content(struct drop *d, struct drop_reader *in, struct ipc *c,
    uint64_t *size, enum ipc_result *r)
{
	enum drop_read result;
	struct span chunk;

	*r = IPC_OK;
	while (
	    (result = drop_read_chunk(in, &chunk)) == DROP_OK && *r == IPC_OK) {
		ipc_put_chunk(c, chunk.p, chunk.n);
		*size += chunk.n;
		*r = ipc_flush(c, clock_in(d->set->common.ipc_timeout));
	}
	if (result != DROP_ENDED && result != DROP_OK)
		d->why =
		    result == DROP_ERROR ? "read error" : "malformed content";
	return *r == IPC_OK && d->why == NULL;
}

/* One dialogue with cleanup. *result points into its connection. */
static enum ipc_result
submit(struct drop *d, struct drop_reader *in, struct ipc *c,
    const struct msg_submit_result **result)
{
	int64_t deadline = clock_in(d->set->common.ipc_timeout);
	struct msg_submit m = make_submit(d);
	struct msg_submit_end end = { 0 };
	const void *message;
	enum ipc_result r;

	ipc_put(c, &message_submit, &m);
	if (!send_content(d, in, c, &end.size, &r))
		return r == IPC_OK ? IPC_BROKEN : r;
	ipc_put_chunk(c, "", 0);
	ipc_put(c, &message_submit_end, &end);
	r = ipc_flush(c, deadline);
	if (r == IPC_OK)
		r = ipc_expect(c, &message_submit_result, &message, deadline);
	if (r == IPC_OK)
		*result = message;
	return r;
}

/* A message that will never be taken goes back to who sent it. */
static enum drop_result
refused(const struct drop *d, const char *dsn, const char *text)
{
	log_warning("%s: uid=%ld: refused: %s %s", d->id, (long)d->uid, dsn,
	    text);
	if (d->e.sender[0] == '\0')
		return move_to_corrupt(d,
		    "refused, and nobody to return it to");
	switch (drop_return(&d->set->common, d->id, d->fd, &d->e, dsn, text)) {
	case OK:
		return unlink_it(d);
	case LATER:
		return DROP_LEFT;
	case NEVER:
		break;
	}
	return move_to_corrupt(d, "cannot be returned either");
}

static enum drop_result
act_on(const struct drop *d, const struct msg_submit_result *result)
{
	switch ((enum verdict)result->verdict) {
	case OK:
		return unlink_it(d);
	case LATER:
		log_warning("%s: uid=%ld: stays in maildrop: %s", d->id,
		    (long)d->uid, result->text);
		return DROP_LEFT;
	case NEVER:
		break;
	}
	return refused(d, arena_text(d->arena, result->dsn),
	    arena_text(d->arena, result->text));
}

static enum drop_result
hand_over(struct drop *d, struct drop_reader *in)
{
	const struct msg_submit_result *result;
	struct ipc *c = service_ask("cleanup", &protocol_cleanup,
	    clock_in(d->set->common.ipc_timeout));
	enum drop_result outcome = DROP_NOBODY;
	enum ipc_result r;

	if (c == NULL)
		return DROP_NOBODY;
	log_info("%s: uid=%ld from=<%s>", d->id, (long)d->uid, d->e.sender);
	r = submit(d, in, c, &result);
	if (r == IPC_OK)
		outcome = act_on(d, result);
	else if (d->why == NULL)
		log_warning("%s: lost connection with cleanup: %s", d->id,
		    ipc_result_text(r));
	service_done("cleanup", &c, r == IPC_OK);
	return d->why ? move_to_corrupt(d, d->why) : outcome;
}

static enum drop_result
take_open(struct drop *d)
{
	struct drop_reader *in;
	enum drop_result outcome;
	struct stat st;

	if (fstat(d->fd, &st) < 0)
		return DROP_LEFT;
	d->uid = st.st_uid;
	if (!(st.st_mode & S_IROTH))
		return not_ready(d, &st);
	if (st.st_nlink != 1)
		return move_to_corrupt(d, "file with several names");
	if (!fd_is_written(d->fd))
		return move_to_corrupt(d, "parts of it were never written");
	in = drop_reader_new(d->fd);
	if (drop_read_envelope(in, d->arena, &d->e) == DROP_OK)
		outcome = hand_over(d, in);
	else
		outcome = move_to_corrupt(d, "malformed envelope");
	drop_reader_free(&in);
	return outcome;
}

/*
 * What cannot be opened is not ready, or no file at all: a link or a pipe,
 * which never was a message.
 */
static enum drop_result
not_opened(const struct drop *d)
{
	char path[QUEUE_PATH_MAX];
	struct stat st;

	queue_path("maildrop", d->id, path);
	if (lstat(path, &st) < 0)
		return DROP_LEFT;
	if (S_ISREG(st.st_mode))
		return not_ready(d, &st);
	log_warning("%s: uid=%ld: not a plain file; removed", d->id,
	    (long)st.st_uid);
	return unlink_it(d);
}

enum drop_result
drop_take(const struct drop_settings *set, const char *id)
{
	struct drop d = { .set = set,
		.id = id,
		.fd = queue_open("maildrop", id, false) };
	enum drop_result outcome;

	if (d.fd < 0)
		return not_opened(&d);
	d.arena = arena_new();
	outcome = take_open(&d);
	arena_free(&d.arena);
	fd_close(&d.fd);
	return outcome;
}
