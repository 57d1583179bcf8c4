/* SPDX-License-Identifier: ISC */
/*
 * quota: has a mailbox room for another message?
 *
 * SECURITY. Runs as root, because mailboxes can be read by their owners
 * alone, with no capability but to become others, and a filter that lets it
 * start nothing and connect nowhere: it becomes the owner (user, group and no
 * other groups) before it touches anything of theirs, and root again after. Who
 * owns a mailbox, where it is and how much it may have comes from auth-session.
 * Hostile input: addresses of recipients, from smtpd, which may have been taken
 * over; they go to auth-session, and never into a path here. And what lies in a
 * mailbox: its "maildirsize" and the names of its files, read with its owner's
 * rights. The answer is one bit for a recipient that anybody may ask for.
 *
 * Each connection is a task, so that who waits for a server of accounts holds
 * up nobody else; looking at a mailbox waits for the disk alone. Where all of
 * it is to be counted, others run each 5 ms, and while it waits for who brings
 * mail to it, 20 ms at most; whoever asks for the same mailbox meanwhile waits
 * for what that count will tell.
 */
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/ensure.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_quota.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/store/mail_quota.h"
#include "lib/sandbox/identity.h"
#include "lib/task/task.h"

enum { ANSWER_TIMEOUT_S = 10, TURN_MAX = 16 };

static struct common_params common;
static bool away; /* it is not root now */

/* A mailbox that somebody looks at. */
struct looking {
	const struct msg_account *account;
	struct looking *next;
	struct wait_queue done;
};
static struct looking *all_looking;

/* NULL: none came. It lives until service_done. */
static const struct msg_account *
ask_account(const struct msg_quota_room *q, struct ipc **c)
{
	const struct msg_find_account asked = { .address = q->address,
		.local = q->local };
	const struct service_question question = { &message_find_account,
		&asked, &message_account };

	return service_question("auth-session", &protocol_auth, &question,
	    clock_in(ANSWER_TIMEOUT_S), c);
}

/*
 * With the rights of the owner from one to the other. No task may wait in
 * between: rights are the process's, and another one would have them.
 */
static void
become_owner(const struct msg_account *a)
{
	ensure(!away);
	away = true;
	identity_become(NULL, (uid_t)a->uid, (gid_t)a->gid);
}

static void
become_root(void)
{
	identity_restore();
	away = false;
}

/* False: told to end; nobody has a turn any more, and no answer is heard. */
static bool
let_others_run(void *with, unsigned int ms)
{
	const struct looking *l = with;
	enum wait_result r;

	become_root();
	r = ms == 0 ? wait_yield() : wait_until(clock_ms() + ms);
	become_owner(l->account);
	return r != WAIT_CANCELLED;
}

static struct looking *
find(const char *mail)
{
	struct looking *l = all_looking;

	while (l != NULL && strcmp(l->account->mail, mail) != 0)
		l = l->next;
	return l;
}

/* False: it takes longer than who asks will wait. */
static bool
wait_for_turn(const char *mail)
{
	int64_t deadline = clock_in(ANSWER_TIMEOUT_S);
	struct looking *l;

	while ((l = find(mail)) != NULL)
		if (wait_on(&l->done, deadline) != WAIT_READY)
			return false;
	return true;
}

static void
enter(struct looking *l)
{
	l->next = all_looking;
	all_looking = l;
}

static void
leave(struct looking *l)
{
	struct looking **at = &all_looking;

	while (*at != l)
		at = &(*at)->next;
	*at = l->next;
	wait_wake_all(&l->done);
}

static enum mail_result
look_as_owner(const struct msg_account *a, uint64_t size, struct why *why)
{
	struct looking l = { .account = a };
	const struct mail_quota_question q = {
		.limits = { .bytes_limit = a->quota_bytes,
		    .messages_limit = a->quota_messages },
		/* of unknown size: something, at least */
		.bytes = size > 0 ? size : 1,
		.messages = 1,
		.pause = let_others_run,
		.with = &l,
	};
	enum mail_result r;

	enter(&l);
	become_owner(a);
	r = mail_quota_check(a->mail, &q, why);
	become_root();
	leave(&l);
	return r;
}

static enum verdict
look(const struct msg_account *a, uint64_t size)
{
	enum mail_result r = MAIL_FAILED;
	struct why why = { 0 };

	if (wait_for_turn(a->mail))
		r = look_as_owner(a, size, &why);
	else
		why_set(&why, "4.3.0", "it is being counted");
	if (r == MAIL_OVER_QUOTA) {
		log_info("mailbox of %s is full", a->user);
		return NEVER;
	}
	if (r == MAIL_OK)
		return OK;
	log_warning("cannot tell how full the mailbox of %s is: %s", a->user,
	    why.text);
	return LATER;
}

static void
judge(const struct msg_account *a, const struct msg_quota_room *q,
    struct msg_quota_answer *answer)
{
	if (a == NULL || a->verdict == LATER)
		return;
	answer->verdict = OK;
	/* somebody who is no account here has no quota */
	if (a->verdict == NEVER)
		return;
	answer->user = a->user;
	/* an mbox has limits of its own: mailbox_size_limit */
	answer->limited = span_starts(span_of(a->mail), "maildir:") &&
	    (a->quota_bytes > 0 || a->quota_messages > 0);
	if (answer->limited)
		answer->verdict = look(a, q->size);
}

/* Meanwhile the connection's next question is not read: *q stays. */
static bool
answer(struct ipc *c)
{
	struct msg_quota_answer said = { .verdict = LATER, .user = "" };
	const struct msg_account *account;
	const void *message;
	struct ipc *up;
	bool good;

	if (ipc_expect(c, &message_quota_room, &message, INT64_MAX) != IPC_OK)
		return false;
	account = ask_account(message, &up);
	judge(account, message, &said);
	good = ipc_send(c, &message_quota_answer, &said,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
	service_done("auth-session", &up, account != NULL);
	return good;
}

static void
session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_quota, "client");
	unsigned int turn = 0;

	(void)s;
	while (answer(c))
		if (++turn % TURN_MAX == 0 && wait_yield() == WAIT_CANCELLED)
			break;
	ipc_free(&c);
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "quota",
		.style = SERVICE_TASKS,
		.stays = true,
		.params = params,
		.protocol = &protocol_quota,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
