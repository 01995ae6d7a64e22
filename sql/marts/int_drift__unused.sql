-- grain: one row per holder and granted action pattern
-- build: by_key actor_uid
-- why: granted and never used, where the logs would show it
-- units: select holder_uid from entitlements where layer = 'granted'
-- dirty: select holder_uid from delta_entitlements
-- dirty: select held.holder_uid from (select identity_id from delta_identities group by identity_id, is_nonhuman, kind_evidence having count(*) = 1) as changed
--   join entitlements as held on held.identity_id = changed.identity_id
-- dirty: select held.holder_uid from (select distinct identity_id from delta_usage) as used join entitlements as held on held.identity_id = used.identity_id
-- dirty: select made.actor_uid from (
--     select action from (
--       select unnest([action, canonical_action]) as action, if(is_new, 1, 0) as came, 1 as told, 0 as stands from delta_usage
--       union all select unnest([action, canonical_action]), 0, 0, 1 from usage
--     ) as shown group by action having sum(told) > 0 and (sum(stands) = 0) <> (sum(stands) - sum(came) + sum(told) - sum(came) = 0)
--   ) as changed join int_drift__unused as made on changed.action ilike as_like(made.action) escape '\'
-- dirty: select held.holder_uid from (
--     select
--       max(oldest_event_at) filter (where is_after) as oldest_event_at, coalesce(min(complete_until) filter (where is_after), first_moment()) as until_after,
--       coalesce(min(complete_until) filter (where is_before), first_moment()) as until_before,
--       max(oldest_event_at) filter (where is_after) is distinct from max(oldest_event_at) filter (where is_before) as is_all
--     from (
--       select oldest_event_at, complete_until, evidence_kinds, state, voice, is_new as is_after, not is_new as is_before from delta_sources
--       union all select oldest_event_at, complete_until, evidence_kinds, state, voice, true, true from sources where log not in (select log from delta_sources)
--     ) as told where list_contains(evidence_kinds, 'activity') and state <> 'absent' and voice = 'recorded'
--   ) as seen join entitlements as held on held.layer = 'granted' and held.valid_until is null
--   where seen.is_all or greatest(coalesce(held.valid_from, seen.oldest_event_at), seen.oldest_event_at) + interval 90 day
--     between least(seen.until_before, seen.until_after) and greatest(seen.until_before, seen.until_after)
-- only: entitlements(identity_id, holder_uid, layer, effect, action_pattern, valid_from, valid_until, event_id, cause_actor_uid, is_reported, is_certain)
-- only: identities(identity_id, is_nonhuman, kind_evidence)
-- only: usage(identity_id, action, canonical_action)
-- only: sources(log, evidence_kinds, state, voice, oldest_event_at, complete_until)

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
    where entitlements.holder_uid in (select id from touched_ids)
        and entitlements.layer = 'granted' and entitlements.effect = 'allow' and entitlements.valid_until is null and not entitlements.is_reported
        and identities.is_nonhuman is distinct from false and identities.kind_evidence is distinct from 'provider''s own'
        and greatest(coalesce(entitlements.valid_from, seen_from.oldest_event_at), seen_from.oldest_event_at) + unused_for.wait <= seen_from.complete_until
),

-- In the words of the log and of the grant, also those that failed: who tries something needs it.
acted as (
    select identity_id, action from usage where identity_id in (select identity_id from held_long)
    union
    select identity_id, canonical_action from usage where identity_id in (select identity_id from held_long)
),

anybodys as (
    select action from usage
    union
    select canonical_action from usage
),

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
