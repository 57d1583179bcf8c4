/* SPDX-License-Identifier: ISC */
/*
 * The TRANSACTION and UPDATE states: RFC 1939 sections 5 to 7.
 */
#include "pop3d/session.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/store/mbox_store.h"
#include "pop3d/command.h"
#include "pop3d/unique_ids.h"

struct dialogue {
	struct pop3_client *client;
	struct stream *io;
	struct store *store;
	unsigned char *marks; /* one for each message: enum mark */
	struct pop3_counts counts;
	int64_t errors;
	bool quit;
	const char *end; /* why, for the log; NULL: QUIT */
};

enum mark { MARK_DELETED = 1, MARK_SEEN = 2 };

static bool
is_deleted(const struct dialogue *d, size_t i)
{
	return (d->marks[i] & MARK_DELETED) != 0;
}

static void
temporary(struct dialogue *d, const struct why *why)
{
	log_warning("user=<%s>, session=%s: %s", d->client->user, d->client->id,
	    why->text);
	stream_text(d->io,
	    "-ERR [SYS/TEMP] The mailbox cannot be read now\r\n");
}

/* Size of a message; false when that has been answered with an error. */
static bool
size_of(struct dialogue *d, size_t i, uint64_t *size)
{
	struct why why;

	switch (store_size(d->store, i, size, &why)) {
	case STORE_OK:
		return true;
	case STORE_GONE:
		*size = 0; /* somebody else removed it; it keeps its number */
		return true;
	default:
		temporary(d, &why);
		return false;
	}
}

/* What is not marked as deleted. */
static bool
totals(struct dialogue *d, uint64_t *count, uint64_t *bytes)
{
	uint64_t size;

	*count = *bytes = 0;
	for (size_t i = 0; i < store_count(d->store); i++) {
		if (is_deleted(d, i))
			continue;
		if (!size_of(d, i, &size))
			return false;
		++*count;
		*bytes += size;
	}
	return true;
}

/* A message number; false when that has been answered with an error. */
static bool
message_argument(struct dialogue *d, struct span *rest, size_t *i)
{
	struct span argument;
	uint64_t number;

	if (!command_argument(rest, &argument) ||
	    !command_number(argument, UINT32_MAX, &number)) {
		d->errors++;
		stream_text(d->io, "-ERR A message number is wanted\r\n");
	} else if (number > store_count(d->store)) {
		stream_printf(d->io, "-ERR There is no message %llu\r\n",
		    (unsigned long long)number);
	} else if (is_deleted(d, number - 1)) {
		stream_printf(d->io, "-ERR Message %llu is deleted\r\n",
		    (unsigned long long)number);
	} else {
		*i = (size_t)number - 1;
		return true;
	}
	return false;
}

static void
do_stat(struct dialogue *d, struct span rest)
{
	uint64_t count, bytes;

	(void)rest;
	if (totals(d, &count, &bytes))
		stream_printf(d->io, "+OK %llu %llu\r\n",
		    (unsigned long long)count, (unsigned long long)bytes);
}

static void
list_all(struct dialogue *d)
{
	uint64_t count, bytes, size;

	if (!totals(d, &count, &bytes))
		return;
	stream_printf(d->io, "+OK %llu messages (%llu octets)\r\n",
	    (unsigned long long)count, (unsigned long long)bytes);
	for (size_t i = 0; i < store_count(d->store); i++)
		if (!is_deleted(d, i) && size_of(d, i, &size))
			stream_printf(d->io, "%zu %llu\r\n", i + 1,
			    (unsigned long long)size);
	stream_text(d->io, ".\r\n");
}

static void
do_list(struct dialogue *d, struct span rest)
{
	uint64_t size;
	size_t i;

	if (span_trim(rest).n == 0)
		list_all(d);
	else if (message_argument(d, &rest, &i) && size_of(d, i, &size))
		stream_printf(d->io, "+OK %zu %llu\r\n", i + 1,
		    (unsigned long long)size);
}

static void
do_uidl(struct dialogue *d, struct span rest)
{
	size_t i;

	if (span_trim(rest).n > 0) {
		if (message_argument(d, &rest, &i))
			stream_printf(d->io, "+OK %zu %s\r\n", i + 1,
			    store_unique(d->store, i));
		return;
	}
	stream_text(d->io, "+OK\r\n");
	for (i = 0; i < store_count(d->store); i++)
		if (!is_deleted(d, i))
			stream_printf(d->io, "%zu %s\r\n", i + 1,
			    store_unique(d->store, i));
	stream_text(d->io, ".\r\n");
}

static bool
fetch(struct dialogue *d, size_t i, struct store_blob *blob)
{
	struct why why;

	switch (store_fetch(d->store, i, blob, &why)) {
	case STORE_OK:
		return true;
	case STORE_GONE:
		stream_printf(d->io,
		    "-ERR Message %zu is gone: another"
		    " program has removed it\r\n",
		    i + 1);
		return false;
	default:
		temporary(d, &why);
		return false;
	}
}

/* Half a message cannot be taken back: the connection ends. */
static void
broken(struct dialogue *d, enum io r)
{
	d->quit = true;
	d->end = r == IO_ERROR ? stream_error(d->io) : io_name(r);
}

static void
do_retr(struct dialogue *d, struct span rest)
{
	struct store_blob blob;
	uint64_t size, sent = 0;
	size_t i;
	enum io r;

	if (!message_argument(d, &rest, &i) || !fetch(d, i, &blob))
		return;
	if (size_of(d, i, &size)) {
		stream_printf(d->io, "+OK %llu octets\r\n",
		    (unsigned long long)size);
		r = send_message(d->io, &blob, UINT64_MAX, &sent);
		if (r != IO_OK)
			broken(d, r);
		else
			d->marks[i] |= MARK_SEEN;
		d->counts.retrieved++;
		d->counts.bytes += sent;
	}
	store_blob_close(&blob);
}

static void
do_top(struct dialogue *d, struct span rest)
{
	struct store_blob blob;
	struct span argument;
	uint64_t lines, sent = 0;
	size_t i;
	enum io r;

	if (!message_argument(d, &rest, &i))
		return;
	if (!command_argument(&rest, &argument) ||
	    !span_u64(argument, UINT32_MAX, &lines)) {
		d->errors++;
		stream_text(d->io, "-ERR A number of lines is wanted\r\n");
		return;
	}
	if (!fetch(d, i, &blob))
		return;
	stream_text(d->io, "+OK\r\n");
	r = send_message(d->io, &blob, lines, &sent);
	if (r != IO_OK)
		broken(d, r);
	d->counts.bytes += sent;
	store_blob_close(&blob);
}

static void
do_dele(struct dialogue *d, struct span rest)
{
	size_t i;

	if (!message_argument(d, &rest, &i))
		return;
	d->marks[i] |= MARK_DELETED;
	stream_printf(d->io, "+OK Message %zu will be deleted\r\n", i + 1);
}

static void
do_rset(struct dialogue *d, struct span rest)
{
	(void)rest;
	for (size_t i = 0; i < store_count(d->store); i++)
		d->marks[i] &= (unsigned char)~MARK_DELETED;
	stream_text(d->io, "+OK\r\n");
}

static void
do_noop(struct dialogue *d, struct span rest)
{
	(void)rest;
	stream_text(d->io, "+OK\r\n");
}

static void
do_capa(struct dialogue *d, struct span rest)
{
	(void)rest;
	stream_printf(d->io,
	    "+OK Capability list follows\r\n"
	    "TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n"
	    "EXPIRE NEVER\r\nLOGIN-DELAY 0\r\nIMPLEMENTATION %s\r\n.\r\n",
	    d->client->settings->stage.settings.common.mail_name);
}

static void
not_removed(struct dialogue *d, const struct why *why, bool *all)
{
	log_warning("user=<%s>, session=%s: %s", d->client->user, d->client->id,
	    why->text);
	*all = false;
}

/*
 * UPDATE: what was marked goes. A message that somebody else has removed
 * already counts as removed.
 */
static void
do_quit(struct dialogue *d, struct span rest)
{
	bool all = true, mark = !d->client->settings->pop3.pop3_no_flag_updates;
	uint64_t deleted = 0;
	struct why why;

	(void)rest;
	for (size_t i = 0; i < store_count(d->store); i++) {
		if (!is_deleted(d, i)) {
			if (mark && (d->marks[i] & MARK_SEEN) != 0)
				(void)store_add_flags(d->store, i, STORE_SEEN,
				    &why);
			continue;
		}
		if (store_expunge(d->store, i, &why) == STORE_FAILED)
			not_removed(d, &why, &all);
		else
			deleted++;
	}
	if (store_commit(d->store, &why) == STORE_OK)
		d->counts.deleted = deleted;
	else
		not_removed(d, &why, &all);
	d->quit = true;
	stream_text(d->io,
	    all ? "+OK Good bye\r\n" :
		  "-ERR [SYS/TEMP] Some deleted messages are not removed\r\n");
}

static const struct verb {
	const char *keyword;
	void (*act)(struct dialogue *d, struct span rest);
} verbs[] = {
#define AUTHORIZATION(...)
#define TRANSACTION(keyword, act) { keyword, act },
#include "pop3d/verbs.def"
#undef AUTHORIZATION
#undef TRANSACTION
};

static bool
act(struct dialogue *d, struct span line)
{
	struct command c;

	if (!command_parse(line, &c))
		return false;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is_nocase(c.keyword, verbs[i].keyword)) {
			verbs[i].act(d, c.rest);
			return true;
		}
	return false;
}

static void
converse(struct dialogue *d)
{
	const struct pop3d_params *p = &d->client->settings->pop3;
	struct span line;
	enum io r = IO_OK;

	stream_text(d->io, "+OK Logged in\r\n");
	while (!d->quit &&
	    (r = stream_line(d->io, COMMAND_LINE_MAX, &line, NULL)) == IO_OK) {
		if (!act(d, line)) {
			d->errors++;
			stream_text(d->io, "-ERR Unknown command\r\n");
		}
		if (d->errors <= p->pop3_error_limit || d->quit)
			continue;
		stream_text(d->io, "-ERR Too many errors, good bye\r\n");
		d->end = "too many errors: see pop3_error_limit";
		return;
	}
	if (d->quit)
		return;
	d->end = r == IO_TIMEOUT ? "timeout: see pop3_timeout" :
	    r == IO_LONG         ? "line too long" :
	    r == IO_CANCELLED    ? "the server stops" :
	    r == IO_ERROR        ? stream_error(d->io) :
				   "lost connection";
	if (r == IO_TIMEOUT)
		stream_text(d->io, "-ERR Disconnected for inactivity\r\n");
	else if (r == IO_LONG)
		stream_text(d->io, "-ERR Line too long\r\n");
	else if (r == IO_CANCELLED)
		stream_text(d->io, "-ERR [SYS/TEMP] The server stops\r\n");
}

static void
log_end(const struct dialogue *d)
{
	const struct pop3_client *c = d->client;

	log_info("logout user=<%s>%s, client=%s, session=%s, retrieved=%llu,"
		 " bytes=%llu, deleted=%llu, left=%llu%s%s%s",
	    c->user, c->behind, c->client, c->id,
	    (unsigned long long)d->counts.retrieved,
	    (unsigned long long)d->counts.bytes,
	    (unsigned long long)d->counts.deleted,
	    (unsigned long long)(store_count(d->store) - d->counts.deleted),
	    d->end == NULL ? "" : ", reason=(", d->end == NULL ? "" : d->end,
	    d->end == NULL ? "" : ")");
}

static void
transaction(struct dialogue *d)
{
	const struct pop3_client *c = d->client;

	log_info("login user=<%s>%s, client=%s, method=%s, tls=%s, session=%s,"
		 " messages=%zu",
	    c->user, c->behind, c->client, c->method,
	    c->tls[0] == '\0' ? "none" : c->tls, c->id, store_count(d->store));
	d->marks = mem_array(store_count(d->store) + 1, 1);
	converse(d);
	log_end(d);
	free(d->marks);
}

static enum store_result
open_mailbox(const struct pop3_client *c, struct store **out, struct why *why)
{
	const struct store_ids *ids = NULL;

	if (c->mbox != NULL)
		return mbox_store_open(c->mbox, true, out, why);
	if (c->mail_exists && !unique_ids_take(c->mail, &ids, why))
		return STORE_FAILED;
	return store_open(c->mail, true, ids, out, why);
}

void
dialogue_run(struct pop3_client *c)
{
	struct dialogue d = { .client = c, .io = c->io };
	struct why why;

	stream_timeout(c->io, c->settings->pop3.pop3_timeout * 1000);
	switch (open_mailbox(c, &d.store, &why)) {
	case STORE_OK:
		transaction(&d);
		break;
	case STORE_IN_USE:
		log_info("in use: user=<%s>, client=%s, session=%s: %s",
		    c->user, c->client, c->id, why.text);
		stream_text(c->io,
		    "-ERR [IN-USE] Another session or program has the"
		    " mailbox, try again later\r\n");
		break;
	default:
		temporary(&d, &why);
		break;
	}
	/* unlocked before the client hears the last word */
	store_close(&d.store);
	stream_flush(c->io);
}
