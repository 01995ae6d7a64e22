-- grain: one row per credential, issuing activity, activity that shows no credential or person's request to an agent
-- build: full
-- why: what exactly one subject is approved for in a role accounts for what it does in that role, though no id of the approval travels with it

with timely as (
    select in_window.node_id, in_window.approval_id
    from int_approvals__in_window as in_window
    join stg_approvals on stg_approvals.approval_id = in_window.approval_id
    where in_window.n_left_out = 0
        and stg_approvals.valid_from <= in_window.until_at
        and (stg_approvals.ends_at is null or stg_approvals.ends_at >= in_window.from_at)
),

alone as (
    select node_id, min(approval_id) as approval_id
    from timely
    group by node_id
    having count(*) = 1
),

fitting as (
    select
        in_window.node_id,
        in_window.approval_id,
        in_window.key_value,
        in_window.role_arn,
        in_window.from_at,
        in_window.until_at,
        stg_approvals.valid_from,
        stg_approvals.granted_at,
        stg_approvals.actions,
        stg_approvals.roles
    from alone
    join int_approvals__in_window as in_window
        on in_window.node_id = alone.node_id and in_window.approval_id = alone.approval_id
    join stg_approvals on stg_approvals.approval_id = alone.approval_id
),

-- Where the log shows a role, the approval has to list it. Where it shows none, the approval has to list the act itself, and
-- of a key, which may serve for many acts and roles, no role and its acts. A grant that came afterwards did not stand.
named as (
    select fitting.*
    from fitting
    left join int_approvals__roles as approved_roles
        on approved_roles.approval_id = fitting.approval_id and approved_roles.role_arn = fitting.role_arn
    left join stg_activities on stg_activities.activity_id = fitting.node_id
    cross join run_context
    where coalesce(fitting.granted_at <= greatest(fitting.from_at, fitting.valid_from) + run_context.clock_tolerance, true)
        and case
            when starts_with(fitting.node_id, 'approval:') then true
            when fitting.role_arn is not null then approved_roles.role_arn is not null
            when starts_with(fitting.node_id, 'credential:')
                then array_length(fitting.roles) = 0 and array_length(fitting.actions) > 0
            else array_length(fitting.actions) > 0 and stg_activities.issued_credential_uid is null
        end
),

-- Who else was approved for the role in that time: all that began until its end without those that ended before it.
role_windows as (
    select approved_roles.role_arn, stg_approvals.valid_from, stg_approvals.ends_at
    from int_approvals__roles as approved_roles
    join stg_approvals on stg_approvals.approval_id = approved_roles.approval_id
    where stg_approvals.is_granted and stg_approvals.valid_from is not null
),

begun_ticks as (
    select role_arn, valid_from as moment, 1 as turn, 1 as n from role_windows
    union all
    select role_arn, until_at, 2, 0 from (select distinct role_arn, until_at from named where role_arn is not null) as asked
),

begun as (
    select
        role_arn, moment, turn,
        sum(n) over (partition by role_arn order by moment, turn rows between unbounded preceding and current row) as n
    from begun_ticks
),

ended_ticks as (
    select role_arn, ends_at as moment, 2 as turn, 1 as n from role_windows where ends_at is not null
    union all
    select role_arn, from_at, 1, 0 from (select distinct role_arn, from_at from named where role_arn is not null) as asked
),

ended as (
    select
        role_arn, moment, turn,
        sum(n) over (partition by role_arn order by moment, turn rows between unbounded preceding and current row) as n
    from ended_ticks
),

exclusive as (
    select named.*
    from named
    left join begun on begun.role_arn = named.role_arn and begun.moment = named.until_at and begun.turn = 2
    left join ended on ended.role_arn = named.role_arn and ended.moment = named.from_at and ended.turn = 1
    where named.role_arn is null or begun.n - ended.n = 1
),

-- Somebody whom the approval does not name took the role: it may lead there, and accounts for nothing.
judged as (
    select
        exclusive.node_id,
        exclusive.approval_id,
        count(takers.node_id) as n_behind,
        count(subjects.approval_id) as n_named
    from exclusive
    left join int_credentials__takers as takers on takers.node_id = exclusive.node_id
    left join int_approvals__subjects as subjects
        on subjects.approval_id = exclusive.approval_id and subjects.identity_id = takers.identity_id
    group by exclusive.node_id, exclusive.approval_id
)

select
    exclusive.node_id,
    exclusive.approval_id,
    exclusive.key_value,
    exclusive.from_at >= exclusive.valid_from - run_context.clock_tolerance as is_begun_within
from exclusive
join judged on judged.node_id = exclusive.node_id and judged.approval_id = exclusive.approval_id
cross join run_context
where judged.n_behind = 0 or judged.n_named > 0
