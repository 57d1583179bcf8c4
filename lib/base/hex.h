/* SPDX-License-Identifier: ISC */
#ifndef LIB_BASE_HEX_H
#define LIB_BASE_HEX_H

/*
 * Hexadecimal digits in text: what one stands for, 0 to 15; -1 where it is
 * none. The second and third know one case alone.
 */
int hex_digit(char c);
int hex_lower_digit(char c);
int hex_upper_digit(char c);

#endif
