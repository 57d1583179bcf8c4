/* SPDX-License-Identifier: ISC */
#include "master/plan.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/conf/handed_on.h"
#include "lib/mail/mail_address.h"
#include "lib/net/port.h"
#include "lib/service/status_page.h"
#include "lib/conf/receive_override.h"
#include "lib/sasl/sasl_check.h"
#include "lib/table/table.h"
#include "lib/table/table_check.h"
#include "lib/table/table_check_servers.h"
#include "lib/tls/tls_check.h"
#include "master/absorbed.h"
#include "master/complain.h"
#include "master/options_check.h"
#include "master/restrictions_check.h"
#include "master/services_check.h"
#include "master/settings_check.h"
#include "master/site_check.h"

struct planning {
	struct plan *plan;
	size_t room;
	bool interfaces; /* inet_interfaces is sound */
	bool programs; /* so is daemon_directory */
	struct buf *errors;
	struct buf *warnings;
};

/* Whoever asked its commands, for a policy or a filter, gets no answer. */
static void
complain_guard(struct planning *p, const struct master_entry *e,
    const struct absorbed *a)
{
	bool tolerated = strcmp(conf_value(p->plan->conf, "missing_protection"),
			     "warn") == 0;

	complain_service(tolerated ? p->warnings : p->errors, e, "%s: %s%s",
	    e->command, a->meaning,
	    tolerated ? "" :
			" (\"missing_protection = warn\" in main.cf starts "
			"without it)");
}

/* Ours, or one that ours stands in for; NULL: no process, or an error. */
static const struct program *
find_program(struct planning *p, const struct master_entry *e)
{
	const struct program *program = program_find(e->command);
	const struct absorbed *a;

	if (program != NULL)
		return program;
	a = absorbed_find(e->command);
	if (a == NULL)
		complain_service(p->errors, e, "there is no program \"%s\"",
		    e->command);
	else if (a->kind == ABSORBED_REFUSED)
		complain_service(p->errors, e, "%s: %s", e->command,
		    a->meaning);
	else if (a->kind == ABSORBED_GUARDS)
		complain_guard(p, e, a);
	else if (a->kind == ABSORBED_IDLE)
		complain_service(p->warnings, e, "%s needs no process: %s",
		    e->command, a->meaning);
	else
		return program_find(a->program);
	return NULL;
}

static size_t
processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return 1;
	return (size_t)CPU_COUNT(&set);
}

/* maxproc bounds the sessions of task programs, the processes of others. */
static size_t
process_limit(const struct program *program, int64_t maxproc)
{
	size_t limit = maxproc == 0 || maxproc > PROCESSES_MAX ?
	    PROCESSES_MAX :
	    (size_t)maxproc;

	switch (program->style) {
	case SERVICE_TASKS:
		return limit < processors() ? limit : processors();
	case SERVICE_OWN:
		return 1;
	case SERVICE_ONE:
	case SERVICE_REQUESTS:
		break;
	}
	return limit;
}

static bool
must_run(const struct program *program)
{
	static const char *const names[] = { "logd", "lookup", "qmgr" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(program->name, names[i]) == 0)
			return true;
	return false;
}

static bool
type_fits(struct planning *p, const struct master_entry *e,
    const struct program *program)
{
	bool log = strcmp(program->name, "logd") == 0;

	if (e->type == SERVICE_PASS) {
		if (!handed_on_any(p->plan->cf, p->plan->conf, e))
			complain_service(p->warnings, e,
			    "services of type pass are not needed: "
			    "no program hands connections on");
		return false;
	}
	if (log == (e->type == SERVICE_UNIX_DGRAM))
		return true;
	complain_service(p->errors, e, "%s",
	    log ? "logd is a service of type unix-dgram" :
		  "only logd is a service of type unix-dgram");
	return false;
}

/* "192.0.2.1:25"; those of inet_interfaces were looked at already. */
static bool
addresses_are_ours(struct planning *p, const struct master_entry *e,
    const struct endpoints *list)
{
	bool fine = true;

	if (e->type != SERVICE_INET || strchr(e->name, ':') == NULL)
		return true;
	for (size_t i = 0; i < list->count; i++)
		if (endpoint_try(&list->list[i]) < 0) {
			fine = false;
			complain_service(p->errors, e,
			    "cannot listen on %s: %s", list->list[i].text,
			    strerror(errno));
		}
	return fine;
}

static void
add(struct planning *p, const struct master_entry *e,
    const struct program *program)
{
	struct plan *plan = p->plan;
	struct planned service = { .entry = e,
		.program = program,
		.snapshot = -1 };
	struct buf error = BUF_INIT(1024);

	if (!p->programs)
		return; /* daemon_directory was told */
	service.path = arena_printf(plan->arena, "%s/%s",
	    plan->common.daemon_directory, program->name);
	service.limit = process_limit(program, e->maxproc);
	service.must_run = must_run(program);
	if (access(service.path, X_OK) < 0)
		complain_service(p->errors, e, "program %s: %s", service.path,
		    strerror(errno));
	else if (!p->interfaces && e->type == SERVICE_INET &&
	    strchr(e->name, ':') == NULL)
		; /* inet_interfaces was told */
	else if (!endpoints_find(e, &plan->common, plan->arena,
		     &service.endpoints, &error))
		complain_service(p->errors, e, "%s", buf_text(&error));
	else if (addresses_are_ours(p, e, &service.endpoints))
		plan->services[plan->count++] = service;
	buf_fini(&error);
}

/* What only those who use the settings can tell. */
static void
check_settings(const struct planning *p, struct conf *c, struct buf *errors,
    struct buf *warnings)
{
	struct conf *main_cf = c == p->plan->conf ? NULL : p->plan->conf;

	(void)table_check_settings(c, errors, warnings);
	(void)tls_check_settings(c, main_cf, errors, warnings);
	(void)sasl_check_settings(c, errors, warnings);
	restrictions_check_settings(c, errors, warnings);
	if (p->plan->generation == 0 && warnings != NULL)
		restrictions_check_logins(c, warnings);
	receive_override_check(c, errors);
	/* a slip there is no reason to hold up what needs no fallback */
	settings_check_fallbacks(c,
	    p->plan->generation == 0 ? errors : warnings);
}

/* Those that are about an -o; main.cf's own were told once. */
static void
pass_on(struct buf *to, const struct master_entry *e, const struct buf *from)
{
	struct span rest = buf_span(from), line;

	while (span_cut(&rest, "\n", true, &line))
		if (span_starts(line, "-o option"))
			complain_service(to, e, "%.*s", SPAN_ARG(line));
}

/* Settings with the -o of one service, as its program will see them. */
static void
check_overrides(struct planning *p, const struct master_entry *e)
{
	struct buf errors = BUF_INIT(1 << 18), warnings = BUF_INIT(1 << 18);
	struct conf *c;

	if (e->overrides[0] == NULL)
		return;
	c = conf_read(conf_directory(p->plan->conf), &errors, NULL);
	for (char **o = e->overrides; c != NULL && *o != NULL; o++)
		(void)conf_override(c, *o, &errors);
	if (c != NULL) {
		master_cf_mention(p->plan->cf, c);
		(void)conf_check(c, &errors, &warnings);
		check_settings(p, c, &errors, &warnings);
	}
	pass_on(p->errors, e, &errors);
	pass_on(p->warnings, e, &warnings);
	conf_free(&c);
	buf_fini(&errors);
	buf_fini(&warnings);
}

bool
plan_has_certificates(const struct program *program)
{
	return strcmp(program->name, "keyd") == 0 ||
	    program_may_reach(program, "keyd");
}

/* With the -o of one service. */
static void
check_certificates_of(const struct plan *plan, const struct planned *s,
    int settings, struct buf *errors)
{
	struct buf found = BUF_INIT(1 << 18), ignored = BUF_INIT(1024);
	struct conf *c;

	if (s->entry->overrides[0] == NULL ||
	    !plan_has_certificates(s->program))
		return;
	c = conf_read_snapshot(settings);
	for (char **o = s->entry->overrides; *o != NULL; o++)
		(void)conf_override(c, *o, &ignored);
	(void)tls_check_settings(c, plan->conf, &found, NULL);
	pass_on(errors, s->entry, &found);
	conf_free(&c);
	buf_fini(&found);
	buf_fini(&ignored);
}

bool
plan_check_certificates(const struct plan *plan, struct buf *errors)
{
	size_t before = errors->n;
	char *none[] = { NULL };
	/* main.cf itself may be another by now */
	int settings = conf_snapshot(plan->conf, "*", none);

	(void)tls_check_settings(plan->conf, NULL, errors, NULL);
	if (settings < 0)
		buf_printf(errors, "settings snapshot: %s\n", strerror(errno));
	for (size_t i = 0; settings >= 0 && i < plan->count; i++)
		check_certificates_of(plan, &plan->services[i], settings,
		    errors);
	fd_close(&settings);
	return errors->n == before;
}

static const struct planned *
find_planned(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->services[i].entry->type != SERVICE_INET &&
		    strcmp(plan->services[i].entry->name, name) == 0)
			return &plan->services[i];
	return NULL;
}

/* Mail for a transport that nobody serves waits: allowed, hardly meant. */
static void
check_transports(struct planning *p)
{
	static const char *const settings[] = { "default_transport",
		"fallback_transport", "local_transport", "mailbox_transport",
		"relay_transport", "virtual_transport" };
	struct conf *c = p->plan->conf;

	if (p->warnings == NULL || !p->programs)
		return; /* without those there are no services */
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		struct span value = span_of(conf_value(c, settings[i]));
		struct span name = span_take(value, span_find(value, ':'));
		char *text = mem_span_text(name);

		if (name.n > 0 && find_planned(p->plan, text) == NULL)
			buf_printf(p->warnings,
			    "%s: %s: there is no service \"%s\" in master.cf: "
			    "its mail waits\n",
			    conf_origin(c, settings[i]), settings[i], text);
		free(text);
	}
}

enum { OWN_CONNECTIONS_MAX = 16000 };

static bool
is_of_accounts(const struct program *program)
{
	return program->user == USER_AUTH || program->user == USER_SERVER;
}

static bool
asks_tables(const struct program *program)
{
	return program->user == USER_TABLE || is_of_accounts(program);
}

static int64_t
implied_limit(const struct program *program, const struct common_params *common)
{
	/* accounts are asked for by two programs */
	int64_t most =
	    (is_of_accounts(program) ? 48 : 24) * (int64_t)processors();

	/* a session stage's parent keeps one process per user: it is one */
	if (program->user == USER_ROOT && program->style == SERVICE_REQUESTS)
		return 1;
	/* its sessions are connections of our own programs */
	if ((asks_tables(program) || program->user == USER_ROOT ||
		strcmp(program->name, "resolver") == 0) &&
	    program->style == SERVICE_TASKS)
		return OWN_CONNECTIONS_MAX;
	/* a table that hangs holds half of them: see lib/service/ask_server.c
	 */
	if (asks_tables(program) && program->style == SERVICE_ONE &&
	    common->default_process_limit < most)
		return most;
	return common->default_process_limit;
}

/* A service that master.cf does not list, under its program's name. */
static void
add_implied(struct planning *p, const char *name)
{
	struct plan *plan = p->plan;
	struct master_entry *e = arena_alloc(plan->arena, sizeof(*e));
	const struct program *program = program_find(name);
	bool log = strcmp(name, "logd") == 0;
	static char *none[] = { NULL };

	if (program == NULL || find_planned(plan, log ? "log" : name) != NULL)
		return;
	e->name = arena_text(plan->arena, log ? "log" : name);
	e->command = arena_text(plan->arena, name);
	e->type = log ? SERVICE_UNIX_DGRAM : SERVICE_UNIX;
	e->private_service = !log;
	e->maxproc = implied_limit(program, &plan->common);
	e->arguments = e->overrides = none;
	add(p, e, program);
}

/* Whatever a planned program talks to must be there too. */
static void
add_peers(struct planning *p)
{
	for (size_t i = 0; i < p->plan->count; i++) {
		struct span rest = span_of(p->plan->services[i].program->peers);
		struct span word;

		while (p->plan->count < p->room &&
		    span_cut(&rest, " ", true, &word))
			add_implied(p, arena_span(p->plan->arena, word));
	}
}

/* Its own options are looked at by now, the other line's with that one. */
static void
as_handed_on(struct planning *p, struct master_entry *e)
{
	const struct master_entry *to =
	    handed_on_to(p->plan->cf, p->plan->conf, e);

	/* one process of Postfix's for everybody, not one session */
	if (strcmp(e->command, "postscreen") == 0)
		e->maxproc = p->plan->common.default_process_limit;
	if (to != NULL)
		handed_on_take(e, to);
}

static void
add_services(struct planning *p)
{
	const struct master_cf *cf = p->plan->cf;

	p->room = cf->count + programs_count + 1;
	p->plan->services =
	    arena_alloc(p->plan->arena, p->room * sizeof(struct planned));
	add_implied(p, "logd");
	for (size_t i = 0; i < cf->count; i++) {
		const struct program *program;

		if (cf->entries[i].disabled)
			continue;
		check_overrides(p, &cf->entries[i]);
		options_check(&cf->entries[i], p->errors, p->warnings);
		program = find_program(p, &cf->entries[i]);
		if (program == NULL)
			continue;
		as_handed_on(p, &cf->entries[i]);
		services_check(&cf->entries[i], program, &p->plan->common,
		    p->errors, p->warnings);
		if (type_fits(p, &cf->entries[i], program))
			add(p, &cf->entries[i], program);
	}
	add_peers(p);
}

/* They stand in greetings, in Received: and behind local names. */
static void
check_host_name(struct planning *p, const char *setting)
{
	const char *name = conf_value(p->plan->conf, setting);

	if (conf_raw(p->plan->conf, setting) != NULL && name != NULL &&
	    !mail_hostname_valid(span_of(name), false))
		buf_printf(p->errors, "%s: %s: \"%s\" is not a host name\n",
		    conf_origin(p->plan->conf, setting), setting, name);
}

static void
check_user(struct planning *p, const char *setting)
{
	const char *name = conf_value(p->plan->conf, setting);
	const struct passwd *user = getpwnam(name);

	if (user == NULL)
		buf_printf(p->errors, "%s: %s: there is no user \"%s\"\n",
		    conf_origin(p->plan->conf, setting), setting, name);
	else if (user->pw_uid == 0)
		buf_printf(p->errors, "%s: %s: user \"%s\" is root\n",
		    conf_origin(p->plan->conf, setting), setting, name);
}

/* Those may be of servers, in one another. */
static bool
has_tables_of_accounts(struct conf *c)
{
	struct span rest = span_of(conf_value(c, "account_files")), word;

	while (conf_list_next(&rest, &word))
		if (word.p[0] != '/' &&
		    table_type_known(span_take(word, span_find(word, ':'))))
			return true;
	return false;
}

/* Without root nobody becomes anybody. */
static void
check_users(struct planning *p)
{
	const char *group = p->plan->common.setgid_group;

	if (geteuid() != 0)
		return;
	for (enum program_user u = USER_QUEUE; u <= USER_LOG; u++)
		check_user(p, program_user_setting(u));
	/* needed by those who have set this */
	if (conf_value(p->plan->conf, "auth_token_checker")[0] != '\0')
		check_user(p, program_user_setting(USER_TOKEN));
	if (has_tables_of_accounts(p->plan->conf))
		check_user(p, program_user_setting(USER_SERVER));
	if (getgrnam(group) == NULL)
		buf_printf(p->errors,
		    "%s: setgid_group: there is no group "
		    "\"%s\"\n",
		    conf_origin(p->plan->conf, "setgid_group"), group);
}

/* A main.cf that was another's names its places: what to do about that. */
static void
complain_place(struct planning *p, const char *setting, const char *name,
    const char *why)
{
	struct conf *c = p->plan->conf;

	buf_printf(p->errors, "%s: %s: %s: %s", conf_origin(c, setting),
	    setting, name, why);
	if (conf_raw(c, setting) != NULL)
		buf_printf(p->errors, " (without this line it is %s)",
		    conf_fallback(c, setting));
	buf_add_char(p->errors, '\n');
}

static void
check_directory(struct planning *p, const char *setting, const char *name)
{
	struct stat st;

	if (name[0] != '/')
		buf_printf(p->errors,
		    "%s: %s: \"%s\" is not an absolute "
		    "path\n",
		    conf_origin(p->plan->conf, setting), setting, name);
	else if (stat(name, &st) < 0)
		complain_place(p, setting, name, strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		complain_place(p, setting, name, "not a directory");
}

/* One mistake rather than one for each service. */
static bool
has_programs(struct planning *p)
{
	const char *name = p->plan->common.daemon_directory;
	char *master = mem_printf("%s/master", name);
	char *lookup = mem_printf("%s/lookup", name);
	bool found = access(master, X_OK) == 0 && access(lookup, X_OK) == 0;

	if (!found && access(name, F_OK) == 0)
		complain_place(p, "daemon_directory", name,
		    "these are not the programs of this suite");
	free(master);
	free(lookup);
	return found;
}

/* A server may take seconds: not while others are served. */
static enum table_check_how
how_to_check(unsigned int generation)
{
	return generation == 0 ? TABLE_CHECK_ALL :
	    generation == 1    ? TABLE_CHECK_START :
				 TABLE_CHECK_FILES;
}

static bool
load(struct planning *p, const char *directory)
{
	struct plan *plan = p->plan;
	struct buf told = BUF_INIT(1 << 20); /* by conf_check */
	size_t before = p->errors->n;
	bool filled;

	plan->conf = conf_read(directory, p->errors, p->warnings);
	if (plan->conf == NULL)
		return false;
	plan->cf =
	    master_cf_read(directory, plan->conf, p->errors, p->warnings);
	if (plan->cf != NULL)
		master_cf_mention(plan->cf, plan->conf);
	(void)conf_check(plan->conf, p->errors, p->warnings);
	check_settings(p, plan->conf, p->errors, p->warnings);
	filled =
	    conf_fill(plan->conf, &common_param_group, &plan->common, &told) &&
	    conf_fill(plan->conf, &master_param_group, &plan->params, &told);
	buf_fini(&told);
	if (!filled || plan->cf == NULL)
		return false;
	check_directory(p, "queue_directory", plan->common.queue_directory);
	check_directory(p, "daemon_directory", plan->common.daemon_directory);
	check_host_name(p, "myhostname");
	check_host_name(p, "mydomain");
	check_users(p);
	p->programs = has_programs(p);
	p->interfaces = settings_check_interfaces(plan, p->errors);
	settings_check_proxy_interfaces(plan, p->errors);
	settings_check_name_servers(plan, p->errors);
	add_services(p);
	check_transports(p);
	settings_check_next_hops(plan, p->errors, p->warnings);
	settings_check_domains(plan, p->warnings);
	settings_check_mailboxes(plan, p->errors);
	settings_check_accounts(plan, p->warnings);
	settings_check_client(plan, p->warnings);
	site_check(plan, p->warnings);
	(void)table_check_servers(plan->conf, how_to_check(plan->generation),
	    p->errors, p->warnings);
	return p->errors->n == before;
}

struct plan *
plan_load(const char *directory, unsigned int generation,
    const struct tls_kept *old, struct buf *errors, struct buf *warnings)
{
	struct plan *plan = mem_new(sizeof(*plan));
	struct planning p = { .plan = plan,
		.errors = errors,
		.warnings = warnings };
	bool good;

	(void)port_names_read(PORT_NAMES_FILE); /* smtp says why not */
	plan->generation = generation;
	plan->arena = arena_new();
	plan->certificates = tls_kept_new(old);
	tls_kept_use(plan->certificates);
	good = load(&p, directory);
	tls_kept_use(NULL);
	if (!good)
		plan_free(&plan);
	return plan;
}

struct texts {
	char **list; /* NULL at the end */
	size_t count;
};

static void
add_text(struct texts *t, char *text)
{
	t->list = mem_resize(t->list, (t->count + 2) * sizeof(*t->list));
	t->list[t->count++] = text;
	t->list[t->count] = NULL;
}

/*
 * lookup opens the tables that its callers' options name: what those refer to
 * as well, unless the setting is one that it is not told.
 */
static bool
caller_shares(const struct planned *s, const struct planned *caller,
    const char *option)
{
	size_t n = strcspn(option, " \t=");
	char *name = mem_span_text((struct span){ option, n });
	bool shares = program_may_reach(caller->program, s->program->name) &&
	    (conf_shares(s->program->settings, name) ||
		param_find(span_of(name)) == NULL);

	free(name);
	return shares;
}

/* What master.cf says that may refer to settings this service needs. */
static struct texts
texts_for(const struct plan *plan, const struct planned *s)
{
	struct texts texts = { NULL, 0 };

	for (char **t = s->entry->overrides; *t != NULL; t++)
		add_text(&texts, *t);
	for (char **t = s->entry->arguments; *t != NULL; t++)
		add_text(&texts, *t);
	for (size_t i = 0; i < plan->count; i++) {
		const struct planned *other = &plan->services[i];

		for (char **t = other->entry->overrides; *t != NULL; t++)
			if (caller_shares(s, other, *t))
				add_text(&texts, *t);
	}
	return texts;
}

bool
plan_snapshots(struct plan *plan, struct buf *errors)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct planned *s = &plan->services[i];
		struct texts texts = texts_for(plan, s);

		s->snapshot =
		    conf_snapshot(plan->conf, s->program->settings, texts.list);
		free(texts.list);
		if (s->snapshot >= 0)
			continue;
		buf_printf(errors, "settings snapshot: %s\n", strerror(errno));
		return false;
	}
	return true;
}

void
plan_free(struct plan **p)
{
	struct plan *gone = *p;

	*p = NULL;
	if (gone == NULL)
		return;
	for (size_t i = 0; i < gone->count; i++)
		fd_close(&gone->services[i].snapshot);
	if (gone->cf != NULL)
		master_cf_free(&gone->cf);
	if (gone->conf != NULL)
		conf_free(&gone->conf);
	tls_kept_free(&gone->certificates);
	arena_free(&gone->arena);
	free(gone);
}
