/* SPDX-License-Identifier: ISC */
#include "imapd/thread_id.h"

#include <inttypes.h>
#include <openssl/evp.h>

#include "imapd/sort_key.h"
#include "lib/base/ensure.h"
#include "lib/mail/mime_tree.h"

/*
 * Of one that names nobody: it is related to what has the same header. Line
 * ends are no part of that, as they are none of EMAILID.
 */
static void
write_of_header(struct span header, struct buf *out)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	struct span line;

	ensure(digest != NULL &&
	    EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1);
	while (span_cut(&header, "\r\n", true, &line))
		EVP_DigestUpdate(digest, line.p, line.n);
	ensure(EVP_DigestFinal_ex(digest, sum, NULL) == 1);
	EVP_MD_CTX_free(digest);
	buf_add_text(out, "(T");
	for (size_t i = 0; i < 16; i++)
		buf_printf(out, "%02x", sum[i]);
	buf_add_text(out, ")");
}

/*
 * RFC 8474 section 5.2: messages of one thread have one id. The root of a
 * thread is what the first of its references names, so that all messages of
 * it that name it agree, in whatever order they come.
 *
 * NIL would say that the mailbox has no threads; some clients then drop the
 * message, since they do not expect it.
 */
void
thread_id_write(struct span header, struct buf *out)
{
	struct mime_envelope e;
	struct message_id id;

	mime_envelope_read(header, &e);
	if (message_id_next(&e.references, &id) ||
	    message_id_next(&e.in_reply_to, &id) ||
	    message_id_next(&e.message_id, &id))
		buf_printf(out, "(T%016" PRIx64 "%016" PRIx64 ")", id.half[0],
		    id.half[1]);
	else
		write_of_header(header, out);
}

bool
thread_id_is(struct span written, struct span id)
{
	return written.n == id.n + 2 && written.p[0] == '(' &&
	    span_equal(span_take(span_skip(written, 1), id.n), id);
}
