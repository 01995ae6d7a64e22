"""What somebody wants who may ask the published tables in SQL, or write beside them: to write, to read other files."""

import os
import shutil
from pathlib import Path

import command_line
import duckdb
import pytest
import ultravires
from ultravires.errors import RunError
from ultravires.store.publish import publish, read_manifest
from ultravires.store.warehouse import open_warehouse


@pytest.fixture
def home(sample_home: Path, tmp_path: Path) -> Path:
    """A home of its own for every attack; a copy, so that it also shows that copies are read."""
    shutil.copytree(sample_home / "published", tmp_path / "home" / "published")
    return tmp_path / "home"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WRITES = {
    "a_file_among_the_published": "copy (select 1 as i) to '{published}/stolen.csv'",
    "a_table_of_a_published_folder": "copy (select 1 as i) to '{published}/findings/x.parquet' (format parquet)",
    "the_manifest": "copy (select '{{}}' as i) to '{published}/CURRENT' (format csv, header false)",
    "behind_explain_analyze": "explain analyze copy (select 1 as i) to '{published}/CURRENT'",
    "behind_explain_analyze_of_a_table": "explain (analyze) copy (select 1 as i) to '{published}/findings/x.parquet'",
    "by_the_name_that_views_use": "copy (select 1 as i) to 'published://{file}' (format parquet)",
    "without_a_temporary_file": "copy (select 1 as i) to 'published://{file}' (format parquet, use_tmp_file false)",
    "explained_by_the_name_that_views_use": "explain analyze copy (select 1 as i) to 'published://{file}'",
    "an_export": "export database '{published}/export'",
    "an_export_by_the_name_that_views_use": "export database 'published://export'",
    "a_database": "attach '{published}/x.duckdb' as x",
    "a_database_by_the_name_that_views_use": "attach 'published://x.duckdb' as x",
    "a_partitioned_copy": "copy (select 1 as i, 2 as j) to '{published}/p' (format parquet, partition_by (j))",
    "a_secret_in_the_folder_of_the_user": "create persistent secret s (type http, bearer_token 'x')",
    "a_log_file": "call enable_logging('QueryLog', storage = 'file', storage_config = {{'path': '{published}/log'}})",
    "a_profile": "set profile_output = '{published}/profile.json'",
    "spilled_rows": "set temp_directory = '{published}/spilled'",
}


@pytest.mark.parametrize("name", WRITES)
def test_a_query_that_wants_to_write(name: str, home: Path) -> None:
    """Neither through `open()`, as a notebook has it, nor through the command."""
    published = home / "published"
    before = contents(published)
    file = next(file for file in before if file.startswith("findings/"))
    sql = WRITES[name].format(published=published, file=file)
    with ultravires.open(home) as con, pytest.raises(duckdb.Error):
        con.execute(sql)
    asked = command_line.run("query", sql, "--home", home)
    assert (asked.returncode, len(asked.stderr.splitlines())) == (2, 1), asked.stderr
    assert "Traceback" not in asked.stderr
    assert contents(published) == before


def test_a_relation_that_wants_to_write(home: Path) -> None:
    """The ways of DuckDB's API beside SQL."""
    before = contents(home / "published")
    with ultravires.open(home) as con:
        for target in (home / "published" / "w", "published://w"):
            with pytest.raises(duckdb.Error):
                con.sql("select 1").write_csv(str(target))
            with pytest.raises(duckdb.Error):
                con.sql("select 1").write_parquet(str(target))
    assert contents(home / "published") == before


READS = {
    "a_password_file": "from read_csv('/etc/passwd')",
    "a_text": "from read_text('/etc/hostname')",
    "a_file_as_a_table": "from '/etc/hostname'",
    "names_of_files": "from glob('/etc/*')",
    "the_key_of_the_home": "from read_blob('{home}/hash.key')",
    "the_key_by_a_way_up": "from read_blob('{home}/published/../hash.key')",
    "a_link_among_the_published": "from read_text('{home}/published/link')",
    "the_warehouse": "attach '{home}/warehouse.duckdb' as w (read_only)",
    "an_extension": "install httpfs",
    "a_library": "load '{home}/evil.so'",
    "its_own_freedom": "set enable_external_access = true",
    "its_freedom_by_pragma": "pragma enable_external_access = true",
    "its_freedom_by_reset": "reset enable_external_access",
    "a_macro_over_a_file": "create macro m() as table from read_text('/etc/hostname'); from m()",
    "a_prepared_statement": "prepare p as from read_text('/etc/hostname'); execute p",
    "a_query_in_a_query": "from query('from read_text(''/etc/hostname'')')",
    "a_second_statement": "select 1; from read_text('/etc/hostname')",
}


@pytest.mark.parametrize("name", READS)
def test_a_query_that_wants_another_file(name: str, home: Path) -> None:
    """Whatever it is called: the connection has no file of the machine."""
    (home / "hash.key").write_bytes(b"key")
    sql = READS[name].format(home=home)
    with ultravires.open(home) as con, pytest.raises(duckdb.Error):
        con.execute(sql)
    asked = command_line.run("query", sql, "--home", home)
    assert (asked.returncode, len(asked.stderr.splitlines())) == (2, 1), asked.stderr


def test_a_key_by_a_way_up_from_the_name_that_views_use(home: Path) -> None:
    """What the manifest does not name is not there."""
    (home / "hash.key").write_bytes(b"key")
    with ultravires.open(home) as con:
        assert con.execute("from read_blob('published://../hash.key')").fetchall() == []
        assert con.execute("from glob('published://*')").fetchall() == []


def test_a_published_table_that_somebody_changed(home: Path) -> None:
    """Of the same length and with the old time: one line that names it."""
    file = next((home / "published" / "findings").iterdir())
    content, times = bytearray(file.read_bytes()), file.stat()
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(RunError, match=rf"published is damaged \(findings/{file.name} is not what a run published\)"):
        ultravires.open(home)


def test_a_published_table_that_is_another_one(home: Path) -> None:
    """A whole table of Parquet, made by somebody else, in the place of a real one."""
    file = next((home / "published" / "findings").iterdir())
    with duckdb.connect() as con:
        con.execute(f"create view real as from '{file}'")
        con.execute(f"copy (select * replace ('withdrawn' as state) from real) to '{home}/forged.parquet'")
    (home / "forged.parquet").replace(file)
    with pytest.raises(RunError, match="is not what a run published"):
        ultravires.open(home)


@pytest.mark.parametrize("name", ["evil.parquet", "findings/more.parquet", "findings/CURRENT", "accounted/x.csv"])
def test_a_file_added_to_the_published(name: str, home: Path) -> None:
    """No table reads it, and it is named."""
    (home / "published" / name).write_bytes(b"PAR1")
    with pytest.raises(RunError, match=rf"published is damaged \(no run published {name}\)"):
        ultravires.open(home)


def test_a_link_in_the_place_of_a_published_table(home: Path) -> None:
    """A table stands where it was written, not where a link leads."""
    file = next((home / "published" / "findings").iterdir())
    file.rename(home / "elsewhere.parquet")
    file.symlink_to(home / "elsewhere.parquet")
    with pytest.raises(RunError, match=r"no run published findings/"):
        ultravires.open(home)


def test_a_manifest_that_leads_out_of_the_published(home: Path) -> None:
    """A file of the manifest is one of ours by its name."""
    manifest = home / "published" / "CURRENT"
    file = next((home / "published" / "findings").iterdir()).name
    manifest.write_text(manifest.read_text().replace(f"findings/{file}", "../../etc/passwd"))
    with pytest.raises(RunError, match="its manifest names a file that is none of ours"):
        ultravires.open(home)


def test_a_table_changed_while_it_is_read(home: Path) -> None:
    """What was checked when the home was opened is what is read afterwards."""
    with ultravires.open(home) as con:
        (file,) = (home / "published" / "findings").iterdir()
        file.write_bytes(file.read_bytes())
        with pytest.raises(duckdb.Error, match="was changed while it was read"):
            con.execute("from findings").fetchall()


def test_a_changed_table_is_published_anew_by_the_next_run(tmp_path: Path) -> None:
    """The run does not take over what somebody changed, and does not vouch for it."""
    with open_warehouse(tmp_path) as warehouse:
        warehouse.con.execute("create table acts as select 7 as i")
        publish(warehouse, ["acts"], run_id="r")
        manifest = read_manifest(tmp_path / "published")
        assert manifest is not None
        (file,) = manifest["tables"]["acts"]["files"]
        with duckdb.connect() as con:
            con.execute(f"copy (select 8 as i) to '{tmp_path}/published/{file}' (format parquet)")
        publish(warehouse, ["acts"], run_id="r")
        with ultravires.open(tmp_path) as reader:
            assert reader.execute("from acts").fetchall() == [(7,)]
