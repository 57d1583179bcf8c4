/* SPDX-License-Identifier: ISC */
/*
 * auth-pam: passwords of system users.
 *
 * SECURITY. Root, because PAM modules read shadow(5), less what no module
 * needs for a password (lib/sandbox/denied.c, capabilities.c); started only
 * where account_files names pam, and reachable by auth alone. It parses
 * nothing: name, address and password come in fields with limits, and go to
 * PAM. One question at a time; master starts more processes when they are asked
 * for.
 */
#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/why.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_pam.h"
#include "lib/log/log.h"
#include "lib/service/service.h"

enum { IDLE_S = 10, ANSWER_TIMEOUT_S = 10 };

struct asking {
	const char *user;
	char *password;
};

static struct common_params common;

static void
free_replies(struct pam_response *replies, int count)
{
	for (int i = 0; i < count; i++)
		free(replies[i].resp);
	free(replies);
}

/* PAM asks; the libraries of modules free what we answer. */
static int
converse(int count, const struct pam_message **questions,
    struct pam_response **answers, void *data)
{
	const struct asking *a = data;
	struct pam_response *replies;

	if (count <= 0 || count > PAM_MAX_NUM_MSG)
		return PAM_CONV_ERR;
	replies = mem_array((size_t)count, sizeof(*replies));
	for (int i = 0; i < count; i++) {
		switch (questions[i]->msg_style) {
		case PAM_PROMPT_ECHO_OFF:
			replies[i].resp = mem_text(a->password);
			break;
		case PAM_PROMPT_ECHO_ON:
			replies[i].resp = mem_text(a->user);
			break;
		case PAM_TEXT_INFO:
		case PAM_ERROR_MSG:
			break;
		default:
			free_replies(replies, count);
			return PAM_CONV_ERR;
		}
	}
	*answers = replies;
	return PAM_SUCCESS;
}

/* The login stage waits, not we. */
static void
no_delay(int status, unsigned int microseconds, void *data)
{
	(void)status, (void)microseconds, (void)data;
}

static enum verdict
verdict_of(int result)
{
	switch (result) {
	case PAM_SUCCESS:
		return OK;
	case PAM_AUTHINFO_UNAVAIL:
	case PAM_SYSTEM_ERR:
	case PAM_BUF_ERR:
	case PAM_SERVICE_ERR:
	case PAM_OPEN_ERR:
		return LATER;
	default:
		return NEVER;
	}
}

static int
authenticate(pam_handle_t *h, const char *client)
{
	void (*delay)(int, unsigned int, void *) = no_delay;
	int result;

	pam_set_item(h, PAM_FAIL_DELAY, (const void *)(uintptr_t)delay);
	pam_set_item(h, PAM_RHOST, client);
	pam_set_item(h, PAM_TTY, "posthaste");
	result = pam_authenticate(h, PAM_SILENT | PAM_DISALLOW_NULL_AUTHTOK);
	if (result == PAM_SUCCESS)
		result = pam_acct_mgmt(h, PAM_SILENT);
	return result;
}

static bool
check(struct ipc *c, const struct msg_pam_check *m)
{
	struct asking asking = { m->user, mem_span_text(m->password) };
	const struct pam_conv conversation = { converse, &asking };
	struct msg_pam_checked answer = { NEVER, "" };
	pam_handle_t *h = NULL;
	int result;
	bool sent;

	result = memchr(m->password.p, '\0', m->password.n) != NULL ?
	    PAM_AUTH_ERR :
	    pam_start(m->pam_service, m->user, &conversation, &h);
	if (result == PAM_SUCCESS)
		result = authenticate(h, m->client);
	answer.verdict = verdict_of(result);
	answer.text = pam_strerror(h, result);
	sent = ipc_send(c, &message_pam_checked, &answer,
		   clock_in(ANSWER_TIMEOUT_S)) == IPC_OK;
	if (h != NULL)
		pam_end(h, result);
	explicit_bzero(asking.password, m->password.n);
	free(asking.password);
	return sent;
}

static void
session(const struct service *s, int fd)
{
	struct ipc *c = ipc_new(fd, &protocol_pam, "auth");
	const void *message;

	(void)s;
	do
		if (ipc_expect(c, &message_pam_check, &message,
			clock_in(IDLE_S)) != IPC_OK ||
		    !check(c, message))
			break;
	while (!service_retiring());
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
		.program = "auth-pam",
		.style = SERVICE_ONE,
		.params = params,
		.protocol = &protocol_pam,
		.session = session,
	};

	return service_run(&spec, argc, argv);
}
