/* SPDX-License-Identifier: ISC */
#ifndef AUTH_APP_PASSWORDS_H
#define AUTH_APP_PASSWORDS_H

/*
 * The file of app passwords, in memory: setting account_app_password_file. It
 * is looked at each time that it matters, so that one which was revoked is
 * refused from the next login on. A missing file is an empty one, but not when
 * it is "required", since the settings name it, or refuse other passwords to
 * who has an app password: a moment without it must not let them in.
 */

#include "auth/app_password.h"

struct app_passwords;

enum app_passwords_result {
	APP_PASSWORD_NONE, /* not one of this account */
	APP_PASSWORD_RIGHT,
	APP_PASSWORD_NOT_HERE, /* it is one, but expired or for elsewhere */
	APP_PASSWORD_LATER, /* it could be one: the file cannot be read */
};

struct app_passwords *app_passwords_new(const char *path, bool required);
void app_passwords_free(struct app_passwords **a);
/*
 * Is it one of this account's? "which" (RIGHT, NOT_HERE) lives until the next
 * call. Costs next to nothing when the password has not the form of one, and
 * the same for all others, whether the account has any or not.
 */
enum app_passwords_result app_passwords_check(struct app_passwords *a,
    const char *user, struct span password, unsigned int protocol,
    int64_t now_s, const struct app_password **which);
/*
 * Has the account any, of whatever kind? A line that has only its name right is
 * one. False in *known: nobody can tell.
 */
bool app_passwords_any(struct app_passwords *a, const char *user, bool *known);

#endif
