/* SPDX-License-Identifier: ISC */
#include "auth/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "auth/table_accounts.h"
#include "lib/store/mail_account_location.h"
#include "lib/store/quota_rule.h"
#include "lib/table/table.h"
#include "lib/table/words.h"

enum { SOURCES_MAX = 32, PATH_TEXT_MAX = 1024 };

/* A file, or a table, or (both NULL) the users of this system. */
struct source {
	struct passwd_file *file;
	struct table_accounts *table;
	char *pam_service;
};

struct accounts {
	const struct auth_params *params;
	struct source sources[SOURCES_MAX];
	size_t count;
	struct quota_rule quota; /* of accounts whose entry has none */
	char *system_mail; /* as account_mail; NULL: that one */
	struct arena *answer; /* texts of the last answer */
};

static bool
add_source(struct accounts *a, struct span word, struct buf *error)
{
	struct source *s = &a->sources[a->count];
	char *text;

	if (a->count == SOURCES_MAX) {
		buf_printf(error, "account_files: more than %d", SOURCES_MAX);
		return false;
	}
	if (span_is(word, "pam") || span_starts(word, "pam:")) {
		s->pam_service = word.n == 3 ?
		    mem_text("posthaste") :
		    mem_span_text(span_skip(word, 4));
		a->count++;
		return true;
	}
	if (word.n > 0 && word.p[0] != '/' &&
	    table_type_known(span_take(word, span_find(word, ':')))) {
		s->table = table_accounts_new(word, error);
		a->count += s->table != NULL;
		return s->table != NULL;
	}
	if (span_starts(word, "passwd-file:"))
		word = span_skip(word, 12);
	if (word.n == 0 || word.p[0] != '/') {
		buf_printf(error,
		    "account_files: \"%.*s\" is neither an"
		    " absolute file name nor pam, nor a table",
		    SPAN_ARG(word));
		return false;
	}
	text = mem_span_text(word);
	s->file = passwd_file_new(text);
	free(text);
	a->count++;
	return true;
}

void
accounts_tables(struct conf *c)
{
	/* a name server that is silent is not waited for as long as usual */
	(void)setenv("RES_OPTIONS", "timeout:2 attempts:1", 0);
	table_main_settings(c);
	table_needs_accounts();
}

struct accounts *
accounts_new(const struct auth_params *p, struct buf *error)
{
	struct accounts *a = mem_new(sizeof(*a));
	struct span rest = span_of(p->account_files), word;

	a->params = p;
	a->answer = arena_new();
	if (!quota_rule_parse(span_of(p->account_quota), &a->quota)) {
		buf_printf(error, "account_quota: \"%s\" is not understood",
		    p->account_quota);
		accounts_free(&a);
		return NULL;
	}
	while (words_next(&rest, &word))
		if (!add_source(a, word, error)) {
			accounts_free(&a);
			return NULL;
		}
	return a;
}

void
accounts_free(struct accounts **a)
{
	if (*a == NULL)
		return;
	for (size_t i = 0; i < (*a)->count; i++) {
		passwd_file_free(&(*a)->sources[i].file);
		table_accounts_free(&(*a)->sources[i].table);
		free((*a)->sources[i].pam_service);
	}
	free((*a)->system_mail);
	arena_free(&(*a)->answer);
	free(*a);
	*a = NULL;
}

static enum accounts_result
find_entry(const struct source *s, const char *name, struct account *out)
{
	const struct passwd_entry *e;

	switch (s->file != NULL ? passwd_file_find(s->file, name, &e) :
				  table_accounts_find(s->table, name, &e)) {
	case PASSWD_UNREADABLE:
		return ACCOUNT_LATER;
	case PASSWD_NONE:
		return ACCOUNT_NONE;
	case PASSWD_FOUND:
		break;
	}
	*out = (struct account){
		.user = e->user,
		.password = e->password,
		.allow_nets = e->allow_nets,
		.nologin = e->nologin,
		.uid = e->uid,
		.gid = e->gid,
		.home = e->home,
		.mail = e->mail,
		.quota = e->quota,
	};
	return ACCOUNT_FOUND;
}

static enum accounts_result
find_in_system(const struct accounts *a, const struct source *s,
    const char *name, struct account *out)
{
	struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (pw == NULL)
		return errno == 0 || errno == ENOENT || errno == ESRCH ?
		    ACCOUNT_NONE :
		    ACCOUNT_LATER;
	/* root and daemons have no mail to read */
	if (pw->pw_uid < (uid_t)a->params->account_minimum_uid)
		return ACCOUNT_NONE;
	arena_reset(a->answer);
	*out = (struct account){
		.user = arena_text(a->answer, pw->pw_name),
		.password = "",
		.allow_nets = "",
		.pam_service = s->pam_service,
		.uid = arena_printf(a->answer, "%u", pw->pw_uid),
		.gid = arena_printf(a->answer, "%u", pw->pw_gid),
		.home = arena_text(a->answer, pw->pw_dir),
		.mail = "",
		.quota = "",
	};
	return ACCOUNT_FOUND;
}

static enum accounts_result
find_exact(struct accounts *a, const char *name, struct account *out)
{
	enum accounts_result r = ACCOUNT_NONE;

	/* nobody becomes another one while a source cannot be read */
	for (size_t i = 0; i < a->count && r == ACCOUNT_NONE; i++) {
		const struct source *s = &a->sources[i];

		r = s->pam_service == NULL ? find_entry(s, name, out) :
					     find_in_system(a, s, name, out);
	}
	return r;
}

static char *
lower_copy(struct arena *a, struct span name)
{
	char *text = arena_span(a, name);

	for (char *c = text; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c += 'a' - 'A';
	return text;
}

static enum accounts_result
find_by_names(struct accounts *a, struct span name, struct arena *names,
    struct account *out)
{
	const char *domain = a->params->account_domain;
	const char *given = lower_copy(names, name), *full;
	enum accounts_result r = ACCOUNT_NONE;
	size_t at = span_find(name, '@');

	if (at == name.n && domain[0] != '\0') {
		full = arena_printf(names, "%s@%s", given, domain);
		r = find_exact(a, lower_copy(names, span_of(full)), out);
	} else if (at < name.n &&
	    span_is_nocase(span_skip(name, at + 1), domain)) {
		r = find_exact(a, given, out);
		given = lower_copy(names, span_take(name, at));
	}
	/* nor by its other name */
	if (r != ACCOUNT_NONE || !account_name_valid(span_of(given)))
		return r;
	return find_exact(a, given, out);
}

enum accounts_result
accounts_find(struct accounts *a, struct span name, struct account *out)
{
	struct arena *names;
	enum accounts_result r;

	if (!account_name_valid(name))
		return ACCOUNT_NONE;
	/* another task may look for somebody while this one waits */
	names = arena_new();
	r = find_by_names(a, name, names, out);
	arena_free(&names);
	return r;
}

const char *
accounts_sample(struct accounts *a)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct source *s = &a->sources[i];
		const char *sample = NULL;

		if (s->file != NULL)
			sample = passwd_file_sample(s->file);
		else if (s->table != NULL)
			sample = table_accounts_sample(s->table);
		if (sample != NULL)
			return sample;
	}
	return "";
}

const char *
accounts_pam(const struct accounts *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->sources[i].pam_service != NULL)
			return a->sources[i].pam_service;
	return NULL;
}

/* The user's own group is looked for only where no other one is named. */
static bool
number_of_user(const char *text, bool group, uint64_t *uid, uint64_t *gid)
{
	struct passwd *pw;

	if (span_u64(span_of(text), UINT32_MAX - 1, uid)) {
		pw = group ? getpwuid((uid_t)*uid) : NULL;
		*gid = pw == NULL ? UINT64_MAX : pw->pw_gid;
		return true;
	}
	pw = getpwnam(text);
	if (pw == NULL)
		return false;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return true;
}

static bool
number_of_group(const char *text, uint64_t *gid)
{
	struct group *gr;

	if (span_u64(span_of(text), UINT32_MAX - 1, gid))
		return true;
	gr = getgrnam(text);
	if (gr == NULL)
		return false;
	*gid = gr->gr_gid;
	return true;
}

static bool
find_owner(const struct accounts *a, const struct account *account,
    struct mailbox *out, struct buf *error)
{
	const char *uid =
	    account->uid[0] != '\0' ? account->uid : a->params->account_uid;
	const char *gid =
	    account->gid[0] != '\0' ? account->gid : a->params->account_gid;

	if (uid[0] == '\0') {
		buf_printf(error,
		    "no user owns the mail of %s: neither its"
		    " entry nor account_uid says",
		    account->user);
		return false;
	}
	if (!number_of_user(uid, gid[0] == '\0', &out->uid, &out->gid)) {
		buf_printf(error, "%s: no such user: %s", account->user, uid);
		return false;
	}
	if (gid[0] != '\0' && !number_of_group(gid, &out->gid)) {
		buf_printf(error, "%s: no such group: %s", account->user, gid);
		return false;
	}
	if (out->gid == UINT64_MAX) {
		buf_printf(error,
		    "%s: user %s has no group of its own: set"
		    " account_gid",
		    account->user, uid);
		return false;
	}
	if (out->uid < (uint64_t)a->params->account_minimum_uid) {
		buf_printf(error, "%s: user %s is below account_minimum_uid",
		    account->user, uid);
		return false;
	}
	return true;
}

void
accounts_system_mail(struct accounts *a, const char *home_mailbox,
    const char *spool)
{
	bool in_home = home_mailbox[0] != '\0';
	const char *decides = in_home ? home_mailbox : spool;
	size_t n = strlen(decides);
	bool maildir = n > 0 && decides[n - 1] == '/';

	free(a->system_mail);
	a->system_mail = in_home ?
	    mem_printf("%s:~/%s", maildir ? "maildir" : "mbox", home_mailbox) :
	    mem_printf("%s:%s%s%%u", maildir ? "maildir" : "mbox", spool,
		maildir ? "" : "/");
}

static void
set_quota(const struct accounts *a, const struct account *account,
    struct mailbox *out)
{
	struct span text = span_of(account->quota);
	struct quota_rule rule = a->quota;

	if (text.n > 0 && !quota_rule_parse(text, &rule))
		rule = a->quota;
	out->quota_bytes = rule.bytes;
	out->quota_messages = rule.messages;
}

bool
accounts_mailbox(struct accounts *a, const struct account *account,
    struct mailbox *out, struct buf *error)
{
	const char *home =
	    account->home[0] != '\0' ? account->home : a->params->account_home;
	const char *mail = account->mail;

	if (mail[0] == '\0')
		mail = account->pam_service != NULL && a->system_mail != NULL ?
		    a->system_mail :
		    a->params->account_mail;

	buf_init(&out->home, PATH_TEXT_MAX);
	buf_init(&out->mail, PATH_TEXT_MAX);
	if (!find_owner(a, account, out, error))
		return false;
	set_quota(a, account, out);
	mail_location_expand(home, account->user, "", &out->home);
	mail_location_expand(mail, account->user, buf_text(&out->home),
	    &out->mail);
	if (out->home.overflow || out->mail.overflow || out->mail.n == 0) {
		buf_printf(error, "%s: home or mailbox is too long or missing",
		    account->user);
		return false;
	}
	return true;
}

void
mailbox_fini(struct mailbox *m)
{
	buf_fini(&m->home);
	buf_fini(&m->mail);
}
