/* SPDX-License-Identifier: ISC */
/*
 * From one generation of settings to the next: everything that can fail is
 * done first, so that a wrong configuration changes nothing.
 */
#include "master/master.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"

/* A socket for an endpoint that no listener has yet. */
struct opened {
	struct opened *next;
	const struct planned *service;
	const struct endpoint *endpoint;
	int fd;
};

static char *
key_of(const struct planned *p)
{
	return mem_printf("%s/%s", p->entry->name,
	    service_type_name(p->entry->type));
}

/* IPv6 that the kernel was told to do without is no mistake of anybody. */
static bool
may_lack(const struct endpoint *e)
{
	return e->optional &&
	    (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL ||
		errno == EPROTONOSUPPORT);
}

static const struct planned *
find_planned(const struct plan *plan, const char *key)
{
	const struct planned *found = NULL;

	for (size_t i = 0; found == NULL && i < plan->count; i++) {
		char *other = key_of(&plan->services[i]);

		if (strcmp(other, key) == 0)
			found = &plan->services[i];
		free(other);
	}
	return found;
}

/*
 * Listeners of ours that the new plan has no more share their places with
 * the new ones for as long as processes of old generations hold them: at no
 * time does nobody listen, and if the new ones cannot be had, the old ones
 * were never gone.
 */
static void
share_old_places(const struct master *m, const struct plan *plan, bool on)
{
	for (const struct served *s = m->services; s != NULL; s = s->next) {
		const struct planned *p = find_planned(plan, s->key);

		for (size_t i = 0; i < s->listener_count; i++) {
			const struct listener *l = &s->listeners[i];

			if (strchr(l->text, '/') == NULL &&
			    (p == NULL ||
				!endpoints_have(&p->endpoints, l->text)))
				endpoint_share(l->fd, on);
		}
	}
}

static int
open_endpoint(const struct master *m, const struct plan *plan,
    const struct endpoint *e)
{
	int fd = endpoint_open(e);

	if (fd >= 0 || errno != EADDRINUSE || e->type != SERVICE_INET)
		return fd;
	share_old_places(m, plan, true);
	fd = endpoint_open_beside(e);
	if (fd >= 0)
		endpoint_share(fd, false);
	return fd;
}

static bool
add_opened(const struct planned *p, const struct endpoint *e, int fd,
    struct opened **list, struct buf *errors)
{
	struct opened *o;

	if (fd < 0 && may_lack(e))
		return true;
	if (fd < 0) {
		if (p->entry->line > 0)
			buf_printf(errors,
			    "master.cf: line %d: ", p->entry->line);
		buf_printf(errors, "service %s: cannot listen on %s: %s\n",
		    p->entry->name, e->text, strerror(errno));
		return false;
	}
	o = mem_new(sizeof(*o));
	*o = (struct opened){ *list, p, e, fd };
	*list = o;
	return true;
}

static bool
open_missing(struct master *m, const struct plan *plan, struct opened **list,
    struct buf *errors)
{
	bool fine = true;

	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *p = &plan->services[i];
		char *key = key_of(p);
		const struct served *s = service_find(m, key);

		for (size_t k = 0; k < p->endpoints.count; k++) {
			const struct endpoint *e = &p->endpoints.list[k];

			if (s == NULL || !service_has_listener(s, e))
				fine &= add_opened(p, e,
				    open_endpoint(m, plan, e), list, errors);
		}
		free(key);
	}
	return fine;
}

static void
close_opened(struct opened **list)
{
	while (*list != NULL) {
		struct opened *o = *list;

		*list = o->next;
		fd_close(&o->fd);
		free(o);
	}
}

static void
take_listeners(struct served *s, const struct planned *p, struct opened **list)
{
	service_close_listeners(s, &p->endpoints);
	while (*list != NULL) {
		struct opened *o = *list;

		if (o->service != p) {
			list = &o->next;
			continue;
		}
		service_add_listener(s, o->endpoint, o->fd);
		*list = o->next;
		free(o);
	}
}

static void
commit(struct master *m, struct plan *plan, struct opened **list)
{
	struct plan *old = m->plan;

	for (struct served *s = m->services; s != NULL; s = s->next)
		service_plan(s, NULL);
	for (size_t i = 0; i < plan->count; i++) {
		char *key = key_of(&plan->services[i]);
		struct served *s = service_find(m, key);

		if (s == NULL)
			s = service_new(m, key, plan->services[i].entry->name);
		service_plan(s, &plan->services[i]);
		take_listeners(s, &plan->services[i], list);
		free(key);
	}
	m->plan = plan;
	renewal_new_plan(m);
	if (old != NULL)
		renewal_follow(plan->certificates, &old->certificates);
	plan_free(&old);
	for (struct served *s = m->services; s != NULL; s = s->next)
		if (s->plan == NULL)
			service_close_listeners(s, NULL);
	handover_begin(m);
	services_sweep(m);
}

/*
 * The working directory is the queue directory for as long as we live, and
 * programs of two generations, which share the queue, are the same users.
 * All else is taken up by a reload.
 */
static bool
lasting_stay(const struct master *m, const struct plan *plan,
    struct buf *errors)
{
	static const char *const names[] = { "queue_directory", "mail_owner",
		"setgid_group" };
	bool same = true;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (m->plan == NULL ||
		    strcmp(conf_value(m->plan->conf, names[i]),
			conf_value(plan->conf, names[i])) == 0)
			continue;
		buf_printf(errors,
		    "%s: %s cannot be changed by a reload: stop and start\n",
		    conf_origin(plan->conf, names[i]), names[i]);
		same = false;
	}
	return same;
}

static void
update_all(struct master *m)
{
	/* the log first, then the others */
	for (struct served *s = m->services; s != NULL; s = s->next)
		if (strcmp(s->program->name, "logd") == 0)
			service_update(s);
	for (struct served *s = m->services; s != NULL; s = s->next)
		service_update(s);
}

void
complaints_init(struct complaints *c)
{
	buf_init(&c->errors, COMPLAINTS_MAX);
	buf_init(&c->warnings, COMPLAINTS_MAX);
}

void
complaints_fini(struct complaints *c)
{
	buf_fini(&c->errors);
	buf_fini(&c->warnings);
}

/*
 * Files of certificates that are not usable now are no reason to refuse: those
 * in force go on. Where all is well with these, it was the files alone.
 */
static struct plan *
load_plan(const struct master *m, const char *directory,
    unsigned int generation, struct complaints *c)
{
	struct plan *plan =
	    plan_load(directory, generation, NULL, &c->errors, &c->warnings);
	struct complaints with_old;

	if (plan != NULL || m->plan == NULL)
		return plan;
	complaints_init(&with_old);
	plan = plan_load(directory, generation, m->plan->certificates,
	    &with_old.errors, &with_old.warnings);
	if (plan != NULL) {
		buf_reset(&c->warnings);
		buf_add_text(&c->warnings, RENEWAL_UNUSABLE "\n");
		buf_add_span(&c->warnings, buf_span(&c->errors));
		buf_add_span(&c->warnings, buf_span(&with_old.warnings));
		buf_reset(&c->errors);
	}
	complaints_fini(&with_old);
	return plan;
}

bool
reload(struct master *m, const char *directory, struct complaints *c)
{
	unsigned int generation = m->plan ? m->plan->generation + 1 : 1;
	struct plan *plan;
	struct opened *list = NULL;

	renewal_before_reload(m);
	tls_kept_in_force(m->plan ? m->plan->certificates : NULL);
	plan = load_plan(m, directory, generation, c);
	tls_kept_in_force(NULL);
	if (plan == NULL)
		return false;
	if (!lasting_stay(m, plan, &c->errors) ||
	    (m->plan == NULL && !take_queue(plan, &c->errors)) ||
	    !open_missing(m, plan, &list, &c->errors) ||
	    !plan_snapshots(plan, &c->errors))
		goto out;
	commit(m, plan, &list);
	update_all(m);
	return true;
out:
	close_opened(&list);
	share_old_places(m, plan, false);
	plan_free(&plan);
	return false;
}

void
log_lines(const struct buf *lines, void (*put)(const char *, ...))
{
	struct span rest = buf_span(lines), line;

	while (span_cut(&rest, "\n", true, &line))
		put("%.*s", SPAN_ARG(line));
}

bool
reload_and_tell(struct master *m, const char *directory, struct complaints *c)
{
	char text[64];
	bool done;

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_ms() * 1000);
	notify_systemd(text);
	done = reload(m, directory, c);
	notify_systemd("READY=1");
	if (done)
		log_info("reload -- version %s, configuration %s",
		    m->plan->common.mail_version, directory);
	else
		log_error("reload refused: the old configuration stays");
	log_lines(&c->warnings, log_warning);
	if (!done) {
		log_lines(&c->errors, log_error);
		buf_printf(&c->errors,
		    "the old configuration stays in force\n");
	}
	return done;
}

void
reopen_log(struct master *m)
{
	for (struct served *s = m->services; s != NULL; s = s->next) {
		if (strcmp(s->program->name, "logd") != 0)
			continue;
		for (struct child *c = s->children; c != NULL; c = c->next)
			child_retire(c, false);
		service_update(s);
	}
}
