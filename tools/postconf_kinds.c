/* SPDX-License-Identifier: ISC */
/* What this was built with: -a -A -l -m and -T. */
#include "tools/postconf.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/opensslv.h>
#include <string.h>

#include "lib/log/log.h"
#include "lib/table/table.h"

static void
add_line(void *with, const char *name)
{
	buf_printf(with, "%s\n", name);
}

void
postconf_kinds(struct postconf *p, char mode)
{
	if (mode == 'l')
		buf_add_text(&p->out, "flock\nfcntl\ndotlock\n");
	else if (mode == 'm')
		table_types(add_line, &p->out);
	else if (mode == 'a') /* either value of smtpd_sasl_type will do */
		buf_add_text(&p->out, "cyrus\ndovecot\n");
	else
		buf_add_text(&p->out, "cyrus\n");
}

static void
compile_version(struct buf *out)
{
	add_line(out, OPENSSL_VERSION_TEXT);
}

static void
run_version(struct buf *out)
{
	add_line(out, OpenSSL_version(OPENSSL_VERSION));
}

/* Kinds of keys that certificates come with. */
static void
key_algorithms(struct buf *out)
{
	static const struct {
		const char *shown;
		const char *name;
	} all[] = { { "dsa", "DSA" }, { "ecdsa", "EC" },
		{ "ed25519", "ED25519" }, { "ed448", "ED448" },
		{ "rsa", "RSA" } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		EVP_PKEY_CTX *c =
		    EVP_PKEY_CTX_new_from_name(NULL, all[i].name, NULL);

		if (c != NULL)
			add_line(out, all[i].shown);
		EVP_PKEY_CTX_free(c);
	}
}

bool
postconf_tls(struct postconf *p, const char *mode)
{
	static const struct {
		const char *mode;
		void (*show)(struct buf *out);
	} all[] = { { "compile-version", compile_version },
		{ "run-version", run_version },
		{ "public-key-algorithms", key_algorithms } };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].mode, mode) == 0) {
			all[i].show(&p->out);
			return true;
		}
	log_warning("unknown 'postconf -T' mode: %s", mode);
	return false;
}
