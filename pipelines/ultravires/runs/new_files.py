"""The sensor that starts a run when the input holds files that no run has seen."""

import hashlib

import dagster as dg

from ultravires.environment import configured_run
from ultravires.errors import UltraviresError
from ultravires.reading.input_place import input_place
from ultravires.reading.locations import InputPlace, Skipped


def new_files_sensor(job_name: str) -> dg.SensorDefinition:
    @dg.sensor(
        name="new_files",
        job_name=job_name,
        minimum_interval_seconds=60,
        description="Starts a run when the files of the input are others than last time.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        name, _, _ = configured_run()
        try:
            seen = fingerprint(input_place(name))
        except UltraviresError as error:
            return dg.SkipReason(str(error))
        if seen == context.cursor:
            return dg.SkipReason("no new files")
        context.update_cursor(seen)
        return dg.RunRequest(run_key=seen)

    return sensor


def fingerprint(where: InputPlace) -> str:
    """A hash of every file's name, size and time; raises UsageError or RunError when nothing can be listed there."""
    listing = hashlib.sha256()
    for location in where.files():
        if not isinstance(location, Skipped):
            size, modified_ns = location.listed
            listing.update(f"{location}\x1f{size}\x1f{modified_ns}\x1e".encode(errors="surrogateescape"))
    return listing.hexdigest()
