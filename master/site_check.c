/* SPDX-License-Identifier: ISC */
#include "master/site_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "master/complain.h"

static const char *
value(const struct plan *plan, const char *setting)
{
	const char *text = conf_value(plan->conf, setting);

	return text == NULL ? "" : text;
}

static bool
is_set(const struct plan *plan, const char *setting)
{
	return conf_raw(plan->conf, setting) != NULL;
}

/* Does mail of this transport's domains go to the service of that name? */
static bool
delivers(const struct plan *plan, const char *transport, const char *domains,
    const char *service)
{
	struct span name = span_of(value(plan, transport));

	return span_is(span_take(name, span_find(name, ':')), service) &&
	    value(plan, domains)[0] != '\0';
}

/*
 * Whichever of the two was written is to blame. Postfix's agents do not start
 * with such settings; ours return what is too large, which is late.
 */
static void
check_limit(const struct plan *plan, const char *setting, struct buf *warnings)
{
	long long limit = strtoll(value(plan, setting), NULL, 10);
	long long largest =
	    strtoll(value(plan, "message_size_limit"), NULL, 10);
	const char *blamed =
	    is_set(plan, setting) ? setting : "message_size_limit";

	if (limit != 0 && (largest == 0 || limit < largest))
		complain_setting(warnings, plan->conf, blamed,
		    "%s (%lld) is smaller than message_size_limit (%lld%s): "
		    "what is in between is accepted, and comes back as too "
		    "large: raise %s, or 0 for no limit",
		    setting, limit, largest, largest == 0 ? ", no limit" : "",
		    setting);
}

static void
check_limits(const struct plan *plan, struct buf *warnings)
{
	if (delivers(plan, "local_transport", "mydestination", "local") &&
	    value(plan, "mailbox_transport")[0] == '\0')
		check_limit(plan, "mailbox_size_limit", warnings);
	if (delivers(plan, "virtual_transport", "virtual_mailbox_domains",
		"virtual"))
		check_limit(plan, "virtual_mailbox_limit", warnings);
}

/* Servers elsewhere take no mail from who greets them so. */
static void
check_host_name(const struct plan *plan, struct buf *warnings)
{
	const char *name = value(plan, "myhostname");

	if (is_set(plan, "myhostname") && strchr(name, '.') == NULL)
		complain_setting(warnings, plan->conf, "myhostname",
		    "\"%s\" is not a fully qualified name: other servers may "
		    "refuse mail of who greets them with it: host.domain is "
		    "wanted",
		    name);
}

static void
check_networks(const struct plan *plan, struct buf *warnings)
{
	if (!is_set(plan, "mynetworks") &&
	    strcasecmp(value(plan, "mynetworks_style"), "class") == 0)
		complain_setting(warnings, plan->conf, "mynetworks_style",
		    "\"class\" lets every host of a class A, B or C network "
		    "send to other sites, strangers among them (mynetworks is "
		    "\"%s\"): host or subnet, or mynetworks, is safe",
		    value(plan, "mynetworks"));
}

void
site_check(const struct plan *plan, struct buf *warnings)
{
	if (warnings == NULL)
		return;
	check_limits(plan, warnings);
	check_host_name(plan, warnings);
	check_networks(plan, warnings);
}
