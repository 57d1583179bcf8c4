/* SPDX-License-Identifier: ISC */
/*
 * Waiting for whatever comes first: the client, or a change on disk. One task
 * of the process listens for the changes of all its sessions, for each account
 * that they look at: the user's own, and those of others that are shared.
 */
#include "imapd/session.h"

#include "imapd/namespaces.h"
#include "imapd/park.h"
#include "imapd/notify.h"
#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

enum {
	LOOK_MS = 800, /* where nothing tells of changes */
	PROGRESS_FIRST_MS = 5000,
	PROGRESS_MS = 10000,
};

static struct {
	struct mail_account *accounts[NAMESPACES_MAX + 1]; /* listened to */
	size_t count;
	uint64_t seen; /* mail_account_changes that were passed on */
	struct wait_queue changed;
} watch;

static void
listen_task(void *argument)
{
	struct mail_account *account = argument;
	int fd = mail_account_watch_fd(account);

	while (wait_fd(fd, WAIT_READ, INT64_MAX) == WAIT_READY) {
		mail_account_heed(account);
		wait_wake_all(&watch.changed);
	}
	wait_forget(fd);
	for (size_t i = 0; i < watch.count; i++)
		if (watch.accounts[i] == account)
			watch.accounts[i--] = watch.accounts[--watch.count];
}

/* False: there is nothing to listen to, one has to look. */
static bool
hear_account(struct mail_account *account)
{
	for (size_t i = 0; i < watch.count; i++)
		if (watch.accounts[i] == account)
			return true;
	if (mail_account_watch_fd(account) == -1 ||
	    watch.count > NAMESPACES_MAX ||
	    task_start(listen_task, account) == NULL)
		return false;
	watch.accounts[watch.count++] = account;
	return true;
}

static bool
hear(struct imap_session *s)
{
	struct mail_account *account;
	bool all = hear_account(s->account);

	if (s->notify == NULL)
		return s->mailbox == NULL ?
		    all :
		    all && hear_account(mailbox_account(s->mailbox));
	for (size_t i = 0; all && (account = namespaces_opened(i)) != NULL; i++)
		all = hear_account(account);
	return all;
}

void
imap_wake_others(struct imap_session *s)
{
	uint64_t changes =
	    mail_account_changes(s->account) + namespaces_changes();

	if (changes == watch.seen)
		return;
	watch.seen = changes;
	wait_wake_all(&watch.changed);
}

static bool
flush(struct imap_session *s)
{
	if (imap_send(s) == IO_OK && stream_flush(s->io) == IO_OK) {
		buf_fini(&s->out); /* nothing is kept while waiting */
		return true;
	}
	if (s->state != IMAP_LOGGED_OUT)
		imap_session_end(s, stream_error(s->io));
	return false;
}

void
imap_wake_all(void)
{
	wait_wake_all(&watch.changed);
}

/* Without a mailbox and NOTIFY no change is of interest. */
static bool
is_blind(struct imap_session *s)
{
	return (s->mailbox != NULL || s->notify != NULL) && !hear(s);
}

/* Looking at the disk now and then is no activity. */
static int64_t
park_at(struct imap_session *s)
{
	int64_t park = imap_park_at(s);

	if (park == INT64_MAX || s->out.n > 0)
		s->park_at = 0;
	if (park != INT64_MAX && s->park_at == 0)
		s->park_at = park;
	return park == INT64_MAX ? park : s->park_at;
}

static bool
is_parked(struct imap_session *s)
{
	s->park_at = 0;
	return imap_park(s) == PARKED;
}

enum imap_wake
imap_wait(struct imap_session *s, int64_t deadline)
{
	int64_t until = deadline, look = clock_ms() + LOOK_MS,
		park = park_at(s);
	bool look_myself = is_blind(s), woken = false;

	if (!flush(s))
		return WAKE_END;
	if (stream_buffered(s->io) > 0) {
		s->park_at = 0;
		return WAKE_CLIENT;
	}
	s->looked = s->rights_looked = false;
	if (look_myself && look < until)
		until = look;
	if (park < until)
		until = park;
	if (s->notify != NULL && notify_wake_at(s) < until)
		until = notify_wake_at(s);
	stream_rest(s->io);
	/* the answer is on its way, and nobody waits for this */
	if (s->mailbox != NULL)
		mailbox_rest(s->mailbox);
	switch (wait_fd_or(stream_fd(s->io), WAIT_READ, &watch.changed, until,
	    &woken)) {
	case WAIT_READY:
		if (woken)
			return WAKE_CHANGE;
		s->park_at = 0;
		stream_expect(s->io);
		return WAKE_CLIENT;
	case WAIT_TIMEOUT:
		return until == deadline          ? WAKE_TIME :
		    until == park && is_parked(s) ? WAKE_END :
						    WAKE_CHANGE;
	case WAIT_CANCELLED:
		break;
	}
	imap_session_bye(s, NULL, "The server stops", "the server stops");
	return WAKE_END;
}

/* Is it time to tell? The first time it only begins to count. */
static bool
progress_due(struct imap_session *s)
{
	int64_t now = clock_ms();

	if (s->told_progress == 0)
		s->told_progress = now + PROGRESS_FIRST_MS - PROGRESS_MS;
	if (now - s->told_progress < PROGRESS_MS)
		return false;
	s->told_progress = now;
	return true;
}

static void
write_progress(struct buf *out, const struct imap_command *c, uint64_t done,
    uint64_t all)
{
	buf_add_text(out, "* OK [INPROGRESS (");
	imap_write_string(out, c->tag, false);
	buf_printf(out, " %llu ", (unsigned long long)done);
	if (all > 0)
		buf_printf(out, "%llu", (unsigned long long)all);
	else
		buf_add_text(out, "NIL");
	buf_add_text(out, ")] Still at it\r\n");
}

bool
imap_progress(struct imap_session *s, const struct imap_command *c,
    uint64_t done, uint64_t all)
{
	if (s->state == IMAP_LOGGED_OUT)
		return false;
	if (progress_due(s)) {
		write_progress(&s->out, c, done, all);
		return flush(s);
	}
	if (wait_yield() != WAIT_CANCELLED)
		return true;
	imap_session_bye(s, NULL, "The server stops", "the server stops");
	return false;
}

void
imap_progress_held(struct imap_session *s, const struct imap_command *c,
    uint64_t done, uint64_t all)
{
	struct buf line = BUF_INIT(4096);

	if (s->out.n > 0 || s->broken || !progress_due(s))
		return;
	/* with nothing waiting to be sent, a line is no reason to wait */
	if (stream_offer(s->io)) {
		write_progress(&line, c, done, all);
		(void)!stream_write(s->io, line.p, line.n);
		(void)!stream_offer(s->io);
	}
	buf_fini(&line);
}
