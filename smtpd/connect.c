/* SPDX-License-Identifier: ISC */
#include "smtpd/connect.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/task/task.h"
#include "smtpd/gate.h"
#include "smtpd/identify.h"
#include "smtpd/limits.h"

bool
connect_tls_allowed(struct session *s)
{
	if (limits_allow(s, LIMIT_TLS))
		return true;
	log_warning("New TLS session rate limit exceeded: from %s for service "
		    "%s (smtpd_client_new_tls_session_rate_limit)",
	    s->client.full, s->config->service->name);
	return false;
}

bool
connect_tls(struct session *s)
{
	struct tls_session *tls;
	enum io r;

	stream_deadline(s->io, clock_in(s->p->smtpd_starttls_timeout));
	stream_timeout(s->io, s->p->smtpd_starttls_timeout * 1000);
	r = stream_tls_accept(s->io, s->config->tls);
	if (r != IO_OK) {
		log_info("SSL_accept error from %s: %s", s->client.full,
		    stream_error(s->io));
		log_info("lost connection after %s from %s", s->where,
		    s->client.full);
		s->dropped = s->closing = true;
		return false;
	}
	tls = stream_tls(s->io);
	s->tls_seen = true;
	free(s->tls_text);
	s->tls_text = mem_text(tls_session_text(tls));
	if (s->config->tls_params->smtpd_tls_loglevel > 0)
		log_info("%s TLS connection established from %s: %s",
		    tls_verified(tls)                 ? "Trusted" :
			tls_peer_name(tls)[0] != '\0' ? "Untrusted" :
							"Anonymous",
		    s->client.full, s->tls_text);
	return true;
}

/* Connection count and rate; the banner is the refusal. */
static bool
within_limits(struct session *s)
{
	const char *setting;

	switch (limits_connect(s)) {
	case LIMITS_OK:
		return true;
	case LIMITS_COUNT:
		log_warning("Connection concurrency limit exceeded: %s for "
			    "service %s (smtpd_client_connection_count_limit)",
		    s->client.full, s->config->service->name);
		setting = "connections";
		break;
	default:
		log_warning("Connection rate limit exceeded: %s for service "
			    "%s (smtpd_client_connection_rate_limit)",
		    s->client.full, s->config->service->name);
		setting = "connections";
	}
	if (s->config->tls_params->smtpd_tls_wrappermode)
		s->closing = true;
	else
		say_goodbye(s, "4.7.0", "%s Error: too many %s from %s",
		    s->config->common->myhostname, setting,
		    s->client.address_text);
	return false;
}

/* Nobody knows who that is: nothing is done for it. */
static void
turn_away(struct session *s)
{
	if (s->config->tls_params->smtpd_tls_wrappermode)
		s->closing = true;
	else
		say_goodbye(s, "4.3.0", "%s Server local error",
		    s->config->common->myhostname);
}

/* Without smtpd_delay_reject a refused client hears it as the banner. */
static bool
client_allowed(struct session *s)
{
	struct evaluation *e;
	bool fine = true;

	if (s->p->smtpd_delay_reject)
		return true;
	e = evaluation_new();
	e->s = s;
	if (restrictions_evaluate(e, STAGE_CLIENT) == REFUSE ||
	    restrictions_conclude(e) == REFUSE) {
		say_refusal(s, &e->refusal, NULL, NULL);
		s->denied = mem_new(sizeof(*s->denied));
		*s->denied = e->refusal;
		fine = false;
	}
	evaluation_free(e);
	return fine;
}

static void
greet(struct session *s)
{
	if (client_allowed(s))
		say(s, 220, NULL, "%s", s->p->smtpd_banner);
}

bool
connect_begin(struct session *s, const struct service *service, int fd)
{
	bool stressed = service->maxproc > 0 &&
	    service_all_sessions() >= (unsigned int)service->maxproc;

	s->config = smtpd_config(stressed);
	s->discard = s->config->discard;
	s->p = s->config->params;
	s->restrictions = s->config->restrictions;
	stream_timeout(s->io, s->p->smtpd_timeout * 1000);
	if (!identify_client(s, fd)) {
		turn_away(s);
		return true;
	}
	log_info("connect from %s", s->client.full);
	if (!within_limits(s))
		return true;
	if (s->config->tls_params->smtpd_tls_wrappermode &&
	    (!connect_tls_allowed(s) || !connect_tls(s))) {
		s->closing = true; /* nothing can be said in clear */
		return true;
	}
	if (s->tls_seen || gate_silent(s))
		greet(s);
	return true;
}

bool
connect_again(struct session *s)
{
	limits_disconnect(s);
	identify_again(s);
	free(s->denied);
	s->denied = NULL;
	if (!within_limits(s))
		return false;
	greet(s);
	return true;
}

void
connect_end(struct session *s)
{
	limits_disconnect(s);
	free(s->client.name);
	free(s->client.unverified_name);
	free(s->client.full);
}
