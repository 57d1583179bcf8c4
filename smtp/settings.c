/* SPDX-License-Identifier: ISC */
#include "smtp/settings.h"

#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/dns/dns_hosts.h"
#include "lib/log/log.h"
#include "lib/mail/delivery_log.h"
#include "lib/mail/destination.h"
#include "lib/net/port.h"
#include "lib/service/remote_key.h"
#include "lib/tls/tls_kept.h"

static struct client_settings set;

const struct service_params settings_params[] = {
	{ &common_param_group, &set.common },
	{ &smtp_param_group, &set.smtp },
	{ &tls_param_group, &set.tls },
	{ NULL, NULL },
};

const struct client_settings *
settings(void)
{
	return &set;
}

static void
speak_lmtp(void)
{
	set.lmtp = true;
#define AS(of, name) set.of.smtp_##name = set.of.lmtp_##name;
#define INSTEAD(of_smtp, of_lmtp) set.of_smtp = set.of_lmtp;
#include "smtp/lmtp.def"
#undef AS
#undef INSTEAD
}

static uint16_t
default_port(const char *name)
{
	uint16_t port = port_of(span_of(name));

	if (port == 0)
		fatal("smtp_tcp_port: there is no port \"%s\"", name);
	return port;
}

/* For names in next hops, which come when nothing can be opened any more. */
static void
read_port_names(void)
{
	errno = port_names_read(PORT_NAMES_FILE);
	if (errno != 0 && errno != ENOENT)
		log_warning("%s cannot be read: %m; of ports the names of mail "
			    "alone are known",
		    PORT_NAMES_FILE);
}

static void
add_own(const struct address *a)
{
	set.own = mem_resize(set.own, (set.own_count + 1) * sizeof(*a));
	set.own[set.own_count++] = *a;
}

static void
add_interfaces(bool loopback_only)
{
	struct ifaddrs *list = NULL;

	if (getifaddrs(&list) != 0)
		fatal("cannot list the addresses of this machine: %m");
	for (const struct ifaddrs *i = list; i != NULL; i = i->ifa_next) {
		struct address a = { 0 };

		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			a.length = sizeof(a.v4);
		else if (i->ifa_addr->sa_family == AF_INET6)
			a.length = sizeof(a.v6);
		else
			continue;
		memcpy(&a.any, i->ifa_addr, a.length);
		if (!loopback_only || address_is_loopback(&a))
			add_own(&a);
	}
	freeifaddrs(list);
}

/* "all", "loopback-only", or addresses; names were for another age. */
static void
add_list(const char *value, const char *setting)
{
	struct span rest = span_of(value), item;

	while (conf_list_next(&rest, &item)) {
		struct address a;

		if (item.n >= 2 && item.p[0] == '[' &&
		    item.p[item.n - 1] == ']')
			item = span_skip(span_take(item, item.n - 1), 1);
		if (span_is(item, "all"))
			add_interfaces(false);
		else if (span_is(item, "loopback-only") ||
		    span_is_nocase(item, "localhost"))
			add_interfaces(true);
		else if (address_parse_ip(item, 0, &a))
			add_own(&a);
		else if (!span_is_nocase(item, set.common.myhostname))
			log_warning("%s: \"%.*s\" is no address: mail that "
				    "loops back to it is not noticed",
			    setting, SPAN_ARG(item));
	}
}

bool
settings_own_address(const struct address *a)
{
	for (size_t i = 0; i < set.own_count; i++)
		if (address_equal_host(&set.own[i], a))
			return true;
	return false;
}

static void
check_host_lookup(void)
{
	struct span rest = span_of(set.smtp.smtp_host_lookup), item;

	while (conf_list_next(&rest, &item))
		if (!span_is_nocase(item, "dns") &&
		    !span_is_nocase(item, "native"))
			fatal("smtp_host_lookup: \"%.*s\" is neither dns nor "
			      "native",
			    SPAN_ARG(item));
}

/* A slip here is no reason why mail waits that needs no fallback. */
static void
check_fallback(void)
{
	struct destination list[DESTINATIONS_MAX];
	struct arena *a = arena_new();
	struct span bad = span_trim(span_of(set.smtp.smtp_fallback_relay));

	if (bad.n > 0 &&
	    destination_parse(a, set.smtp.smtp_fallback_relay, set.lmtp,
		set.port, list, &bad) == 0) {
		log_warning("%s: \"%.*s\" is no valid destination: there is no "
			    "fallback until that is mended",
		    set.lmtp ? "lmtp_fallback_relay" : "smtp_fallback_relay",
		    SPAN_ARG(bad));
		set.smtp.smtp_fallback_relay = "";
	}
	arena_free(&a);
}

static int
family_of(const char *protocols)
{
	bool v4 = false, v6 = false;
	struct span rest = span_of(protocols), item;

	while (conf_list_next(&rest, &item)) {
		bool all = span_is_nocase(item, "all");

		v4 = v4 || all || span_is_nocase(item, "ipv4");
		v6 = v6 || all || span_is_nocase(item, "ipv6");
	}
	return v4 == v6 ? AF_UNSPEC : v4 ? AF_INET : AF_INET6;
}

static void
parse_bind(const char *setting, const char *value, int family,
    struct address *out)
{
	if (value[0] == '\0')
		return;
	if (!address_parse_ip(span_of(value), 0, out) ||
	    out->any.sa_family != family)
		fatal("%s: \"%s\" is no such address", setting, value);
}

/* A policy table may name any level, without it there is one. */
static void
make_contexts(void)
{
	bool all = set.smtp.smtp_tls_policy_maps[0] != '\0';

	for (int level = TLS_MAY; level <= TLS_VERIFY; level++) {
		const char *error = "";

		if (!all && level != (int)set.policy.level)
			continue;
		if (!tls_smtp_context(&set.tls, (enum tls_level)level,
			remote_key_sign, &set.tls_contexts[level], &error))
			fatal("%s", error);
	}
}

void
settings_before(const struct service *s)
{
	if (strcmp(s->command, "lmtp") == 0)
		speak_lmtp();
	delivery_log_resolution((int)set.common.delay_logging_resolution_limit);
	check_host_lookup();
	read_port_names();
	set.port = default_port(set.smtp.smtp_tcp_port);
	check_fallback();
	set.family = family_of(set.common.inet_protocols);
	/* that less than DANE will do has been said where this gets here */
	if (strcasecmp(set.tls.smtp_tls_security_level, "dane") == 0)
		set.tls.smtp_tls_security_level = "may";
	if (!policy_of_level(span_of(set.tls.smtp_tls_security_level),
		&set.policy))
		set.policy = (struct policy){ .level = TLS_NONE };
	if (!tls_digest_known(set.tls.smtp_tls_fingerprint_digest))
		fatal("smtp_tls_fingerprint_digest: there is no digest \"%s\"",
		    set.tls.smtp_tls_fingerprint_digest);
	parse_bind("smtp_bind_address", set.smtp.smtp_bind_address, AF_INET,
	    &set.bind4);
	parse_bind("smtp_bind_address6", set.smtp.smtp_bind_address6, AF_INET6,
	    &set.bind6);
	add_list(set.common.inet_interfaces, "inet_interfaces");
	add_list(set.common.proxy_interfaces, "proxy_interfaces");
	service_certificates();
	make_contexts();
	tls_kept_drop();
	dns_hosts_read(DNS_HOSTS_FILE);
}
