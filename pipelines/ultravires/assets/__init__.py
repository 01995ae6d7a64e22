"""Asset factories, one file a group. Dagster's beta warning about backfill policies is known and accepted."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", message=".*backfill_policy.*", category=dg.BetaWarning)
