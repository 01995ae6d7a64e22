-- grain: one row per identity, holder, kind of drift and cause that a reviewer answers for
-- build: full
-- why: what somebody keeps, or excepts until a day, is no news; all of a row that is still held has to be kept, so that one answer hides nothing beside it

with in_force as (
    select int_answers.*
    from int_answers
    cross join run_context
    where int_answers.replaced_at is null and int_answers.decision in ('keep', 'exception') and int_answers.effect = 'allow'
        and (int_answers.until_at is null or int_answers.until_at > run_context.as_of)
),

held as (
    select entitlements.*
    from entitlements
    cross join run_context
    where entitlements.layer = 'granted' and entitlements.effect = 'allow'
        and (entitlements.valid_until is null or entitlements.valid_until > run_context.as_of)
        and entitlements.holder_uid in (select holder_uid from in_force)
),

-- Who keeps a right does not keep what is given anew after it was taken.
kept as (
    select
        held.entitlement_id,
        max(in_force.reviewer) as reviewed_by,
        max(coalesce(in_force.until_at, last_moment())) as until_at
    from held
    join in_force
        on in_force.holder_uid = held.holder_uid
        and in_force.action_pattern = held.action_pattern
        and in_force.resource_pattern = held.resource_pattern
        and in_force.except_actions = held.except_actions
        and in_force.except_resources = held.except_resources
        and in_force.scope_uid is not distinct from held.scope_uid
        and in_force.condition is not distinct from held.condition
        and in_force.path = held.path
        and (in_force.entitlement_id = held.entitlement_id or held.valid_from is null or held.valid_from <= in_force.decided_at)
    group by held.entitlement_id
),

behind as (
    select
        held.identity_id, held.holder_uid as actor_uid, if(beyond.widened_approval_id is null, 'over_grant', 'widened_after_approval') as kind,
        cause_of_change(beyond.event_id, beyond.path, beyond.valid_from) as cause, held.entitlement_id
    from int_grants__beyond as beyond
    join held on held.entitlement_id = beyond.entitlement_id
    union all
    select identity_id, holder_uid, 'expired_but_held', event_id, entitlement_id
    from held
    where event_id is not null
    union all
    select identity_id, holder_uid, 'unused', action_pattern, entitlement_id
    from held
    where valid_until is null
),

of_grants as (
    select
        behind.identity_id,
        behind.actor_uid,
        behind.kind,
        behind.cause,
        min(kept.reviewed_by) as reviewed_by,
        nullif(min(kept.until_at), last_moment()) as reviewed_until
    from behind
    left join kept on kept.entitlement_id = behind.entitlement_id
    group by behind.identity_id, behind.actor_uid, behind.kind, behind.cause
    having bool_and(kept.entitlement_id is not null)
),

-- What was used lies within what is kept, all its resources too, in the words of the log or of a grant.
used as (
    select identity_id, actor_uid, action, action as word, unnest(if(array_length(resource_uids) = 0, [''], resource_uids)) as resource_uid
    from int_drift__overreach
    union
    select int_drift__overreach.identity_id, int_drift__overreach.actor_uid, int_drift__overreach.action, action_words.permission,
        unnest(if(array_length(int_drift__overreach.resource_uids) = 0, [''], int_drift__overreach.resource_uids))
    from int_drift__overreach
    join action_words on action_words.action_key = lower(int_drift__overreach.action)
),

whole_rights as (
    select held.identity_id, as_like(held.action_pattern) as action_like, as_like(held.resource_pattern) as resource_like, kept.reviewed_by, kept.until_at
    from kept
    join held on held.entitlement_id = kept.entitlement_id
    where array_length(held.except_actions) = 0 and array_length(held.except_resources) = 0 and not held.is_conditional and held.scope_uid is null
),

used_within as (
    select
        used.identity_id,
        used.actor_uid,
        used.action,
        used.resource_uid,
        max(whole_rights.reviewed_by) as reviewed_by,
        max(whole_rights.until_at) as until_at
    from used
    left join whole_rights
        on whole_rights.identity_id = used.identity_id
        and used.word ilike whole_rights.action_like escape '\'
        and used.resource_uid ilike whole_rights.resource_like escape '\'
    group by used.identity_id, used.actor_uid, used.action, used.resource_uid
)

select * from of_grants
union all
select identity_id, actor_uid, 'overreach', action, min(reviewed_by), nullif(min(until_at), last_moment())
from used_within
group by identity_id, actor_uid, action
having bool_and(reviewed_by is not null)
