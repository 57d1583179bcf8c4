/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_COMPAT_SANITIZER_H
#define LIB_BASE_COMPAT_SANITIZER_H

/*
 * Is this a build that watches itself (configure --enable-sanitizers)? Its
 * programs have no system call filter, and no heap that can be looked at.
 */

#include <stdbool.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

/*
 * What it finds goes to this descriptor from now on, where others are
 * /dev/null. Else nothing.
 */
void sanitizer_report_to(int fd);

#endif
