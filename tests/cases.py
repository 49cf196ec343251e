"""
The table of verdicts: what a client makes of each chain that a server may present.

`Case` explains the columns. Rows are grouped by what decides them, a file for each group.
"""

from __future__ import annotations

from cases_1_1_1 import of_this_openssl
from cases_anchors import ANCHOR_CASES
from cases_chains import CHAIN_CASES
from cases_names import NAME_CASES
from cases_policy import POLICY_CASES
from cases_revocation import REVOCATION_CASES
from cases_row import Case, MakeContext, dress, make_plain, run
from cases_strength import STRENGTH_CASES
from cases_subjects import SUBJECT_CASES
from cases_time import TIME_CASES

__all__ = ["CASES", "Case", "MakeContext", "dress", "make_plain", "run"]

CASES: tuple[Case, ...] = tuple(
    of_this_openssl(row)
    for row in (
        *CHAIN_CASES,
        *ANCHOR_CASES,
        *SUBJECT_CASES,
        *NAME_CASES,
        *TIME_CASES,
        *POLICY_CASES,
        *STRENGTH_CASES,
        *REVOCATION_CASES,
    )
)
