/* SPDX-License-Identifier: ISC */
#include "imapd/park.h"

#include <string.h>
#include <unistd.h>

#include "imapd/context.h"
#include "imapd/namespaces.h"
#include "imapd/notify.h"
#include "imapd/parked_state.h"
#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/imap/imap_set.h"
#include "lib/log/log.h"
#include "lib/login/session_stage.h"

/* Who could not be kept waits so many times as long for another try. */
enum { STAY_TIMES = 20 };

int64_t
imap_park_at(const struct imap_session *s)
{
	int64_t after = s->params->imap_hibernate_timeout;
	struct span request;

	if (after == 0 || s->connection == NULL ||
	    (s->verb != NULL && s->idle_tag.p == NULL) ||
	    s->state == IMAP_LOGGED_OUT || imap_reader_pending(s->reader))
		return INT64_MAX;
	/* what has more of a memory than can be written down */
	if (s->notify != NULL && !notify_text(s, &request))
		return INT64_MAX;
	return clock_in(s->connection->stay ? after * STAY_TIMES : after);
}

/* What is written on its own first. */
struct parts {
	struct buf saved, contexts, told;
};

static struct parts
new_parts(void)
{
	const struct buf part = BUF_INIT(PARKED_STATE_MAX);

	return (struct parts){ part, part, part };
}

static void
free_parts(struct parts *p)
{
	buf_fini(&p->saved);
	buf_fini(&p->contexts);
	buf_fini(&p->told);
}

static bool
write_down(const struct imap_session *s, struct parts *parts, struct buf *out)
{
	struct parked_state p = {
		.user = span_of(s->user),
		.examined = s->examined,
		.compressed = s->compressed,
		.enabled = s->enabled,
		.idle_tag = s->idle_tag,
		.keywords_told = (uint32_t)s->keywords_told,
		.received = s->received_before + stream_received(s->io),
		.sent = s->sent_before + stream_sent(s->io),
	};
	struct mailbox_status status;
	struct why why;

	if (s->notify != NULL &&
	    (!notify_text(s, &p.notify) || !notify_told(s, &parts->told)))
		return false;
	p.told = buf_span(&parts->told);
	if (s->mailbox == NULL)
		return parked_state_write(&p, out);
	if (mailbox_status(s->mailbox, 0, &status, &why) != MAIL_OK)
		return false;
	p.name = span_of(mailbox_name_now(s->mailbox));
	p.mailbox_id = span_of(status.id);
	p.uidvalidity = status.uidvalidity;
	p.uidnext = s->view.uidnext;
	p.rights = s->rights;
	p.modseq = s->view.modseq;
	p.removals = s->view.removals;
	p.first_recent = s->view.first_recent;
	uid_set_text(&s->saved, &parts->saved);
	p.saved = buf_span(&parts->saved);
	if (parts->saved.overflow || !contexts_write(s, &parts->contexts))
		return false;
	p.contexts = buf_span(&parts->contexts);
	return parked_state_write(&p, out);
}

/* What is to be watched. */
struct points {
	struct session_point all[SESSION_POINTS_MAX];
	size_t count;
};

/* False: not now. */
static bool
add_points(struct points *p, struct mailbox_point *new, size_t n)
{
	bool fits = n <= SESSION_POINTS_MAX - p->count;

	for (size_t i = 0; i < n; i++) {
		if (fits)
			p->all[p->count++] =
			    (struct session_point){ new[i].fd, new[i].changed };
		else
			fd_close(&new[i].fd);
	}
	return n > 0 && fits;
}

/* "rights": somebody may take the right to see it, which is to be told. */
static bool
add_mailbox(struct points *p, struct mailbox *m, bool rights)
{
	struct mailbox_point new[MAILBOX_POINTS];

	return add_points(p, new,
	    mailbox_points(m, rights && namespaces_of(m) != NULL, new));
}

/* What NOTIFY wants to hear of beside the selected mailbox. */
static bool
add_others(struct points *p, struct imap_session *s)
{
	struct mailbox_point new[MAILBOX_POINTS];
	const struct notify_watched *at = NULL;
	struct mailbox *m;

	if (!add_points(p, new, mail_account_points(s->account, new)))
		return false;
	/* what came before is in our own watch: the last look goes by it */
	mail_account_heed(s->account);
	while ((m = notify_watched(s, &at)) != NULL)
		if (!add_mailbox(p, m, false))
			return false;
	return true;
}

/*
 * In IDLE, or with NOTIFY, a change of the mailbox is to wake it, and of
 * others that NOTIFY wants to hear of: first the directories are opened and
 * their times taken, then one last look. What happens behind that the parent
 * sees.
 */
static enum imap_parked
watch(struct imap_session *s, struct points *p)
{
	bool others = notify_wants_others(s);
	bool selected = s->mailbox != NULL &&
	    (s->idle_tag.p != NULL || notify_wants_selected(s));

	if (!selected && !others)
		return PARKED;
	if ((selected && !add_mailbox(p, s->mailbox, true)) ||
	    (others && !add_others(p, s)))
		return PARK_LATER;
	imap_tell_now(s);
	/* that may have read what was meant for others of this process */
	imap_wake_others(s);
	return s->out.n > 0 ? PARK_NEWS : PARKED;
}

/* What does not is not tried with all its directories open. */
static bool
fits(const struct imap_session *s)
{
	struct buf state = BUF_INIT(PARKED_STATE_MAX);
	struct parts parts = new_parts();
	bool does = write_down(s, &parts, &state);

	buf_fini(&state);
	free_parts(&parts);
	return does;
}

enum imap_parked
imap_park(struct imap_session *s)
{
	const struct imapd_params *params = s->params;
	bool idle = s->idle_tag.p != NULL;
	struct buf state = BUF_INIT(PARKED_STATE_MAX);
	struct parts parts = new_parts();
	struct points points = { .count = 0 };
	struct session_parking p = {
		.keepalive_s =
		    idle ? (uint64_t)params->imap_idle_notify_interval : 0,
		.points = points.all,
	};
	enum imap_parked result = fits(s) ? watch(s, &points) : PARK_LATER;

	/* who hears signs of life, and lives, may idle for ever */
	if (p.keepalive_s == 0)
		p.timeout_s = (uint64_t)params->imap_timeout;
	if (result == PARKED && !write_down(s, &parts, &state))
		result = PARK_LATER;
	p.state = buf_span(&state);
	p.point_count = points.count;
	if (result == PARKED && !session_park(s->connection, &p))
		result = PARK_LATER;
	for (size_t i = 0; i < points.count; i++)
		fd_close(&points.all[i].fd);
	buf_fini(&state);
	free_parts(&parts);
	if (result == PARKED)
		imap_session_end(s, "parked");
	return result;
}

/* The folder may have been renamed, or be another one of that name. */
static bool
is_the_same(struct mailbox *m, const struct parked_state *p)
{
	struct mailbox_status status;
	struct why why;

	return mailbox_status(m, 0, &status, &why) == MAIL_OK &&
	    status.uidvalidity == p->uidvalidity &&
	    span_is(p->mailbox_id, status.id);
}

static bool
select_again(struct imap_session *s, const struct parked_state *p,
    struct why *why)
{
	memset(why, 0, sizeof(*why));
	if (namespaces_open(s, p->name, ACL_READ, &s->mailbox, NULL, why) !=
	    MAIL_OK)
		return false;
	if (!is_the_same(s->mailbox, p) ||
	    mailbox_view_restore(&s->view, s->mailbox, p->removals, p->uidnext,
		why) != MAIL_OK) {
		mailbox_close(&s->mailbox);
		return false;
	}
	/* changes are told without EXPUNGEs where numbers must stay */
	s->view.modseq = p->modseq;
	s->view.first_recent = p->first_recent;
	s->keywords_told = p->keywords_told;
	s->examined = p->examined;
	/* as the client knows them: the next command looks */
	imap_take_rights(s, p->rights);
	s->state = IMAP_SELECTED;
	(void)imap_set_parse(p->saved, UINT32_MAX, &s->saved);
	return true;
}

/*
 * What has come is read: a connection that is closed with something unread is
 * reset, and then the client may never see why.
 */
static bool
farewell(struct imap_session *s, const char *code, const char *text,
    const char *why)
{
	struct span unread;

	if (stream_readable(s->io))
		(void)stream_peek(s->io, &unread);
	imap_session_bye(s, code, text, why);
	return false;
}

bool
imap_unpark(struct imap_session *s, struct span *idle_tag)
{
	struct parked_state p;
	struct why why;

	if (!parked_state_read(s->connection->state, &p) ||
	    !span_is(p.user, s->user)) {
		log_error("user=<%s>, session=%s: this is another's session",
		    s->user, s->id);
		return farewell(s, "SERVERBUG", "Please connect again",
		    "not the session that was parked");
	}
	s->enabled = p.enabled;
	s->compressed = p.compressed;
	s->received_before = p.received;
	s->sent_before = p.sent;
	*idle_tag = p.idle_tag;
	why.text[0] = '\0';
	if ((p.name.n == 0 || select_again(s, &p, &why)) &&
	    contexts_again(s, p.contexts) &&
	    (p.notify.n == 0 || notify_again(s, p.notify, p.told)))
		return true;
	return farewell(s, "UNAVAILABLE",
	    "The mailbox is not what it was: please connect again",
	    why.text[0] != '\0' ? "the mailbox cannot be opened again" :
				  "the mailbox is another one");
}
