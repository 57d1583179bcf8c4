/* SPDX-License-Identifier: ISC */
#include "lib/base/hex.h"

static int
digit(char c, char first_letter)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= first_letter && c < first_letter + 6 ?
	    c - first_letter + 10 :
	    -1;
}

int
hex_lower_digit(char c)
{
	return digit(c, 'a');
}

int
hex_upper_digit(char c)
{
	return digit(c, 'A');
}

int
hex_digit(char c)
{
	int n = digit(c, 'a');

	return n >= 0 ? n : digit(c, 'A');
}
