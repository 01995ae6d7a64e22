-- grain: one row per person's request to an agent and approval that the agent's run is under by its own decisions, or else calls
-- build: full
-- why: a prompt seldom names the ticket that its run is decided under; both are one piece of work and have one root

-- What was denied was not done under what the denial names.
with stating as (
    select stated.child_id, stated.child_kind, stated.parent_id as approval_id, stated.voice
    from int_links__by_key as stated
    left join stg_decisions on stg_decisions.decision_id = stated.child_id
    where stated.child_kind in ('decision', 'tool_call') and stated.parent_kind = 'approval'
        and stated.key_kind in ('approval', 'ticket')
        and stg_decisions.result is distinct from 'deny'
),

-- A decision belongs to the runs that it names, and to those of the calls that it was about.
about as (
    select child_id as stating_id, child_id as node_id
    from stating
    union
    select answers.parent_id, answers.child_id
    from int_links__by_key as answers
    join stating on stating.child_id = answers.parent_id
    where answers.child_kind = 'tool_call' and answers.parent_kind = 'decision'
),

in_runs as (
    select distinct
        stg_keys.key_kind,
        stg_keys.key_value,
        stating.approval_id,
        stating.child_kind = 'decision' and stating.voice = 'recorded' as is_recorded
    from stating
    join about on about.stating_id = stating.child_id
    join stg_keys on stg_keys.node_id = about.node_id
    where stg_keys.key_kind in ('trace', 'prompt')
),

-- Where a policy engine says under which approval it decided, what the agent says does not matter.
told as (
    select key_kind, key_value, approval_id, is_recorded
    from in_runs
    qualify is_recorded or not bool_or(is_recorded) over (partition by key_kind, key_value)
),

ranked_told as (
    select
        told.*,
        row_number() over (
            partition by told.key_kind, told.key_value order by stg_approvals.is_granted desc, stg_approvals.event_at, told.approval_id
        ) as nth,
        count(*) over (partition by told.key_kind, told.key_value) as n_told
    from told
    join stg_approvals on stg_approvals.approval_id = told.approval_id
    where stg_approvals.origin = 'ticket'
),

requested as (
    select
        stg_keys.key_kind, stg_keys.key_value, stg_approvals.approval_id as request_id, stg_approvals.event_at as requested_at,
        stg_approvals.subject_uid, stg_approvals.requested_by,
        row_number() over (partition by stg_keys.key_kind, stg_keys.key_value order by stg_approvals.event_at, stg_approvals.approval_id) as nth
    from stg_keys
    join stg_approvals on stg_approvals.approval_id = stg_keys.node_id
    where stg_keys.key_kind in ('trace', 'prompt') and stg_approvals.origin = 'human_request'
),

pairs as (
    select
        requested.request_id,
        requested.requested_at,
        ranked_told.approval_id,
        max(requested.subject_uid) as subject_uid,
        max(requested.requested_by) as requested_by,
        min(ranked_told.key_kind || ' ' || ranked_told.key_value) as run_key,
        bool_or(ranked_told.is_recorded) as is_recorded,
        max(greatest(ranked_told.n_told - most_candidates(), 0)) as n_passed_over
    from requested
    join ranked_told on ranked_told.key_kind = requested.key_kind and ranked_told.key_value = requested.key_value
    where requested.nth <= most_candidates() and ranked_told.nth <= most_candidates()
    group by requested.request_id, requested.requested_at, ranked_told.approval_id
),

asking as (
    select request_id, approval_id, requested_at, unnest([subject_uid, requested_by]) as alias_uid
    from pairs
),

-- Only an approval of the agent itself, or of the person who asked, holds for what was asked of it.
own as (
    select distinct asking.request_id, asking.approval_id
    from asking
    left join int_identities__resolved as resolved
        on resolved.alias_uid = asking.alias_uid
        and holds_at(asking.requested_at, resolved.valid_from, resolved.valid_until)
    join int_approvals__subjects as subjects
        on subjects.approval_id = asking.approval_id and subjects.identity_id = coalesce(resolved.identity_id, asking.alias_uid)
),

addressed as (
    select approval_id
    from int_approvals__subjects
    group by approval_id
    having not bool_and(is_asker)
)

select
    pairs.request_id,
    pairs.approval_id,
    split_part(pairs.run_key, ' ', 1) as key_kind,
    substr(pairs.run_key, length(split_part(pairs.run_key, ' ', 1)) + 2) as key_value,
    case when pairs.is_recorded then 'recorded' else 'reported' end as voice,
    pairs.n_passed_over
from pairs
left join own on own.request_id = pairs.request_id and own.approval_id = pairs.approval_id
left join addressed on addressed.approval_id = pairs.approval_id
where own.approval_id is not null or addressed.approval_id is null
