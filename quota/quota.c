/* SPDX-License-Identifier: ISC */
/*
 * quota: has a mailbox room for another message?
 *
 * SECURITY. Runs as root, because mailboxes can be read by their owners
 * alone: it becomes the owner (user, group and no other groups) before it
 * touches anything of theirs, and root again after. Who owns a mailbox, where
 * it is and how much it may have comes from auth-session. Hostile input:
 * addresses of recipients, from smtpd, which may have been taken over; they go
 * to auth-session, and never into a path here. And what lies in a mailbox: its
 * "maildirsize" and the names of its files, read with its owner's rights. The
 * answer is one bit for a recipient that anybody may ask for.
 */
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_auth.h"
#include "lib/ipc/proto_quota.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/store/mail_quota.h"
#include "lib/sandbox/identity.h"

enum { ANSWER_TIMEOUT_S = 10 };

static struct common_params common;

/* IPC_OK: the answer lives until service_done. */
static const struct msg_account *
ask_account(struct ipc *c, const struct msg_quota_room *q)
{
	struct msg_find_account question = { .address = q->address,
		.local = q->local };
	int64_t deadline = clock_in(ANSWER_TIMEOUT_S);
	const void *message;

	if (ipc_send(c, &message_find_account, &question, deadline) != IPC_OK ||
	    ipc_expect(c, &message_account, &message, deadline) != IPC_OK) {
		log_warning("no answer from auth-session");
		return NULL;
	}
	return message;
}

/* With the rights of the owner, from here to the answer. */
static enum verdict
look(const struct msg_account *a, uint64_t size)
{
	const struct mail_quota limits = {
		.bytes_limit = a->quota_bytes,
		.messages_limit = a->quota_messages,
	};
	enum mail_result r;
	struct why why = { 0 };

	identity_become(NULL, (uid_t)a->uid, (gid_t)a->gid);
	/* of unknown size: something, at least */
	r = mail_quota_check(a->mail, &limits, size > 0 ? size : 1, 1, &why);
	identity_restore();
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

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	struct msg_quota_answer answer = { .verdict = LATER, .user = "" };
	const struct msg_account *account = NULL;
	const struct msg_quota_room *q;
	const void *message;
	struct ipc *up;
	bool good;

	(void)s, (void)state;
	if (ipc_expect(c, &message_quota_room, &message,
		clock_in(ANSWER_TIMEOUT_S)) != IPC_OK)
		return false;
	q = message;
	up = service_ask("auth-session", &protocol_auth,
	    clock_in(ANSWER_TIMEOUT_S));
	if (up != NULL)
		account = ask_account(up, q);
	judge(account, q, &answer);
	good = ipc_send(c, &message_quota_answer, &answer,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
	if (up != NULL)
		service_done("auth-session", &up, account != NULL);
	return good;
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
		.style = SERVICE_REQUESTS,
		.params = params,
		.protocol = &protocol_quota,
		.request = request,
	};

	return service_run(&spec, argc, argv);
}
