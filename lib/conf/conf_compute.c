/* SPDX-License-Identifier: ISC */
/* Defaults that come from the system and from how this was built. */
#include "lib/conf/conf_parts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool
is_host_name(const char *name)
{
	for (const char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("-._", *p) == NULL)
			return false;
	return name[0] != '\0';
}

static const char *
host_name(struct conf *c)
{
	char name[256] = "";
	const char *domain = NULL;

	if (gethostname(name, sizeof(name) - 1) != 0 || !is_host_name(name))
		return "localhost.localdomain";
	if (strchr(name, '.') != NULL)
		return arena_text(c->arena, name);
	if (conf_raw(c, "mydomain") != NULL)
		domain = conf_value(c, "mydomain");
	if (domain == NULL || domain[0] == '\0')
		domain = "localdomain";
	return arena_printf(c->arena, "%s.%s", name, domain);
}

static const char *
domain_name(struct conf *c)
{
	const char *host = conf_value(c, "myhostname");
	const char *dot = host ? strchr(host, '.') : NULL;

	return dot != NULL && dot[1] != '\0' ? dot + 1 : "localdomain";
}

static const unsigned char *
address_bytes(const struct sockaddr *a, size_t *n)
{
	if (a->sa_family == AF_INET) {
		*n = 4;
		return (const unsigned char *)&(
		    (const struct sockaddr_in *)(const void *)a)
		    ->sin_addr;
	}
	*n = 16;
	return (const unsigned char *)&(
	    (const struct sockaddr_in6 *)(const void *)a)
	    ->sin6_addr;
}

static unsigned int
mask_bits(const struct sockaddr *mask)
{
	unsigned int bits = 0;
	size_t n;
	const unsigned char *p = address_bytes(mask, &n);

	while (bits < n * 8 && (p[bits / 8] & (0x80 >> bits % 8)) != 0)
		bits++;
	return bits;
}

/* Old class A, B and C networks. */
static unsigned int
class_bits(const unsigned char *p)
{
	return p[0] < 128 ? 8 : p[0] < 192 ? 16 : 24;
}

static unsigned int
network_bits(const struct ifaddrs *i, const char *style)
{
	size_t n;
	const unsigned char *p = address_bytes(i->ifa_addr, &n);

	if (strcasecmp(style, "host") == 0 || i->ifa_netmask == NULL)
		return (unsigned int)n * 8;
	if (strcasecmp(style, "class") == 0 && n == 4)
		return class_bits(p);
	return mask_bits(i->ifa_netmask);
}

static void
network_text(const struct ifaddrs *i, unsigned int bits, char *out, size_t room)
{
	unsigned char bytes[16];
	char text[INET6_ADDRSTRLEN];
	size_t n;

	memcpy(bytes, address_bytes(i->ifa_addr, &n),
	    i->ifa_addr->sa_family == AF_INET ? 4 : 16);
	for (unsigned int b = bits; b < n * 8; b++)
		bytes[b / 8] &= (unsigned char)~(0x80 >> b % 8);
	inet_ntop(i->ifa_addr->sa_family, bytes, text, sizeof(text));
	snprintf(out, room, n == 4 ? "%s/%u" : "[%s]/%u", text, bits);
}

static bool
family_wanted(int family, const char *protocols)
{
	if (family == AF_INET)
		return strcasestr(protocols, "all") != NULL ||
		    strcasestr(protocols, "ipv4") != NULL;
	return family == AF_INET6 &&
	    (strcasestr(protocols, "all") != NULL ||
		strcasestr(protocols, "ipv6") != NULL);
}

static bool
same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	size_t an, bn;
	const unsigned char *ap, *bp;

	if (a->sa_family != b->sa_family)
		return false;
	ap = address_bytes(a, &an);
	bp = address_bytes(b, &bn);
	return memcmp(ap, bp, an) == 0;
}

/* Does one name or address of inet_interfaces stand for this interface? */
static bool
name_is_interface(struct span item, const struct ifaddrs *i)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char name[256];
	bool same = false;

	if (item.n > 2 && item.p[0] == '[')
		item = (struct span){ item.p + 1, item.n - 2 };
	snprintf(name, sizeof(name), "%.*s", SPAN_ARG(item));
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	for (struct addrinfo *a = found; a != NULL && !same; a = a->ai_next)
		same = same_address(a->ai_addr, i->ifa_addr);
	freeaddrinfo(found);
	return same;
}

static bool
interface_wanted(const struct ifaddrs *i, const char *interfaces,
    const char *protocols)
{
	struct span rest = span_of(interfaces), item;

	if (i->ifa_addr == NULL ||
	    !family_wanted(i->ifa_addr->sa_family, protocols))
		return false;
	while (conf_list_next(&rest, &item)) {
		if (span_is_nocase(item, "all"))
			return true;
		if (span_is_nocase(item, "loopback-only"))
			return (i->ifa_flags & IFF_LOOPBACK) != 0;
		if (name_is_interface(item, i))
			return true;
	}
	return false;
}

static const char *
networks(struct conf *c)
{
	const char *style = conf_value(c, "mynetworks_style");
	const char *interfaces = conf_value(c, "inet_interfaces");
	const char *protocols = conf_value(c, "inet_protocols");
	struct ifaddrs *all;
	struct buf list = BUF_INIT(65536);
	const char *result;
	char one[80];

	if (getifaddrs(&all) != 0)
		return "127.0.0.0/8 [::1]/128";
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		if (!interface_wanted(i, interfaces, protocols))
			continue;
		network_text(i, network_bits(i, style), one, sizeof(one));
		/* two addresses in one subnet */
		if (list.n > 0 && strstr(buf_text(&list), one) != NULL)
			continue;
		buf_printf(&list, "%s%s", list.n > 0 ? " " : "", one);
	}
	freeifaddrs(all);
	result = arena_text(c->arena, buf_text(&list));
	buf_fini(&list);
	return result;
}

static const char *
own_directory(struct conf *c)
{
	return c->directory;
}

static const struct {
	const char *name;
	const char *fixed;
	const char *(*compute)(struct conf *c);
} computed[] = {
	{ "command_directory", COMMAND_DIRECTORY, NULL },
	{ "config_directory", NULL, own_directory },
	{ "daemon_directory", DAEMON_DIRECTORY, NULL },
	{ "data_directory", DATA_DIRECTORY, NULL },
	{ "mail_owner", MAIL_OWNER, NULL },
	{ "mydomain", NULL, domain_name },
	{ "myhostname", NULL, host_name },
	{ "mynetworks", NULL, networks },
	{ "queue_directory", QUEUE_DIRECTORY, NULL },
	{ "sample_directory", SAMPLE_DIRECTORY, NULL },
	{ "setgid_group", SETGID_GROUP, NULL },
};

const char *
conf_compute(struct conf *c, const char *name)
{
	for (size_t i = 0; i < sizeof(computed) / sizeof(computed[0]); i++)
		if (strcmp(computed[i].name, name) == 0)
			return computed[i].fixed != NULL ?
			    computed[i].fixed :
			    computed[i].compute(c);
	return NULL;
}

/*
 * Only what a confined program cannot find out; mydomain follows myhostname,
 * which an -o option may change.
 */
const char *const *
conf_computed_names(void)
{
	static const char *const names[] = { "myhostname", "mynetworks", NULL };

	return names;
}
