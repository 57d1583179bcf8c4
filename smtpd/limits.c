/* SPDX-License-Identifier: ISC */
#include "smtpd/limits.h"

#include "smtpd/session.h"

void
limits_open(const char *directory, const char *service)
{
	client_counts_open(directory, "smtpd", service);
}

/*
 * The client as a network: smtpd_client_ipv*_prefix_length. Those of whom
 * XCLIENT says that their address is not known are one client.
 */
static struct client_key
key_of(const struct session *s)
{
	struct client_key key;

	client_key_of(&s->client.address,
	    (unsigned int)s->p->smtpd_client_ipv4_prefix_length,
	    (unsigned int)s->p->smtpd_client_ipv6_prefix_length, &key);
	return key;
}

static int64_t
rate_limit(const struct smtpd_params *p, enum limit_event event)
{
	switch (event) {
	case LIMIT_CONNECTION:
		return p->smtpd_client_connection_rate_limit;
	case LIMIT_MESSAGE:
		return p->smtpd_client_message_rate_limit;
	case LIMIT_RECIPIENT:
		return p->smtpd_client_recipient_rate_limit;
	case LIMIT_AUTH:
		return p->smtpd_client_auth_rate_limit;
	case LIMIT_TLS:
		return p->smtpd_client_new_tls_session_rate_limit;
	default:
		return 0;
	}
}

static bool
exempt(const struct session *s)
{
	/* a proxy: those count whom it names; */
	if (s->client.no_limits || s->client.may_xclient)
		return true;
	return s->client.address.length > 0 &&
	    !address_is_ip(&s->client.address);
}

enum limits_verdict
limits_connect(struct session *s)
{
	int64_t most = s->p->smtpd_client_connection_count_limit;
	int64_t rate = rate_limit(s->p, LIMIT_CONNECTION);
	struct client_key key;

	if (exempt(s) || (most == 0 && rate == 0))
		return LIMITS_OK;
	key = key_of(s);
	s->client.count = client_counts_connect(&key, LIMIT_CONNECTION,
	    s->p->anvil_rate_time_unit * 1000);
	if (most > 0 && s->client.count.open > most)
		return LIMITS_COUNT;
	return rate > 0 && s->client.count.events > rate ? LIMITS_RATE :
							   LIMITS_OK;
}

void
limits_disconnect(struct session *s)
{
	client_counts_disconnect(&s->client.count);
}

bool
limits_allow(struct session *s, enum limit_event event)
{
	int64_t limit = rate_limit(s->p, event);
	struct client_key key;

	if (exempt(s) || limit == 0)
		return true;
	key = key_of(s);
	return client_counts_event(&key, event,
		   s->p->anvil_rate_time_unit * 1000) <= limit;
}
