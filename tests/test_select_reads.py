"""What a home remembers of the SELECTs that build its tables."""

from pathlib import Path

import pytest
from ultravires.build import select_reads
from ultravires.build.select_reads import REMEMBERED, reads_of
from ultravires.errors import ConfigError

SQL = "with own as (select id from a join b using (id)) select id from own left join c using (id)"


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select_reads, "_known", {})
    monkeypatch.setattr(select_reads, "_asked", set())


def test_what_is_recalled_is_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = reads_of("t", SQL)
    assert read.tables == {"a", "b", "c"}
    assert read.needed == {frozenset("a"), frozenset("b")}
    select_reads.remember(tmp_path)
    assert (tmp_path / REMEMBERED).stat().st_mode & 0o777 == 0o600
    monkeypatch.setattr(select_reads, "_known", {})
    monkeypatch.setattr(select_reads, "_parsed", None)
    select_reads.recall(tmp_path)
    assert reads_of("t", SQL) == read


def test_what_an_older_version_read_is_not_kept(tmp_path: Path) -> None:
    (tmp_path / REMEMBERED).write_text('{"of an older version": [["a"], [["a"]]]}', encoding="utf-8")
    select_reads.recall(tmp_path)
    reads_of("t", SQL)
    select_reads.remember(tmp_path)
    assert "older" not in (tmp_path / REMEMBERED).read_text(encoding="utf-8")


def test_another_text_or_other_macros_are_read_anew(tmp_path: Path) -> None:
    reads_of("t", SQL)
    select_reads.remember(tmp_path)
    select_reads.recall(tmp_path)
    assert reads_of("t", SQL.replace("from a", "from d")).tables == {"b", "c", "d"}
    with pytest.raises(ConfigError, match="not a single SELECT"):
        reads_of("t", "select")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b'{"a": [["b"], "c"]}', b"\x80\x04N."])
def test_what_is_not_whole_is_read_from_the_select(tmp_path: Path, content: bytes) -> None:
    (tmp_path / REMEMBERED).write_bytes(content)
    select_reads.recall(tmp_path)
    assert reads_of("t", SQL).tables == {"a", "b", "c"}


def test_a_home_that_has_not_begun_remembers_nothing(tmp_path: Path) -> None:
    select_reads.recall(tmp_path / "none")
    assert not (tmp_path / "none").exists()
