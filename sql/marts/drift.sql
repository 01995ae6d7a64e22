-- grain: one row per identity, actor or holder, kind of drift and cause
-- build: by_key identity_id
-- why: where the layers differ: granted or used beyond approved, granted or approved and never used, held beyond its end, changed without a log; since when, by which event, by whom
-- units: select identity_id from int_drift__overreach
--   union select identity_id from int_drift__unused_approvals
--   union select identity_id from int_drift__over_grants
--   union select identity_id from int_drift__expired
--   union select identity_id from int_drift__unlogged
--   union select identity_id from int_drift__unused
-- dirty: select identity_id from delta_int_drift__overreach
-- dirty: select identity_id from delta_int_drift__unused_approvals
-- dirty: select identity_id from delta_int_drift__over_grants
-- dirty: select identity_id from delta_int_drift__expired
-- dirty: select identity_id from delta_int_drift__unlogged
-- dirty: select identity_id from delta_int_drift__unused
-- dirty: select identity_id from delta_int_drift__reviewed
-- dirty: select identity_id from delta_identities group by identity_id, kind_evidence having count(*) = 1
-- dirty: select held.identity_id from (select distinct held_uid from delta_int_grants where relation = 'member') as joined
--   join (
--     select identity_id, actor_uid from int_drift__over_grants union all select identity_id, actor_uid from int_drift__expired union all select identity_id, actor_uid from int_drift__unused
--   ) as held on held.actor_uid = joined.held_uid
-- only: identities(identity_id, kind_evidence)
-- only: int_grants(relation, held_uid, is_reported)

with found as (
    select
        identity_id, actor_uid, kind, cause, action, actions, n_actions, power, resource_uids, crown_jewels, first_at, last_at, n_events,
        n_denied, cause_event_id, cause_actor_uid, cause_approval_uid, approval_uids, is_certain, evidence_event_ids
    from int_drift__over_grants
    where identity_id in (select id from touched_ids)
    union all
    select
        identity_id, actor_uid, kind, cause, action, actions, n_actions, power, resource_uids, null, first_at, last_at, n_events,
        n_denied, cause_event_id, cause_actor_uid, cause_approval_uid, approval_uids, is_certain, evidence_event_ids
    from int_drift__expired
    where identity_id in (select id from touched_ids)
    union all
    select
        identity_id, actor_uid, kind, null, action, actions, null, power, resource_uids, null, first_at, last_at, n_events,
        n_denied, cause_event_id, cause_actor_uid, null, approval_uids, is_certain, evidence_event_ids
    from int_drift__overreach
    where identity_id in (select id from touched_ids)
    union all
    select
        identity_id, null, kind, null, action, actions, null, null, null, null, first_at, last_at, n_events,
        n_denied, null, null, null, approval_uids, is_certain, evidence_event_ids
    from int_drift__unused_approvals
    where identity_id in (select id from touched_ids)
    union all
    select
        identity_id, actor_uid, kind, cause, null, actions, null, null, resource_uids, null, first_at, last_at, n_events,
        n_denied, cause_event_id, null, null, null, is_certain, evidence_event_ids
    from int_drift__unlogged
    where identity_id in (select id from touched_ids)
    union all
    select
        identity_id, actor_uid, kind, cause, action, actions, null, null, null, null, first_at, null, n_events,
        n_denied, cause_event_id, cause_actor_uid, null, null, is_certain, evidence_event_ids
    from int_drift__unused
    where identity_id in (select id from touched_ids)
),

-- What only a provider can be has the power that the provider gives it, and needs no approval for what it does.
providers as (
    select names.name
    from (select identity_id as name from found union select actor_uid from found) as names
    semi join identity_names on identity_names.says = 'provider' and names.name like identity_names.name_like escape '\' and regexp_matches(names.name, identity_names.name_pattern)
    union
    select identity_id
    from identities
    where kind_evidence = 'provider''s own' and identity_id in (select id from touched_ids)
),

-- Who is in a group is judged for what it gives, and not the group, which never acts; but a group of which nobody is known is.
groups as (
    select distinct holders.actor_uid as name
    from (select distinct identity_id, actor_uid from found) as holders
    semi join int_grants on int_grants.held_uid = holders.actor_uid and int_grants.relation = 'member' and not int_grants.is_reported
    anti join identities on identities.identity_id = holders.identity_id
),

all_kinds as (
    select *
    from found
    where identity_id not in (select name from providers) and coalesce(actor_uid, '') not in (select name from providers)
        and (kind = 'changed_without_log' or coalesce(actor_uid, '') not in (select name from groups))
),

in_words as (
    select
        all_kinds.*,
        reviewed.reviewed_by,
        reviewed.reviewed_until,
        case when array_length(actions) = 1 then actions[1] else actions[1] || ' and ' || (coalesce(n_actions, array_length(actions)) - 1) || ' more' end as what,
        coalesce(cause_actor_uid, 'somebody') as who,
        strftime(first_at, '%Y-%m-%d %H:%M') as since,
        array_to_string(approval_uids, ', ') as approvals
    from all_kinds
    left join int_drift__reviewed as reviewed
        on reviewed.identity_id = all_kinds.identity_id and reviewed.actor_uid is not distinct from all_kinds.actor_uid
        and reviewed.kind = all_kinds.kind and reviewed.cause = coalesce(all_kinds.cause, all_kinds.action)
)

select
    'dr_' || substr(sha256(
        identity_id || chr(31) || coalesce(actor_uid, '') || chr(31) || kind || chr(31) || coalesce(cause, action)
    ), 1, 20) as drift_id,
    identity_id,
    actor_uid,
    kind,
    coalesce(cause, action) as cause,
    action,
    actions,
    coalesce(power, 'data') as power,
    -- By what it gives: everything, power over permissions, a crown jewel; what an approval stands behind, or a reviewer, is for the record.
    case
        when reviewed_by is not null then 'informational'
        when kind in ('unused', 'unused_approval') or cause_approval_uid is not null and kind <> 'expired_but_held' then 'informational'
        when kind = 'over_grant' then
            case when power = 'admin' then 'high' when power = 'permissions' or array_length(crown_jewels) > 0 then 'medium' else 'informational' end
        when kind in ('widened_after_approval', 'expired_but_held') then
            case when power = 'admin' then 'high' when power = 'permissions' or array_length(crown_jewels) > 0 then 'medium' else 'low' end
        else 'medium'
    end as severity,
    first_at,
    last_at,
    n_events,
    n_denied,
    coalesce(resource_uids, []) as resource_uids,
    coalesce(crown_jewels, []) as crown_jewels,
    cause_event_id,
    cause_actor_uid,
    cause_approval_uid,
    coalesce(approval_uids, []) as approval_uids,
    reviewed_by,
    reviewed_until,
    coalesce(is_certain, false) as is_certain,
    case kind
        when 'overreach' then identity_id || ' has used ' || what || ' beyond its approvals since ' || since
        when 'unused_approval' then identity_id || ' was approved ' || what || ' and never used it'
        when 'over_grant' then who || ' gave ' || identity_id || ' ' || what || ' on ' || since || if(cause_approval_uid is null, ', which no approval covers', ' under ' || cause_approval_uid || ', which approves the change and not the right')
        when 'widened_after_approval' then
            if(cause_event_id is null, 'the vendor', who) || ' widened what ' || approvals || ' approved for ' || identity_id || ' by ' || what || ' on ' || since
        when 'expired_but_held' then identity_id || ' holds ' || what || ' although ' || approvals || ' ended on ' || since
        when 'changed_without_log' then 'an export shows that ' || resource_uids[1] || ' changed for ' || identity_id || ' by ' || since || ', and no log does'
        when 'unused' then identity_id || ' holds ' || what || ' and has not used it since ' || since
    end as sentence,
    coalesce(evidence_event_ids, []) as evidence_event_ids
from in_words
