-- grain: one row per answer to one right in an access review
-- build: full
-- why: who decided what about which right, whether that still counts, and whether what was to be taken was taken

with granted as (
    select
        entitlements.*,
        coalesce(entitlements.valid_until > run_context.as_of, true) as is_held
    from entitlements
    cross join run_context
    where entitlements.layer = 'granted'
),

-- As the right is called today, by what it gives and how, for its id changes with how a log is read.
compared as (
    select
        int_answers.answer_id,
        bool_or(granted.is_held) as is_held,
        max(granted.valid_until) filter (where not granted.is_held) as ended_at
    from int_answers
    join granted
        on granted.holder_uid = int_answers.holder_uid
        and granted.effect = int_answers.effect
        and granted.action_pattern is not distinct from int_answers.action_pattern
        and granted.resource_pattern is not distinct from int_answers.resource_pattern
        and granted.except_actions = int_answers.except_actions
        and granted.except_resources = int_answers.except_resources
        and granted.scope_uid is not distinct from int_answers.scope_uid
        and granted.condition is not distinct from int_answers.condition
        and granted.path = int_answers.path
    group by int_answers.answer_id
)

select
    int_answers.answer_id,
    int_answers.identity_id,
    int_answers.holder_uid,
    int_answers.entitlement_id,
    int_answers.action_pattern,
    int_answers.resource_pattern,
    int_answers.scope_uid,
    int_answers.path,
    int_answers.decision,
    int_answers.until_at,
    int_answers.reviewer,
    int_answers.reason,
    int_answers.decided_at,
    case
        when int_answers.replaced_at is not null then 'replaced'
        when int_answers.decision in ('narrow', 'revoke') then
            case when not coalesce(compared.is_held, false) then 'done' when int_answers.until_at <= run_context.as_of then 'overdue' else 'open' end
        when int_answers.until_at <= run_context.as_of then 'ended'
        else 'in force'
    end as state,
    coalesce(compared.is_held, false) as is_held,
    if(int_answers.decision in ('narrow', 'revoke') and not coalesce(compared.is_held, false), compared.ended_at, null) as done_at
from int_answers
cross join run_context
left join compared on compared.answer_id = int_answers.answer_id
