-- grain: one row per identity and change that an export shows and no log
-- build: full
-- why: changed without a log: an export that shows what the events before it deny

-- An export that shows what the events before it deny: a change that no log shows.
with unlogged as (
    select
        int_grants.holder_uid,
        'changed_without_log' as kind,
        int_grants.start_event_id || ' ' || int_grants.held_uid as cause,
        int_grants.held_uid,
        int_grants.known_from as first_at,
        int_grants.valid_until as last_at,
        int_grants.start_event_id as cause_event_id,
        int_grants.is_certain,
        list_filter([int_grants.start_event_id, int_grants.not_held_event_id], lambda id: id is not null) as evidence_event_ids
    from int_grants
    where int_grants.start_by = 'snapshot'
    union all
    select
        int_grants.holder_uid, 'changed_without_log', int_grants.end_event_id || ' ' || int_grants.held_uid, int_grants.held_uid, int_grants.valid_until,
        int_grants.valid_until, int_grants.end_event_id, int_grants.is_certain,
        list_filter([int_grants.end_event_id, int_grants.first_event_id], lambda id: id is not null)
    from int_grants
    where int_grants.end_by = 'snapshot'
    union all
    select
        int_documents.held_uid, 'changed_without_log', int_documents.start_event_id || ' ' || int_documents.held_uid, int_documents.held_uid,
        int_documents.valid_from, int_documents.valid_until, int_documents.start_event_id, true, [int_documents.start_event_id]
    from int_documents
    where int_documents.start_by = 'snapshot'
)

select distinct on (unlogged.cause)
    coalesce(resolved.identity_id, unlogged.holder_uid) as identity_id,
    unlogged.holder_uid as actor_uid,
    unlogged.* exclude (holder_uid, held_uid),
    []::varchar[] as actions,
    [unlogged.held_uid] as resource_uids,
    1 as n_events,
    0 as n_denied
from unlogged
left join int_identities__resolved as resolved
    on resolved.alias_uid = unlogged.holder_uid and holds_at(unlogged.first_at, resolved.valid_from, resolved.valid_until)
order by unlogged.cause, unlogged.holder_uid
