-- grain: one row per holder and granted action pattern
-- build: full
-- why: granted and never used, where the logs would show it

-- So long a right has to be held and every log of activity read before it is called unused, as the clouds' own analyzers wait.
with unused_for as (select interval 90 day as wait),

seen_from as (
    select max(oldest_event_at) as oldest_event_at, min(complete_until) as complete_until
    from sources
    where list_contains(evidence_kinds, 'activity') and state <> 'absent' and voice = 'recorded'
),

held_long as (
    select
        entitlements.identity_id,
        entitlements.holder_uid,
        entitlements.action_pattern,
        as_like(entitlements.action_pattern) as action_like,
        entitlements.event_id,
        entitlements.cause_actor_uid,
        greatest(coalesce(entitlements.valid_from, seen_from.oldest_event_at), seen_from.oldest_event_at) as since,
        entitlements.is_certain
    from entitlements
    cross join seen_from
    cross join unused_for
    left join identities on identities.identity_id = entitlements.identity_id
    where entitlements.layer = 'granted' and entitlements.effect = 'allow' and entitlements.valid_until is null and not entitlements.is_reported
        and identities.is_nonhuman is distinct from false and identities.kind_evidence is distinct from 'provider''s own'
        and greatest(coalesce(entitlements.valid_from, seen_from.oldest_event_at), seen_from.oldest_event_at) + unused_for.wait <= seen_from.complete_until
),

-- In the words of the log and of the grant, also those that failed: who tries something needs it.
acted as (
    select distinct identity_id, action from usage
    union
    select distinct identity_id, canonical_action from usage
),

anybodys as (select distinct action from acted),

shown_at_all as (
    select distinct patterns.action_pattern
    from (select distinct action_pattern, action_like from held_long) as patterns
    join anybodys on anybodys.action ilike patterns.action_like escape '\'
)

select
    held_long.identity_id,
    held_long.holder_uid as actor_uid,
    'unused' as kind,
    held_long.action_pattern as cause,
    held_long.action_pattern as action,
    [held_long.action_pattern] as actions,
    min(held_long.since) as first_at,
    0 as n_events,
    0 as n_denied,
    min(held_long.event_id) as cause_event_id,
    min(held_long.cause_actor_uid) as cause_actor_uid,
    -- A log that shows such an action of nobody may not record it at all.
    bool_and(held_long.is_certain) and bool_or(shown_at_all.action_pattern is not null) as is_certain,
    first_hundred(list_sort(list_distinct(list(held_long.event_id)))) as evidence_event_ids
from held_long
anti join acted on acted.identity_id = held_long.identity_id and acted.action ilike held_long.action_like escape '\'
left join shown_at_all on shown_at_all.action_pattern = held_long.action_pattern
group by held_long.identity_id, held_long.holder_uid, held_long.action_pattern
