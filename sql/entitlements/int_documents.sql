-- grain: one row per document of power and stretch of time in which it says one thing
-- build: full
-- why: what a policy or role said from when to when, whichever record wrote, chose or removed that text, and the vendor's own beside them

with words as (
    select
        *,
        voice = 'reported' as is_reported,
        coalesce(statements, '') as text
    from int_grants__named
    where relation = 'document'
),

-- Which text a chosen version has is what was written under that name last.
chosen as (
    select
        words.* exclude (statements, text),
        coalesce(written.text, '') as text
    from words
    asof left join (
        select *
        from words
        where op = 'write'
        qualify row_number() over (partition by held_uid, is_reported, version, event_at order by event_id desc, text) = 1
    ) as written
        on written.is_reported = words.is_reported and written.held_uid = words.held_uid and written.version = words.version
        and written.event_at <= words.event_at
    where words.op = 'choose'
),

deleted as (
    select
        words.held_uid, words.document_kind, words.is_reported, gone.event_at, gone.event_id, gone.actor_uid, gone.is_snapshot,
        gone.is_lower_bound
    from (select distinct held_uid, document_kind, is_reported from words) as words
    join int_grants__named as gone
        on gone.relation = 'exists' and gone.op = 'remove' and gone.holder_uid = words.held_uid and (gone.voice = 'reported') = words.is_reported
),

-- Statements that were added one by one are documents of their own beside the policy; who writes or removes that whole
-- removes them. Of those words the ones next to each of theirs are enough.
parts as (
    select distinct held_uid, split_part(held_uid, '#', 1) as whole_uid, document_kind, is_reported, event_at
    from words
    where document_kind = 'resource' and contains(held_uid, '#')
),

wholes as (
    select held_uid as whole_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound
    from words
    where op in ('write', 'remove')
    qualify row_number() over (partition by held_uid, document_kind, is_reported, event_at order by event_id desc) = 1
),

replaced as (
    select parts.held_uid, parts.document_kind, parts.is_reported, wholes.* exclude (whole_uid, document_kind, is_reported)
    from parts
    asof join wholes
        on wholes.whole_uid = parts.whole_uid and wholes.document_kind = parts.document_kind and wholes.is_reported = parts.is_reported
        and wholes.event_at > parts.event_at
    union
    select parts.held_uid, parts.document_kind, parts.is_reported, wholes.* exclude (whole_uid, document_kind, is_reported)
    from parts
    asof join wholes
        on wholes.whole_uid = parts.whole_uid and wholes.document_kind = parts.document_kind and wholes.is_reported = parts.is_reported
        and wholes.event_at < parts.event_at
    union
    select parts.held_uid, parts.document_kind, parts.is_reported, wholes.* exclude (whole_uid, document_kind, is_reported)
    from parts
    join wholes
        on wholes.whole_uid = parts.whole_uid and wholes.document_kind = parts.document_kind and wholes.is_reported = parts.is_reported
        and wholes.event_at = parts.event_at
),

-- Who removes a statement by its name removes it also from the whole text that stands: it says the rest from then on.
removals as (
    select
        split_part(words.held_uid, '#', 1) as held_uid,
        substr(words.held_uid, strpos(words.held_uid, '#') + 1) as sid,
        words.document_kind,
        words.is_reported,
        words.event_at,
        words.event_id,
        words.actor_uid,
        words.is_snapshot,
        words.is_lower_bound
    from words
    where words.op = 'remove' and words.document_kind = 'resource' and contains(words.held_uid, '#')
),

wholes_then as (
    select removals.*, standing.text, standing.event_at as written_at
    from removals
    asof join (
        select *
        from (
            select held_uid, is_reported, event_at, event_id, op, text from words where op in ('write', 'remove') and document_kind = 'resource'
            union all
            select held_uid, is_reported, event_at, event_id, 'remove', '' from deleted where document_kind = 'resource'
        ) as said
        qualify row_number() over (partition by held_uid, is_reported, event_at order by event_id desc, text) = 1
    ) as standing
        on standing.is_reported = removals.is_reported and standing.held_uid = removals.held_uid and standing.event_at <= removals.event_at
    where standing.op = 'write' and standing.text <> ''
),

-- Each name counts once, where the text has a statement of that name; of a text that loses more than these nothing is known.
first_removals as (
    select *, row_number() over (partition by held_uid, is_reported, written_at order by event_at, event_id, sid) as nth
    from wholes_then
    where list_contains(list_transform(coalesce(try_cast(text as json[]), []), lambda s: json_extract_string(s, '$.sid')), sid)
    qualify row_number() over (partition by held_uid, is_reported, written_at, sid order by event_at, event_id) = 1
),

shortened as (
    select
        held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound, text,
        list(sid) over (partition by held_uid, is_reported, written_at order by nth) as sids
    from first_removals
    where nth <= most_in_slot() + 1
),

points as (
    select held_uid, document_kind, is_reported, event_at as said_at, event_id, actor_uid, is_snapshot, is_lower_bound, text
    from words
    where op = 'write' and is_in_force
    union all
    select held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound, text
    from chosen
    union all
    select held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound, null
    from words
    where op = 'remove'
    union all
    select held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound, null
    from deleted
    union all
    select held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound, null
    from replaced
    union all
    select
        held_uid, document_kind, is_reported, event_at, event_id, actor_uid, is_snapshot, is_lower_bound,
        if(
            array_length(sids) > most_in_slot(), '',
            '[' || array_to_string(
                list_filter(try_cast(text as json[]), lambda s: not coalesce(list_contains(sids, json_extract_string(s, '$.sid')), false)), ','
            ) || ']'
        )
    from shortened
),

-- Of several words of one moment the last by its id stands, in whatever order they came.
moments as (
    select distinct on (held_uid, document_kind, is_reported, said_at) *
    from points
    order by held_uid, document_kind, is_reported, said_at, event_id desc, text nulls last
),

sequence as (
    select
        *,
        row_number() over earlier as place,
        lag(text) over earlier as text_before
    from moments
    window earlier as (partition by held_uid, document_kind, is_reported order by said_at)
),

turns as (
    select
        *,
        lead(said_at) over later as turns_at,
        lead(event_id) over later as turned_event_id
    from sequence
    where place = 1 or text is distinct from text_before
    window later as (partition by held_uid, document_kind, is_reported order by said_at)
),

own as (
    select
        held_uid,
        document_kind,
        is_reported,
        text,
        -- An export shows what was so before it was made.
        if(is_snapshot and place = 1, null, said_at) as valid_from,
        turns_at as valid_until,
        case when not is_snapshot then 'event' when place = 1 then 'before' else 'snapshot' end as start_by,
        if(is_snapshot and place = 1, null, event_id) as start_event_id,
        if(is_snapshot, null, actor_uid) as start_actor_uid,
        turned_event_id as end_event_id
    from turns
    where text is not null
),

-- A vendor's change has a day where the vendor says it; else the version held at the latest from then on.
vendors as (
    select
        packaged_documents.held as held_uid,
        coalesce(packaged_documents.statements, '') as text,
        packaged_documents.nth,
        if(packaged_documents.nth = 1, null, coalesce(packaged_documents.valid_from, packaged_documents.not_after)) as valid_from,
        if(packaged_documents.nth > 1 and packaged_documents.valid_from is not null, 'vendor', 'before') as start_by
    from packaged_documents
    semi join int_grants on int_grants.held_uid = packaged_documents.held
    anti join own on own.held_uid = packaged_documents.held
),

packaged as (
    select
        held_uid,
        'permissions' as document_kind,
        false as is_reported,
        text,
        valid_from,
        lead(valid_from) over (partition by held_uid order by nth) as valid_until,
        start_by,
        null as start_event_id,
        null as start_actor_uid,
        null as end_event_id
    from vendors
),

together as (
    select * from own
    union all
    select * from packaged
),

joined as (
    select *, lag(valid_until) over (partition by held_uid, document_kind, is_reported order by valid_from nulls first) as ended_before
    from together
)

-- Where for a time there was none, a number is left out, so that what stands in both is not one stretch.
select
    * exclude (ended_before),
    count(*) over earlier + count(*) filter (where ended_before < valid_from) over earlier as revision
from joined
window earlier as (partition by held_uid, document_kind, is_reported order by valid_from nulls first)
