/* SPDX-License-Identifier: ISC */
#include "smtpd/verb.h"

enum {
	ALWAYS = STATE_NEW | STATE_READY | STATE_SENDER | STATE_RECIPIENTS |
	    STATE_CHUNKS,
};

static const struct verb verbs[] = {
#define VERB(name_, action_, states_, flags_, new_, ready_, mail_) \
	{ #name_, action_, (states_), (flags_), { new_, ready_, mail_ }, \
		VERB_##name_ },
#include "smtpd/verbs.def"
#undef VERB
};

static const char *const log_names[VERB_COUNT] = {
	[VERB_HELO] = "helo",
	[VERB_EHLO] = "ehlo",
	[VERB_STARTTLS] = "starttls",
	[VERB_AUTH] = "auth",
	[VERB_MAIL] = "mail",
	[VERB_RCPT] = "rcpt",
	[VERB_DATA] = "data",
	[VERB_BDAT] = "bdat",
	[VERB_RSET] = "rset",
	[VERB_NOOP] = "noop",
	[VERB_VRFY] = "vrfy",
	[VERB_HELP] = "help",
	[VERB_QUIT] = "quit",
	[VERB_XCLIENT] = "xclient",
	[VERB_XFORWARD] = "xforward",
	[VERB_UNKNOWN] = "unknown",
};

const struct verb *
verb_find(struct span name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (span_is_nocase(name, verbs[i].name))
			return &verbs[i];
	return NULL;
}

const char *
verb_refusal(const struct verb *v, enum smtpd_state state)
{
	if (v->states & state)
		return NULL;
	switch (state) {
	case STATE_NEW:
		return v->refusals[0];
	case STATE_READY:
		return v->refusals[1];
	case STATE_CHUNKS:
		return "503 5.5.1 Error: MAIL transaction in progress";
	default:
		return v->refusals[2];
	}
}

const char *
verb_log_name(enum verb_index index)
{
	return log_names[index];
}
