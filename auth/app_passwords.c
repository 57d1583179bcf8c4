/* SPDX-License-Identifier: ISC */
#include "auth/app_passwords.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "auth/watched_file.h"
#include "lib/base/buf.h"
#include "lib/base/hash_table.h"
#include "lib/log/log.h"

enum { FILE_MAX = 64 << 20, COMPLAINTS_MAX = 10 };

struct kept {
	struct kept *next;
	struct app_password password;
};

struct holder {
	struct kept *first;
	UT_hash_handle hh;
};

struct app_passwords {
	struct watched_file file;
	struct arena *memory;
	struct holder *holders;
};

struct app_passwords *
app_passwords_new(const char *path, bool required)
{
	struct app_passwords *a = mem_new(sizeof(*a));

	watched_file_init(&a->file, path, "app passwords");
	a->file.may_be_missing = !required;
	a->file.must_stay = required;
	return a;
}

static void
drop(struct app_passwords *a)
{
	HASH_CLEAR(hh, a->holders);
	arena_free(&a->memory);
}

void
app_passwords_free(struct app_passwords **a)
{
	if (*a == NULL)
		return;
	drop(*a);
	watched_file_fini(&(*a)->file);
	free(*a);
	*a = NULL;
}

static struct holder *
holder_of(struct app_passwords *a, const char *user)
{
	struct holder *h;

	HASH_FIND_STR(a->holders, user, h);
	if (h == NULL) {
		h = arena_alloc(a->memory, sizeof(*h));
		h->first = NULL;
		HASH_ADD_KEYPTR(hh, a->holders, user, strlen(user), h);
	}
	return h;
}

static void
add(struct app_passwords *a, const struct app_password *p)
{
	struct kept *k = arena_alloc(a->memory, sizeof(*k));
	struct holder *h = holder_of(a, p->user);

	k->password = *p;
	k->next = h->first;
	h->first = k;
}

static void
parse(struct app_passwords *a, struct span text)
{
	unsigned int number = 0, complaints = 0;
	struct app_password p;
	const char *error;
	struct span line;

	while (span_cut(&text, "\n", false, &line)) {
		number++;
		if (app_password_parse(line, a->memory, &p, &error)) {
			add(a, &p);
			continue;
		}
		if (p.user != NULL)
			(void)holder_of(a, p.user);
		if (error != NULL && complaints++ < COMPLAINTS_MAX)
			log_warning("%s: line %u %s: ignored", a->file.path,
			    number, error);
	}
}

static bool
refresh(struct app_passwords *a)
{
	struct buf text = BUF_INIT(FILE_MAX);
	enum watched w = watched_file_look(&a->file, &text);

	if (w == WATCHED_CHANGED) {
		drop(a);
		a->memory = arena_new();
		parse(a, buf_span(&text));
	}
	watched_file_wipe(&text);
	return w != WATCHED_UNREADABLE;
}

static struct holder *
find(const struct app_passwords *a, const char *user)
{
	struct holder *h;

	HASH_FIND_STR(a->holders, user, h);
	return h;
}

static bool
fits(const struct app_password *p, unsigned int protocol, int64_t now_s)
{
	return (p->protocols & protocol) != 0 &&
	    (p->expires == 0 || now_s < p->expires);
}

enum app_passwords_result
app_passwords_check(struct app_passwords *a, const char *user,
    struct span password, unsigned int protocol, int64_t now_s,
    const struct app_password **which)
{
	unsigned char digest[APP_PASSWORD_DIGEST];
	struct holder *h;

	if (!app_password_digest(password, digest))
		return APP_PASSWORD_NONE;
	if (!refresh(a))
		return APP_PASSWORD_LATER;
	h = find(a, user);
	for (struct kept *k = h == NULL ? NULL : h->first; k != NULL;
	     k = k->next) {
		if (CRYPTO_memcmp(k->password.digest, digest, sizeof(digest)) !=
		    0)
			continue;
		*which = &k->password;
		return fits(*which, protocol, now_s) ? APP_PASSWORD_RIGHT :
						       APP_PASSWORD_NOT_HERE;
	}
	return APP_PASSWORD_NONE;
}

bool
app_passwords_any(struct app_passwords *a, const char *user, bool *known)
{
	*known = refresh(a);
	return *known && find(a, user) != NULL;
}
