/* SPDX-License-Identifier: ISC */
#include "lib/service/service.h"

#include "lib/base/clock.h"
#include "lib/log/log.h"
#include "lib/task/task.h"

enum {
	UNHEARD_MAX = 200, /* more than the connections that a pool keeps */
	HEARD_MAX = 2,
	APART_MS = 500,
	/* then the process that is to hear may have to be started first */
	UNHEARD_AT_ONCE = 8,
	UNHEARD_APART_MS = 10,
};

static bool was_read; /* the last one that was given up */

static enum ipc_result
attempt(struct ipc *c, const struct service_question *q, int64_t deadline,
    const struct ipc_message **came, const void **answer)
{
	enum ipc_result r = ipc_send(c, q->kind, q->asked, deadline);

	if (r != IPC_OK)
		return r;
	return q->answer != NULL ? ipc_expect(c, q->answer, answer, deadline) :
				   ipc_receive(c, came, answer, deadline);
}

/*
 * The process that ended may have had questions of several: who asks again at
 * another moment than the one whose question it was is not hit by that twice.
 */
static void
pause_before(int heard, int unheard)
{
	if (heard > 0)
		(void)wait_apart(APART_MS);
	else if (unheard > UNHEARD_AT_ONCE)
		(void)wait_until(clock_ms() + UNHEARD_APART_MS);
}

typedef struct ipc *connect_function(const char *service,
    const struct ipc_protocol *protocol, int64_t deadline);

/* By *c first, then by what "other" gives. */
static const void *
ask(const char *service, const struct service_question *q, int64_t deadline,
    connect_function *other, struct ipc **c, const struct ipc_message **came)
{
	const struct ipc_protocol *protocol;
	const void *answer = NULL;
	enum ipc_result r = IPC_CLOSED;
	int unheard = 0, heard = 0;

	was_read = false;
	while (*c != NULL) {
		protocol = ipc_protocol(*c);
		r = attempt(*c, q, deadline, came, &answer);
		if (r == IPC_OK)
			return answer;
		if (ipc_unheard(*c))
			unheard++;
		else
			heard++;
		was_read = r != IPC_CLOSED && ipc_taken(*c);
		service_done(service, c, false);
		if (r != IPC_CLOSED || unheard > UNHEARD_MAX ||
		    heard >= HEARD_MAX)
			break;
		pause_before(heard, unheard);
		*c = other(service, protocol, deadline);
	}
	if (r != IPC_CLOSED || unheard > UNHEARD_MAX || heard >= HEARD_MAX)
		log_warning("no answer from %s: %s", service,
		    ipc_result_text(r));
	return NULL;
}

bool
service_question_read(void)
{
	return was_read;
}

const void *
service_question(const char *service, const struct ipc_protocol *protocol,
    const struct service_question *q, int64_t deadline, struct ipc **c)
{
	*c = service_ask_at_once(service, protocol, deadline);
	return ask(service, q, deadline, service_ask, c, NULL);
}

const void *
service_question_any(const char *service, const struct ipc_protocol *protocol,
    const struct service_question *q, int64_t deadline, struct ipc **c,
    const struct ipc_message **came)
{
	*c = service_ask_at_once(service, protocol, deadline);
	return ask(service, q, deadline, service_ask, c, came);
}

const void *
service_question_anew(const char *service, const struct ipc_protocol *protocol,
    const struct service_question *q, int64_t deadline, struct ipc **c)
{
	*c = service_ask_anew(service, protocol, deadline);
	return ask(service, q, deadline, service_ask_anew, c, NULL);
}
