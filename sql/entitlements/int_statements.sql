-- grain: one row per document, statement and stretch of revisions in which it stands
-- build: by_key held_uid
-- why: what a policy allowed since when, however often other parts of it were written anew
-- units: select held_uid from int_documents
-- dirty: select held_uid from delta_int_documents

with said as (
    select *, coalesce(try_cast(text as json[]), ['null'::json]) as listed
    from int_documents
    where held_uid in (select id from touched_ids)
),

each_statement as (
    select * exclude (listed, text), unnest(listed) as s
    from said
),

parts as (
    select
        * exclude (s),
        json_extract_string(s, '$.effect') as effect,
        coalesce(try_cast(json_extract(s, '$.actions') as varchar[]), []) as actions,
        coalesce(try_cast(json_extract(s, '$.not_actions') as varchar[]), []) as except_actions,
        coalesce(try_cast(json_extract(s, '$.resources') as varchar[]), []) as resources,
        coalesce(try_cast(json_extract(s, '$.not_resources') as varchar[]), []) as except_resources,
        coalesce(try_cast(json_extract(s, '$.principals') as varchar[]), []) as principals,
        coalesce(try_cast(json_extract(s, '$.not_principals') as varchar[]), []) as except_principals,
        json_extract(s, '$.condition')::varchar as condition,
        json_extract_string(s, '$.fingerprint') as fingerprint,
        -- Of a role of Azure: whether it speaks of the data in resources.
        case when json_extract_string(s, '$.sid') in ('actions', 'dataActions') then json_extract_string(s, '$.sid') end as plane
    from each_statement
),

-- How many patterns it comes to when each is crossed with each, and how many thousand characters all of them have.
crossed as (
    select
        *,
        greatest(array_length(actions), 1)::double * greatest(array_length(resources), 1) * greatest(array_length(principals), 1) * (
            1 + (
                length(actions::varchar) / greatest(array_length(actions), 1) + length(resources::varchar) / greatest(array_length(resources), 1)
                + length(principals::varchar) / greatest(array_length(principals), 1) + length(except_actions::varchar)
                + length(except_resources::varchar) + length(except_principals::varchar) + coalesce(length(condition), 0)
                + coalesce(length(fingerprint), 0)
            ) / 1000
        ) as weight
    from parts
),

-- No vendor lets a document say so much: of one that does the least statements are read, and the rest is not known.
readable as (
    select
        held_uid,
        document_kind,
        is_reported,
        revision,
        valid_from,
        valid_until,
        start_by,
        start_event_id,
        start_actor_uid,
        end_event_id,
        if(is_read and effect in ('allow', 'deny'), effect, 'unknown') as effect,
        if(is_read, actions, []) as actions,
        if(is_read, except_actions, []) as except_actions,
        if(is_read, resources, []) as resources,
        if(is_read, except_resources, []) as except_resources,
        if(is_read, principals, []) as principals,
        if(is_read, except_principals, []) as except_principals,
        if(is_read, condition, null) as condition,
        if(is_read, fingerprint, null) as fingerprint,
        plane
    from (
        select *, sum(weight) over (partition by held_uid, document_kind, is_reported, revision order by weight) <= 50000 as is_read
        from crossed
    ) as weighed
),

-- What a document of a resource does not name is the resource; what another does not name is everything.
each_pattern as (
    select
        * exclude (actions, resources, principals),
        unnest(case when array_length(actions) > 0 then actions when effect = 'unknown' then [null] when array_length(except_actions) > 0 then ['*'] else [] end) as action_pattern,
        case
            when array_length(resources) > 0 then resources
            when document_kind <> 'permissions' then [held_uid]
            when effect = 'unknown' then [null]
            else ['*']
        end as resources,
        case when array_length(principals) > 0 then principals when document_kind = 'permissions' then [null] else ['*'] end as principals
    from readable
),

each_resource as (
    select * exclude (resources), unnest(resources) as resource_pattern
    from each_pattern
),

each_principal as (
    select * exclude (principals), unnest(principals) as principal
    from each_resource
),

-- Two statements of one text that say the same are one.
stated as (
    select distinct
        held_uid, document_kind, is_reported, revision, valid_from, valid_until, start_by, start_event_id, start_actor_uid, end_event_id,
        if(action_pattern is null, 'unknown', effect) as effect, action_pattern, resource_pattern, principal, except_actions, except_resources,
        except_principals, condition, fingerprint, plane,
        substr(sha256(concat_ws(
            chr(31), held_uid, document_kind, is_reported::varchar, effect, coalesce(action_pattern, ''), coalesce(resource_pattern, ''),
            coalesce(principal, ''), except_actions::varchar, except_resources::varchar, except_principals::varchar, coalesce(condition, ''),
            coalesce(fingerprint, ''), coalesce(plane, '')
        )), 1, 20) as statement_id
    from each_principal
),

stretches as (
    select *, revision - row_number() over (partition by statement_id order by revision) as stretch
    from stated
)

select
    statement_id,
    held_uid,
    document_kind,
    is_reported,
    effect,
    action_pattern,
    resource_pattern,
    principal,
    except_actions,
    except_resources,
    except_principals,
    condition,
    fingerprint,
    plane,
    min(revision) as revision,
    arg_min({'value': valid_from}, revision).value as valid_from,
    arg_max({'value': valid_until}, revision).value as valid_until,
    arg_min(start_by, revision) as start_by,
    arg_min({'value': start_event_id}, revision).value as start_event_id,
    arg_min({'value': start_actor_uid}, revision).value as start_actor_uid,
    arg_max({'value': end_event_id}, revision).value as end_event_id
from stretches
group by
    statement_id, held_uid, document_kind, is_reported, effect, action_pattern, resource_pattern, principal, except_actions, except_resources,
    except_principals, condition, fingerprint, plane, stretch
