/* SPDX-License-Identifier: ISC */
#ifndef LIB_STORE_MAIL_ACL_H
#define LIB_STORE_MAIL_ACL_H

/*
 * Who may do what with a folder, as text in the form of Dovecot's dovecot-acl
 * files: "user=bob lrs", a line each. It is kept in that file of the folder, so
 * that both servers see the same. (A version before kept it with the folder's
 * metadata; it is read from there as long as there is no file.) What the text
 * means is not known here.
 */

#include "lib/store/mailbox.h"

enum { MAIL_ACL_MAX = 65536 };

/* "" where nobody wrote any. *out is reset first. */
enum mail_result mail_acl_read(struct mail_account *a, struct span folder,
    struct buf *out, struct why *why);
/*
 * The same of a folder whose directory is open, whatever has its name by now.
 * The directory is the caller's to close.
 */
enum mail_result mail_acl_open(struct mail_account *a, struct span folder,
    int *directory, struct why *why);
enum mail_result mail_acl_read_at(struct mail_account *a, int directory,
    struct span folder, struct buf *out, struct why *why);
/* The same of a folder that is open. */
enum mail_result
mail_acl_read_open(struct mailbox *m, struct buf *out, struct why *why);
/*
 * Nobody else writes lists of this account between the two: what is read then
 * and written anew loses nothing. MAIL_IN_USE: not to be had.
 */
enum mail_result mail_acl_lock(struct mail_account *a, struct why *why);
void mail_acl_unlock(struct mail_account *a);
/* Durable when it returns; "" removes the file. MAIL_LIMIT: longer than
 * MAIL_ACL_MAX. */
enum mail_result mail_acl_write(struct mail_account *a, struct span folder,
    struct span text, struct why *why);
enum mail_result mail_acl_write_at(struct mail_account *a, int directory,
    struct span folder, struct span text, struct why *why);

#endif
