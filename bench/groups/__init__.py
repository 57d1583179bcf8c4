# SPDX-License-Identifier: ISC
"""One module for each group of measurements: NAME, HELP and cases(quick)."""
