"""The sensor that starts a run when the input folder holds files that no run has seen."""

import hashlib

import dagster as dg

from ultravires.loading import list_files
from ultravires.reading.input_file import stat_or_none
from ultravires.settings import configured_run


def new_files_sensor(job_name: str) -> dg.SensorDefinition:
    @dg.sensor(
        name="new_files",
        job_name=job_name,
        minimum_interval_seconds=60,
        description="Starts a run when the files below the input folder are others than last time.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        folder, _, _ = configured_run()
        if not folder.exists():
            return dg.SkipReason(f"{folder}: there is no such folder")
        listing = hashlib.sha256()
        for path in list_files(folder):
            status = stat_or_none(path)
            if status is not None:
                listing.update(
                    f"{path}\x1f{status.st_size}\x1f{status.st_mtime_ns}\x1e".encode(errors="surrogateescape")
                )
        seen = listing.hexdigest()
        if seen == context.cursor:
            return dg.SkipReason("no new files")
        context.update_cursor(seen)
        return dg.RunRequest(run_key=seen)

    return sensor
