-- grain: one row per approval and role of the logs that its roles allow
-- build: full
-- why: not every system can name the role it grants; AWS appends a code of its own to the roles of Identity Center, so an approval lists a pattern

with listed as (
    select approval_id, unnest(roles) as role
    from stg_approvals
),

approved as (
    select
        approval_id,
        role,
        contains(role, '*') or contains(role, '?') as is_pattern,
        as_like(role) as role_like
    from listed
),

seen as (
    select role_arn from stg_activities where role_arn is not null
    union
    select issued_role_arn from stg_activities where issued_role_arn is not null
)

select approved.approval_id, seen.role_arn
from approved
join seen on seen.role_arn = approved.role
union
select approved.approval_id, seen.role_arn
from approved
join seen on approved.is_pattern and seen.role_arn ilike approved.role_like escape '\'
