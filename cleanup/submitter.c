/* SPDX-License-Identifier: ISC */
/*
 * SECURITY: strangers may have taken over smtpd. Who submits is known from
 * master (ipc_caller), not from what the submitter says; each can claim only
 * what it has use for.
 */
#include "cleanup/submitter.h"

#include <stddef.h>
#include <string.h>

static const struct submitter {
	const char *program;
	const char *origins[2];
	bool final; /* recipients with transport and next hop */
	bool report;
	bool hold;
	bool login; /* who logged in, and what that has to match */
	bool person; /* what people can ask of sendmail */
} submitters[] = {
	{ "smtpd", { "smtpd", NULL }, .final = true, .hold = true,
	    .login = true },
	{ "pickup", { "pickup", "bounce" }, .person = true },
	{ "bounce", { "bounce", NULL }, .report = true },
	{ "local", { "local", NULL }, .final = true },
	/* root itself, or without root this user */
	{ "", { NULL, NULL }, true, true, true, true, true },
};

static const struct submitter *
find(const char *program)
{
	for (size_t i = 0; i < sizeof(submitters) / sizeof(submitters[0]); i++)
		if (program != NULL &&
		    strcmp(submitters[i].program, program) == 0)
			return &submitters[i];
	return NULL;
}

static bool
may_say(const struct submitter *s, const char *origin)
{
	for (size_t i = 0; i < 2; i++)
		if (s->origins[i] != NULL && strcmp(s->origins[i], origin) == 0)
			return true;
	return s->program[0] == '\0';
}

static bool
any_final(const struct msg_submit *m)
{
	const struct msg_submit_recipient *r = m->recipients.items;

	for (size_t i = 0; i < m->recipients.count; i++)
		if (r[i].final || r[i].transport[0] != '\0' ||
		    r[i].nexthop[0] != '\0')
			return true;
	return false;
}

const char *
submitter_oversteps(const char *caller, const struct msg_submit *m)
{
	const struct submitter *s = find(caller);

	if (s == NULL)
		return "anything";
	if (!may_say(s, m->origin))
		return "origin";
	if (m->report && !s->report)
		return "report";
	if (m->hold && !s->hold)
		return "hold";
	if (!s->login && (m->author_match != 0 || m->login[0] != '\0'))
		return "a login";
	if (!s->person &&
	    (m->extract || m->extract_notify != 0 || m->verify ||
		m->trace_deliveries || m->dot_lf || m->full_name[0] != '\0'))
		return "what is for people";
	if (!s->final && any_final(m))
		return "final recipients";
	return NULL;
}
