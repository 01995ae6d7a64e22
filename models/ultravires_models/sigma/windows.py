"""Correlations as SQL over what their rules match: sliding windows that end with an event.

A window completes at an event when the events of its group from `timespan` before it up to it, both included, meet the
condition. The finding of a rule, a group and a UTC day has all events of the windows that complete on that day. What
must be absent must be so from `timespan` before the completing event until `timespan` after it, as far as no order is
asked for; it is judged once the run's time has reached that end.
"""

from collections.abc import Iterable, Mapping, Sequence

from ultravires_models.correlation import OF_VALUES, SHOWN, TEMPORAL, Correlation, Literal, Way
from ultravires_models.hits import HITS
from ultravires_models.relation import RUN_TIME
from ultravires_models.rule import PLACEHOLDER
from ultravires_models.sigma.runner import shown_text
from ultravires_models.sigma.sqltext import identifier, literal

MOST_EVIDENCE = 100
_AGGREGATES = {
    "event_count": "count(*)",
    "value_count": "count(DISTINCT counted)",
    "value_sum": "sum(amount)",
    "value_avg": "avg(amount)",
    "value_median": "median(amount)",
    "temporal": "count(DISTINCT detector_id)",
}


def compile_correlations(
    correlations: Sequence[Correlation],
    silent: frozenset[str],
    matches: Iterable[str],
    known: Mapping[str, Sequence[str]],
) -> str:
    """One SELECT with the columns of HITS over the tables `matches`; none of the correlations in `silent` has a row.

    `correlations` stand after those that they name; `known` says where which field of a rule is in `fields`.
    """
    columns = "detector_id, row_uid, hit_at, identity_id, actor_uid, chain_id, evidence_event_ids, outcome, fields"
    tables = " UNION ALL ".join(f"SELECT {columns} FROM {identifier(name)}" for name in matches)
    ctes = [("matched", tables)]
    sources = dict.fromkeys(known, "matched")
    positions: dict[str, Sequence[str]] = dict(known)
    selects = []
    for number, correlation in enumerate(correlations):
        ctes += _window_ctes(correlation, f"c{number}", sources, positions)
        sources[correlation.detector_id] = f"c{number}_completed"
        positions[correlation.detector_id] = correlation.group_by
        if correlation.detector_id not in silent:
            ctes += _finding_ctes(correlation, f"c{number}")
            selects.append(_hits(correlation, f"c{number}"))
    with_clause = ",\n".join(f"{name} AS ({body})" for name, body in ctes)
    return f"WITH {with_clause}\n" + "\nUNION ALL\n".join(selects)


def _window_ctes(
    correlation: Correlation, name: str, sources: Mapping[str, str], positions: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    span = f"INTERVAL {correlation.seconds} SECOND"
    return [
        (f"{name}_events", _events(correlation, sources, positions)),
        *_ordered_ctes(correlation, name),
        (
            f"{name}_judged",
            f"SELECT *, coalesce({_completes(correlation, span)}, false) AS completes, "
            f"count(*) OVER (PARTITION BY grp ORDER BY hit_at RANGE BETWEEN {span} PRECEDING AND CURRENT ROW) AS n "
            f"FROM {name}_steps",
        ),
        (
            f"{name}_completed",
            f"SELECT {literal(correlation.detector_id)} AS detector_id, row_uid, hit_at, identity_id, actor_uid, "
            f"chain_id, {_unique(f'flatten(list_slice(near, -least(n, {MOST_EVIDENCE}), -1))')} AS evidence_event_ids, "
            "outcome, grp AS fields FROM ("
            "SELECT *, list(evidence_event_ids) OVER (PARTITION BY grp ORDER BY hit_at, row_uid, detector_id "
            f"ROWS BETWEEN {MOST_EVIDENCE - 1} PRECEDING AND CURRENT ROW) AS near FROM {name}_judged) WHERE completes",
        ),
    ]


def _events(correlation: Correlation, sources: Mapping[str, str], positions: Mapping[str, Sequence[str]]) -> str:
    """The rows of its rules that have a value for each field of the group, once an event where these are counted."""
    n_groups = len(correlation.group_by)
    rows = []
    for rule in correlation.rules:
        own = [f"fields[{list(positions[rule]).index(name) + 1}]" for name in correlation.fields[rule]]
        groups, counted = own[:n_groups], own[n_groups:]
        complete = " AND ".join([f"{value} IS NOT NULL" for value in own]) or "true"
        amount = f"TRY_CAST({counted[0]} AS DOUBLE)" if correlation.kind in OF_VALUES else "NULL::DOUBLE"
        if correlation.kind in OF_VALUES:
            complete += f" AND isfinite({amount})"
        rows.append(
            "SELECT detector_id, row_uid, hit_at, identity_id, actor_uid, chain_id, evidence_event_ids, outcome, "
            f"[{', '.join(groups)}]::VARCHAR[] AS grp, [{', '.join(counted)}]::VARCHAR[] AS counted, "
            f"{amount} AS amount FROM {sources[rule]} WHERE detector_id = {literal(rule)} AND {complete}"
        )
    union = " UNION ALL ".join(rows)
    if correlation.kind in TEMPORAL or len(rows) == 1:
        return union
    return f"SELECT * FROM ({union}) QUALIFY row_number() OVER (PARTITION BY row_uid, grp ORDER BY detector_id) = 1"


def _ordered_ctes(correlation: Correlation, name: str) -> list[tuple[str, str]]:
    """For each way and each of its rules in order, when a sequence that ends with this event began at the latest."""
    if correlation.kind != "temporal_ordered":
        return [(f"{name}_steps", f"SELECT * FROM {name}_events")]
    ctes = []
    before = f"{name}_events"
    for depth in range(max(len(_present(way)) for way in correlation.ways)):
        columns = []
        for number, way in enumerate(correlation.ways):
            present = _present(way)
            if depth < len(present):
                begun = "hit_at" if depth == 0 else _latest(f"begun_{number}_{depth - 1}")
                columns.append(
                    f"CASE WHEN detector_id = {literal(present[depth])} THEN {begun} END AS begun_{number}_{depth}"
                )
        ctes.append((f"{name}_step_{depth}", f"SELECT *, {', '.join(columns)} FROM {before}"))
        before = f"{name}_step_{depth}"
    return [*ctes, (f"{name}_steps", f"SELECT * FROM {before}")]


def _latest(column: str) -> str:
    return f"max({column}) OVER (PARTITION BY grp ORDER BY hit_at RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"


def _present(way: Way) -> list[str]:
    return [each.detector_id for each in way if not each.is_absent]


def _completes(correlation: Correlation, span: str) -> str:
    """SQL that is true of an event with which a window completes."""
    if correlation.ways:
        ways = [_way(correlation, number, way, span) for number, way in enumerate(correlation.ways)]
        return f"({' OR '.join(ways)})"
    aggregate = _AGGREGATES.get(correlation.kind)
    if correlation.kind == "value_percentile":
        aggregate = f"quantile_cont(amount, {(correlation.percentile or 0) / 100!r})"
    window = f"(PARTITION BY grp ORDER BY hit_at RANGE BETWEEN {span} PRECEDING AND CURRENT ROW)"
    return f"{aggregate} OVER {window} {correlation.operator} {correlation.bound!r}"


def _way(correlation: Correlation, number: int, way: Way, span: str) -> str:
    present = _present(way)
    is_ordered = correlation.kind == "temporal_ordered"
    parts = []
    if is_ordered:
        parts.append(f"begun_{number}_{len(present) - 1} >= hit_at - {span}")
    else:
        parts += [_seen(rule, f"{span} PRECEDING", "CURRENT ROW") for rule in present]
    last = max(place for place, each in enumerate(way) if not each.is_absent)
    for place, each in enumerate(way):
        if each.is_absent:
            parts += _absent(each, span, before=not is_ordered or place < last, after=not is_ordered or place > last)
    return f"({' AND '.join(parts)})"


def _absent(absent: Literal, span: str, *, before: bool, after: bool) -> list[str]:
    begin = f"{span} PRECEDING" if before else "CURRENT ROW"
    end = f"{span} FOLLOWING" if after else "CURRENT ROW"
    reached = [f"hit_at + {span} <= {RUN_TIME}"] if after else []
    return [f"NOT {_seen(absent.detector_id, begin, end)}", *reached]


def _seen(rule: str, begin: str, end: str) -> str:
    window = f"(PARTITION BY grp ORDER BY hit_at RANGE BETWEEN {begin} AND {end})"
    return f"coalesce(bool_or(detector_id = {literal(rule)}) OVER {window}, false)"


def _finding_ctes(correlation: Correlation, name: str) -> list[tuple[str, str]]:
    """The events of all windows that complete on a day, by the first and the last completion that each is part of."""
    window = (
        "(PARTITION BY grp ORDER BY hit_at RANGE BETWEEN CURRENT ROW AND "
        f"INTERVAL {correlation.seconds} SECOND FOLLOWING)"
    )
    done = "CASE WHEN completes THEN hit_at END"
    return [
        (
            f"{name}_spanned",
            f"SELECT *, min({done}) OVER {window} AS first_done, max({done}) OVER {window} AS last_done "
            f"FROM {name}_judged",
        ),
        (
            f"{name}_days",
            f"SELECT DISTINCT grp, date_trunc('day', hit_at) AS day FROM {name}_judged WHERE completes",
        ),
        (
            f"{name}_members",
            "SELECT s.*, d.day, row_number() OVER (PARTITION BY s.grp, d.day "
            "ORDER BY s.hit_at, s.row_uid, s.detector_id) AS nth "
            f"FROM {name}_spanned AS s JOIN {name}_days AS d ON s.grp = d.grp "
            "AND d.day BETWEEN date_trunc('day', s.first_done) AND date_trunc('day', s.last_done)"
            f"{_only_present(correlation)}",
        ),
    ]


def _only_present(correlation: Correlation) -> str:
    if not correlation.ways:
        return ""
    present = sorted({rule for way in correlation.ways for rule in _present(way)})
    return f" WHERE s.detector_id IN ({', '.join(map(literal, present))})"


def _hits(correlation: Correlation, name: str) -> str:
    completed = "completes AND date_trunc('day', hit_at) = day"
    listed = f"flatten(list(evidence_event_ids ORDER BY nth) FILTER (nth <= {MOST_EVIDENCE}))"
    name_of_all = literal(correlation.detector_id)
    columns = {
        "detector_id": name_of_all,
        "subject_kind": "'group'" if correlation.group_by else "'rule'",
        "subject_uid": "array_to_string(grp, ' ')" if correlation.group_by else name_of_all,
        "slot": "strftime(day, '%Y-%m-%d')",
        "identity_id": _if_one("identity_id"),
        "actor_uid": _if_one("actor_uid"),
        "chain_id": _if_one("chain_id"),
        "hit_at": f"min(hit_at) FILTER ({completed})",
        "event_hour": f"date_trunc('hour', min(hit_at) FILTER ({completed}))",
        "evidence_event_ids": f"list_slice({_unique(listed)}, 1, {MOST_EVIDENCE})",
        "message": _message(correlation),
        "gaps": "[]::VARCHAR[]",
        "score": "1.0::DOUBLE",
        "severity": "NULL::VARCHAR",
        "outcome": _if_one("outcome"),
        # Several together are more than each of them.
        "act_event_ids": "[]::VARCHAR[]",
    }
    select = ",\n  ".join(f"{columns[column]} AS {identifier(column)}" for column in HITS.names)
    return f"SELECT\n  {select}\nFROM {name}_members GROUP BY grp, day"


def _if_one(column: str) -> str:
    """What all events of a finding say alike."""
    return f"CASE WHEN count({column}) = count(*) AND min({column}) = max({column}) THEN min({column}) END"


def _unique(values: str) -> str:
    """The values of a list in its order, each once."""
    return f"list_filter({values}, lambda e, i: list_position({values}, e) = i)"


def _message(correlation: Correlation) -> str:
    of_all = {
        "n_events": "count(DISTINCT row_uid)::VARCHAR",
        "first_at": "strftime(min(hit_at), '%Y-%m-%dT%H:%M:%SZ')",
        "last_at": "strftime(max(hit_at), '%Y-%m-%dT%H:%M:%SZ')",
    }
    assert set(of_all) == set(SHOWN)
    of_group = {group: f"grp[{place}]" for place, group in enumerate(correlation.group_by, start=1)}
    known = {**of_all, **of_group}
    parts = [
        shown_text(known[part]) if number % 2 else literal(part)
        for number, part in enumerate(PLACEHOLDER.split(correlation.message))
        if part
    ]
    return " || ".join(parts) or "''"
