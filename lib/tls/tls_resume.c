/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_resume.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/hash_table.h"
#include "lib/base/mem.h"

struct kept {
	char *key;
	SSL_SESSION *session;
	int64_t proven;
	UT_hash_handle hh;
};

struct tls_resume {
	struct kept *all; /* the oldest first */
	int64_t life_ms;
};

static void
forget(struct tls_resume *r, struct kept *k)
{
	HASH_DEL(r->all, k);
	SSL_SESSION_free(k->session);
	free(k->key);
	free(k);
}

static struct kept *
find(struct tls_resume *r, const char *key)
{
	struct kept *k = NULL;

	HASH_FIND_STR(r->all, key, k);
	return k;
}

struct tls_resume *
tls_resume_new(int64_t seconds)
{
	struct tls_resume *r = mem_new(sizeof(*r));

	r->life_ms = seconds * 1000;
	return r;
}

void
tls_resume_free(struct tls_resume **r)
{
	if (*r == NULL)
		return;
	while ((*r)->all != NULL)
		forget(*r, (*r)->all);
	free(*r);
	*r = NULL;
}

void
tls_resume_put(struct tls_resume *r, const char *key, SSL_SESSION *session,
    int64_t proven)
{
	struct kept *k = find(r, key);

	if (k != NULL)
		forget(r, k);
	if (HASH_COUNT(r->all) >= TLS_RESUME_MAX)
		forget(r, r->all);
	k = mem_new(sizeof(*k));
	k->key = mem_text(key);
	k->session = session;
	k->proven = proven;
	HASH_ADD_KEYPTR(hh, r->all, k->key, strlen(k->key), k);
}

SSL_SESSION *
tls_resume_take(struct tls_resume *r, const char *key, int64_t *proven)
{
	struct kept *k = find(r, key);
	SSL_SESSION *session;

	if (k == NULL)
		return NULL;
	session = k->session;
	*proven = k->proven;
	if (clock_ms() - k->proven < r->life_ms &&
	    SSL_SESSION_is_resumable(session))
		SSL_SESSION_up_ref(session);
	else
		session = NULL;
	forget(r, k);
	return session;
}
