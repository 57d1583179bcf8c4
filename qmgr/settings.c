/* SPDX-License-Identifier: ISC */
#include "qmgr/settings.h"

#include <stdlib.h>
#include <string.h>

#include "lib/conf/master_cf.h"
#include "lib/log/log.h"
#include "lib/mail/delivery_log.h"

static struct {
	struct common_params common;
	struct qmgr_params params;
	struct backoff_limits backoff;
	struct conf *conf;
	struct master_cf *services;
} settings;

const struct service_params settings_groups[] = {
	{ &common_param_group, &settings.common },
	{ &qmgr_param_group, &settings.params },
	{ NULL, NULL },
};

const struct qmgr_params *
settings_params(void)
{
	return &settings.params;
}

const struct common_params *
settings_common(void)
{
	return &settings.common;
}

const struct backoff_limits *
settings_backoff(void)
{
	return &settings.backoff;
}

void
settings_load(struct conf *c)
{
	const struct qmgr_params *p = &settings.params;
	struct buf errors = BUF_INIT(65536);

	settings.conf = c;
	delivery_log_resolution(
	    (int)settings.common.delay_logging_resolution_limit);
	settings.backoff.floor_s = (uint32_t)p->minimal_backoff_time;
	settings.backoff.ceiling_s = (uint32_t)p->maximal_backoff_time;
	if (p->maximal_backoff_time < p->minimal_backoff_time) {
		log_warning("maximal_backoff_time is below "
			    "minimal_backoff_time: using the latter for both");
		settings.backoff.ceiling_s = settings.backoff.floor_s;
	}
	settings.services = master_cf_read(conf_directory(c), c, &errors, NULL);
	if (settings.services == NULL)
		log_warning("process limits of delivery services unknown: "
			    "cannot read master.cf");
	buf_fini(&errors);
}

/* Requests at a time: what master.cf lets master start. */
static uint32_t
process_limit(const char *name)
{
	int64_t limit = settings.common.default_process_limit;
	const struct master_cf *m = settings.services;

	for (size_t i = 0; m != NULL && i < m->count; i++)
		if (m->entries[i].type != SERVICE_INET &&
		    strcmp(m->entries[i].name, name) == 0)
			limit = m->entries[i].maxproc;
	if (limit <= 0 || limit > 10000)
		limit = 10000; /* 0 in master.cf: no limit */
	return (uint32_t)limit;
}

/* Only the program that delivers to virtual mailboxes, which is root's. */
static bool
takes_files(const char *name)
{
	const struct master_cf *m = settings.services;
	bool takes = false;

	for (size_t i = 0; m != NULL && i < m->count; i++)
		if (m->entries[i].type != SERVICE_INET &&
		    strcmp(m->entries[i].name, name) == 0)
			takes = strcmp(m->entries[i].command, "virtual") == 0;
	return takes;
}

static int64_t
number(const char *name, const char *suffix, int64_t fallback)
{
	return conf_family_number(settings.conf, name, suffix, PARAM_COUNT,
	    fallback);
}

static int64_t
delay_ms(const char *name, const char *suffix)
{
	return 1000 *
	    conf_family_number(settings.conf, name, suffix, PARAM_TIME, 0);
}

/* NAME_suffix, else the default; a value that is none counts as 1. */
static struct feedback
feedback(const char *name, const char *suffix, const char *fallback)
{
	char *full = mem_printf("%s_%s", name, suffix);
	const char *text = conf_raw(settings.conf, full) != NULL ?
	    conf_value(settings.conf, full) :
	    fallback;
	struct feedback f = { 1, FEEDBACK_CONSTANT };

	if (!feedback_parse(text, &f))
		log_warning("%s: bad feedback \"%s\": using 1", full, text);
	free(full);
	return f;
}

struct transport *
settings_transport(const char *name)
{
	const struct qmgr_params *p = &settings.params;
	struct transport *t = transport_find(name);
	struct transport_limits lim = { 0 };
	int64_t recipients;

	if (t != NULL)
		return t;
	lim.window.initial =
	    (unsigned int)number(name, "initial_destination_concurrency",
		p->initial_destination_concurrency);
	lim.window.most =
	    (unsigned int)number(name, "destination_concurrency_limit",
		p->default_destination_concurrency_limit);
	lim.window.failed_cohorts =
	    (double)number(name, "destination_concurrency_failed_cohort_limit",
		p->default_destination_concurrency_failed_cohort_limit);
	lim.window.positive =
	    feedback(name, "destination_concurrency_positive_feedback",
		p->default_destination_concurrency_positive_feedback);
	lim.window.negative =
	    feedback(name, "destination_concurrency_negative_feedback",
		p->default_destination_concurrency_negative_feedback);
	if (lim.window.initial == 0)
		lim.window.initial = 1;
	recipients = number(name, "destination_recipient_limit",
	    p->default_destination_recipient_limit);
	lim.recipients =
	    recipients < 1 || recipients > 1000 ? 1000 : (uint32_t)recipients;
	lim.processes = process_limit(name);
	lim.takes = takes_files(name);
	lim.destination_delay_ms = delay_ms(name, "destination_rate_delay");
	lim.transport_delay_ms = delay_ms(name, "transport_rate_delay");
	if (lim.destination_delay_ms > 0)
		lim.window.initial = lim.window.most = 1;
	if (lim.transport_delay_ms > 0)
		lim.processes = 1;
	return transport_new(name, &lim);
}
